//! How long a refusal takes must not tell what exists: looking for another's object is the same work as looking for one
//! that does not exist, down to the statements that the database is asked.
//!
//! Counted behind the transport, where the handlers begin, since what comes before them knows no object. Times are not
//! measured: they belong to the machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use pointbridge::config::Environment;
use pointbridge::hub::{Hub, draw_seed};
use pointbridge::keys::KeyRing;
use pointbridge::peer::{PeerCertificate, PeerInfo, Principal, Role, TrustDomain};
use pointbridge::rpc::Services;
use pointbridge::serve::routes;
use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::text::PartnerCode;
use pointbridge_store_sqlite::{Options, SqliteStore, system_clock};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service;

use super::recipes::{Ask, Given, of_method};
use super::stage::{Objects, Stage};
use super::{methods, row};
use crate::harness::TRUST_DOMAIN;
use pointbridge::authz::{Effect, Reach};

/// Longer than the test: the sweeper looks once, at the start.
const NEVER: Duration = Duration::from_hours(1);

/// The hub's handlers on a database whose statements are seen.
struct Bench {
    routes: Routes,
    seen: Arc<Mutex<Vec<String>>>,
    objects: BTreeMap<&'static str, Objects>,
}

/// How often a difference must show to be one of the work asked for.
const TRIES: usize = 5;

/// Who asks for whose objects.
struct Stranger {
    partner: &'static str,
    role: Role,
    owner: &'static str,
    /// Whether it is the other party of what the owner shares.
    is_party: bool,
}

const STRANGERS: [Stranger; 4] = [
    Stranger { partner: "bakery", role: Role::Partner, owner: "market", is_party: false },
    Stranger { partner: "bakery", role: Role::Finance, owner: "market", is_party: false },
    Stranger { partner: "market", role: Role::Partner, owner: "bakery", is_party: false },
    Stranger { partner: "airline", role: Role::Partner, owner: "market", is_party: true },
];

impl Bench {
    /// Sends a request to a handler; answers with its code and the statements that it took.
    async fn ask(&mut self, stranger: &Stranger, path: &str, message: &[u8]) -> (Code, Vec<String>) {
        self.seen.lock().unwrap().clear();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let frame = [&[0][..], &length, message].concat();
        let role = stranger.role.as_str();
        let caller = Caller {
            party: Party::Partner(PartnerCode::new(stranger.partner).unwrap()),
            principal: format!("partner/{}/{role}/till-7", stranger.partner),
        };
        let domain = TrustDomain::parse(TRUST_DOMAIN).unwrap();
        let peer = PeerInfo {
            principal: Principal::from_path(&caller.principal, &domain).map(Arc::new),
            certificate: Arc::new(PeerCertificate::of(b"any")),
            remote: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        let request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .extension(Arc::new(caller))
            .extension(peer)
            .body(Body::new(Full::from(frame)))
            .unwrap();
        let response = self.routes.call(request).await.unwrap();
        let status = Status::from_header_map(response.headers());
        (status.map_or(Code::Ok, |status| status.code()), self.seen.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn anothers_object_is_looked_for_with_the_statements_of_a_missing_one() {
    let (folder, objects) = Stage::open().await.strike().await;
    let data = folder.path().join("hub");
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = Arc::clone(&seen);
    let options = Options {
        path: data.join("pointbridge.db"),
        clock: system_clock().unwrap(),
        statement_hook: Some(Arc::new(move |statement: &str| {
            hook.lock().unwrap().push(statement.to_owned());
        })),
        readers: 1,
        migrate: false,
    };
    let store = Arc::new(SqliteStore::open(options).await.unwrap());
    let engine_options = pointbridge_engine::Options {
        sweep_interval: NEVER,
        ..pointbridge_engine::Options::new(Arc::new(draw_seed))
    };
    let (engine, running) = pointbridge_engine::start(Arc::clone(&store), engine_options);
    let hub =
        Hub::new(Arc::clone(&store), engine, Arc::new(KeyRing::load(&data).unwrap()), Environment::Test);
    let mut bench = Bench { routes: routes(&Services::new(Arc::new(hub))), seen, objects };
    let (mut compared, mut wrong) = (0, Vec::new());
    for method in methods() {
        for stranger in &STRANGERS {
            compared += compare(&mut bench, stranger, &method.path, &mut wrong).await;
        }
    }
    drop(bench);
    running.drain().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 60, "only {compared} pairs were compared");
}

/// Compares what a stranger's requests of a method take; answers with how many pairs of requests there were.
async fn compare(bench: &mut Bench, stranger: &Stranger, path: &str, wrong: &mut Vec<String>) -> usize {
    let row = row(path);
    let is_hidden = match row.reach {
        Reach::Own => true,
        Reach::Shared => !stranger.is_party,
        Reach::Anybodys | Reach::Nobodys | Reach::Unstated => false,
    };
    if !is_hidden || !row.roles.contains(&stranger.role) {
        return 0;
    }
    let (own, theirs) = (bench.objects[stranger.partner].clone(), bench.objects[stranger.owner].clone());
    let missing = theirs.missing();
    let mut compared = 0;
    for recipe in of_method(path) {
        let Ask::Of(make) = recipe.ask else { continue };
        if stranger.is_party && recipe.by == "by destination" {
            continue;
        }
        for dry in [true, false] {
            let mut ask = async |named: &Objects| {
                let message = make(Given { named, own: &own, dry });
                bench.ask(stranger, path, &message).await
            };
            let (mut one, mut other) = (ask(&theirs).await, ask(&missing).await);
            for _ in 0..TRIES {
                if one == other {
                    break;
                }
                // The sweeper looks once, when the engine starts, and that look may have been counted.
                (one, other) = (ask(&theirs).await, ask(&missing).await);
            }
            assert!(!one.1.is_empty() || one.0 == Code::InvalidArgument, "{path} asks the database nothing");
            if one != other {
                let who = format!("{path} {} for {} {}", recipe.by, stranger.partner, stranger.role);
                wrong.push(format!(
                    "{who}: {} statements, and {} for a missing one",
                    one.1.len(),
                    other.1.len()
                ));
                wrong.extend(
                    one.1.iter().filter(|text| !other.1.contains(text)).map(|text| format!("    + {text}")),
                );
            }
            compared += 1;
            if row.effect == Effect::Read {
                break;
            }
        }
    }
    compared
}
