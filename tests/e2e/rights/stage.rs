//! What the walk walks on: the real program, and two pairs of partners that have nothing to do with each other.
//!
//! The market and the airline have an agreement, a linked member, consents, and an exchange under way; so have the
//! bakery and the cinema. Codes have one length, so that refusals can be compared to the byte.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pointbridge::peer::{Principal, TrustDomain};
use pointbridge::pki::{Ca, LeafRequest};
use pointbridge_client::{Client, v1};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use tempfile::TempDir;
use tonic::transport::Channel;

use super::recipes;
use crate::asks;
use crate::harness::{TRUST_DOMAIN, until};
use crate::program::{Serving, bootstrap, run_well};
use crate::scene::{grant, link, member, program};

/// What belongs to one partner, or is shared with its other party. Of the missing, everything is made up.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) partner: String,
    pub(crate) other_party: String,
    pub(crate) program: String,
    pub(crate) membership: String,
    /// The same member's at the other party.
    pub(crate) linked: String,
    /// Another member's, not linked yet, and the code that the other party issued to link it.
    pub(crate) unlinked: String,
    pub(crate) link_code: String,
    pub(crate) consent: String,
    pub(crate) agreement: String,
    /// The hash of the version that waits for this partner.
    pub(crate) terms_hash: String,
    pub(crate) exchange: String,
    /// An exchange that is committed.
    pub(crate) committed: String,
    /// What the operator wang asked for about this partner's member, and the hash of it.
    pub(crate) approval: String,
    pub(crate) approval_hash: String,
    /// A certificate of this partner's that is not pinned; not missing, where the partner is.
    pub(crate) certificate_pem: String,
    /// A quote of this partner's, good for two minutes; empty where it is never asked for one.
    pub(crate) quote: String,
}

impl Objects {
    /// Every id and code, as text.
    pub(crate) fn names(&self) -> [&String; 12] {
        [
            &self.partner,
            &self.program,
            &self.membership,
            &self.unlinked,
            &self.link_code,
            &self.consent,
            &self.agreement,
            &self.terms_hash,
            &self.exchange,
            &self.committed,
            &self.approval,
            &self.quote,
        ]
    }

    /// Objects of the same form that nobody made.
    pub(crate) fn missing(&self) -> Self {
        let zeros = |id: &str| {
            let (prefix, rest) = id.split_once('_').expect("ids have a prefix");
            format!("{prefix}_{}", "0".repeat(rest.len()))
        };
        let letters = |text: &str, letter: char| {
            text.chars().map(|c| if c.is_alphanumeric() { letter } else { c }).collect()
        };
        Self {
            partner: "nobody".to_owned(),
            other_party: self.other_party.clone(),
            program: zeros(&self.program),
            membership: zeros(&self.membership),
            linked: zeros(&self.linked),
            unlinked: zeros(&self.unlinked),
            link_code: letters(&self.link_code, '0'),
            consent: zeros(&self.consent),
            agreement: zeros(&self.agreement),
            terms_hash: letters(&self.terms_hash, '0'),
            exchange: zeros(&self.exchange),
            committed: zeros(&self.committed),
            approval: zeros(&self.approval),
            approval_hash: letters(&self.approval_hash, '0'),
            certificate_pem: self.certificate_pem.clone(),
            quote: letters(&self.quote, 'A'),
        }
    }
}

/// The program, serving, and what there is in it.
pub(crate) struct Stage {
    folder: TempDir,
    hub: Serving,
    operator: Client,
    clients: BTreeMap<&'static str, Client>,
    /// Who cannot get quotes at the moment.
    suspended: BTreeSet<&'static str>,
    /// By partner.
    objects: BTreeMap<&'static str, Objects>,
}

/// The till of the market whose certificate stands on its authority's list.
pub(crate) const LISTED: &str = "partner/market/partner/till-9";

fn list_as_revoked(ca: &Ca, pki: &Path) {
    let domain = TrustDomain::parse(TRUST_DOMAIN).unwrap();
    let till = Principal::from_path(LISTED, &domain).unwrap();
    ca.issue(&LeafRequest::client(till, 1)).unwrap();
    run_well(&["pki", "revoke", "--dir", pki.to_str().unwrap(), "--principal", LISTED]);
}

impl Stage {
    /// Makes the hub and both pairs.
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// The same, served with more arguments.
    pub(crate) async fn open_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        bootstrap(&data);
        let ca = Ca::open(&data.join("pki")).unwrap();
        list_as_revoked(&ca, &data.join("pki"));
        let arguments: Vec<&str> = ["--lame-duck-seconds", "0"].iter().chain(arguments).copied().collect();
        let hub = Serving::start_with(&data, &arguments).await;
        let operator = hub.client("operator.wang").await;
        let mut clients = BTreeMap::new();
        for code in ["market", "airline", "bakery", "cinema"] {
            operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
            let domain = TrustDomain::parse(TRUST_DOMAIN).unwrap();
            let till = Principal::from_path(&format!("partner/{code}/partner/stage"), &domain).unwrap();
            ca.issue(&LeafRequest::client(till, 1)).unwrap();
            clients.insert(code, hub.client(&format!("partner.{code}.partner.stage")).await);
        }
        let mut objects = BTreeMap::new();
        for pair in [["market", "airline"], ["bakery", "cinema"]] {
            let [one, other] = make_pair(pair.map(|code| (code, &clients[code]))).await;
            objects.insert(pair[0], one);
            objects.insert(pair[1], other);
        }
        for (code, objects) in &mut objects {
            let pem = data.join(format!("pki/partner.{code}.partner.stage.pem"));
            objects.certificate_pem = std::fs::read_to_string(pem).unwrap();
            let asked = operator.ledger().adjust_points(asks::adjust(&objects.membership, "1")).await;
            let approval = asked.unwrap().into_inner().approval.unwrap();
            (objects.approval, objects.approval_hash) = (approval.approval_id, approval.content_hash);
        }
        // From now on, the cinema's other certificates are none.
        let request = recipes::pin("cinema", &objects["cinema"].certificate_pem);
        operator.partners().add_certificate(request).await.unwrap();
        Self { folder, hub, operator, clients, suspended: BTreeSet::new(), objects }
    }

    /// The development CA's folder.
    pub(crate) fn pki(&self) -> PathBuf {
        self.folder.path().join("hub/pki")
    }

    /// The program itself.
    pub(crate) const fn hub(&self) -> &Serving {
        &self.hub
    }

    /// A client of a principal of its own.
    pub(crate) async fn client_of(&self, path: &str) -> Client {
        let principal = Principal::from_path(path, &TrustDomain::parse(TRUST_DOMAIN).unwrap()).unwrap();
        Ca::open(&self.pki()).unwrap().issue(&LeafRequest::client(principal, 1)).unwrap();
        self.hub.client(&path.replace('/', ".")).await
    }

    /// Ends the program in order; answers with its whole log.
    pub(crate) async fn log_after_end(self) -> String {
        self.hub.signal("TERM");
        let (log, ended) = self.hub.end_with_log().await;
        assert_eq!(ended.code(), Some(0), "{log}");
        log
    }

    /// Where the hub listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.hub.address
    }

    /// The objects, with fresh quotes of whoever may have some.
    pub(crate) async fn quoted(&mut self) -> BTreeMap<&'static str, Objects> {
        for (source, destination) in [("market", "airline"), ("bakery", "cinema")] {
            if !self.suspended.contains(source) {
                let (from, to) = (&self.objects[source].membership, &self.objects[destination].membership);
                let token = quote(&self.clients[source], from, to).await;
                self.objects.get_mut(source).unwrap().quote = token;
            }
        }
        self.objects.clone()
    }

    async fn database(&self) -> SqliteConnection {
        let path = self.folder.path().join("hub/pointbridge.db");
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap()
    }

    /// How many rows each table has.
    pub(crate) async fn rows(&self) -> BTreeMap<String, i64> {
        let mut database = self.database().await;
        let named = "select name from sqlite_master where type = 'table' order by name";
        let tables = sqlx::query(named).fetch_all(&mut database).await.unwrap();
        let mut counts = BTreeMap::new();
        for table in tables.iter().map(|row| row.get::<String, _>(0)) {
            let statement = sqlx::AssertSqlSafe(format!("select count(*) from \"{table}\""));
            let count = sqlx::query_scalar(statement).fetch_one(&mut database).await.unwrap();
            counts.insert(table, count);
        }
        assert!(counts.len() > 10, "{counts:?}");
        counts
    }

    /// Suspends a partner, and waits until that is felt. Its last quotes are good for two minutes.
    pub(crate) async fn suspend(&mut self, code: &'static str) {
        self.quoted().await;
        self.suspended.insert(code);
        self.operator.partners().suspend_partner(recipes::suspend(code)).await.unwrap();
        let (client, membership) = (&self.clients[code], &self.objects[code].membership);
        until("the partner is suspended", async || {
            let request = v1::AccruePointsRequest { validate_only: true, ..asks::accrue(membership, "1") };
            client.ledger().accrue_points(request).await.err()
        })
        .await;
    }

    /// Has the operator revoke the certificate that a channel shows, and waits until that is felt.
    pub(crate) async fn revoke(&self, fingerprint: &str, channel: &Channel) {
        self.operator.partners().revoke_certificate(recipes::revoke(fingerprint)).await.unwrap();
        let mut partners = v1::partner_service_client::PartnerServiceClient::new(channel.clone());
        until("the certificate is revoked", async || {
            partners.list_partners(v1::ListPartnersRequest::default()).await.err()
        })
        .await;
    }

    /// Ends the program in order; its data folder and the objects in it are left.
    pub(crate) async fn strike(mut self) -> (TempDir, BTreeMap<&'static str, Objects>) {
        let objects = self.quoted().await;
        assert_eq!(self.hub.terminate().await.code(), Some(0));
        (self.folder, objects)
    }

    /// Ends the program in order, and has its books proved.
    pub(crate) async fn settle(self) {
        let data = self.folder.path().join("hub");
        assert_eq!(self.hub.terminate().await.code(), Some(0));
        assert!(run_well(&["check", "--data", data.to_str().unwrap()]).contains("everything adds up"));
    }
}

async fn quote(client: &Client, from: &str, to: &str) -> String {
    let answer = client.exchanges().quote_exchange(asks::quote(from, to, "100")).await.unwrap();
    answer.into_inner().quote.unwrap().quote_token
}

async fn prepare(client: &Client, from: &str, to: &str) -> String {
    let token = quote(client, from, to).await;
    let answer = client.exchanges().prepare_exchange(asks::prepare(&token, "SM-1")).await.unwrap();
    answer.into_inner().exchange.unwrap().exchange_id
}

async fn code_for(issuer: &Client, membership: &str, partner: &str) -> String {
    let answer = issuer.members().issue_link_code(asks::issue_link_code(membership, partner)).await;
    answer.unwrap().into_inner().link_code
}

/// An agreement in force, and a version that waits for the first of the two.
async fn agreement(
    [(one, source), (other, destination)]: [(&str, &Client); 2],
    terms: &[v1::DirectionTerms],
) -> (String, String) {
    let id = crate::scene::agree(source, (other, destination), terms.to_vec()).await;
    let next = destination.agreements().propose_agreement(asks::propose(one, terms.to_vec())).await;
    (id, next.unwrap().into_inner().agreement.unwrap().pending.unwrap().terms_hash)
}

/// Two partners with all that a request can name, but for quotes, which do not last.
async fn make_pair(pair: [(&str, &Client); 2]) -> [Objects; 2] {
    let [(one, source), (other, destination)] = pair;
    let from = program(source, asks::create_program(one, "points", 0)).await;
    let to = program(destination, asks::create_program(other, "miles", 0)).await;
    // As long as a hold may last, so that none ends during the walk.
    let terms = v1::DirectionTerms { hold_seconds: 3600, ..asks::direction(&from, &to) };
    let (agreement, terms_hash) = agreement(pair, &[terms]).await;
    let first = objects((one, source), (other, destination), from).await;
    let second = objects((other, destination), (one, source), to).await;
    link(destination, &second.membership, (one, source), &first.membership).await;
    source.ledger().accrue_points(asks::accrue(&first.membership, "1000")).await.unwrap();
    let committed = prepare(source, &first.membership, &second.membership).await;
    source.exchanges().commit_exchange(asks::commit(&committed)).await.unwrap();
    let exchange = prepare(source, &first.membership, &second.membership).await;
    let codes =
        [code_for(destination, &second.unlinked, one).await, code_for(source, &first.unlinked, other).await];
    let mut both = [first, second];
    let linked = [both[1].membership.clone(), both[0].membership.clone()];
    for ((objects, link_code), linked) in both.iter_mut().zip(codes).zip(linked) {
        objects.linked = linked;
        objects.link_code = link_code;
        objects.agreement.clone_from(&agreement);
        objects.terms_hash.clone_from(&terms_hash);
        objects.exchange.clone_from(&exchange);
        objects.committed.clone_from(&committed);
    }
    both
}

/// What a partner has by itself.
async fn objects((code, client): (&str, &Client), (other, _): (&str, &Client), program: String) -> Objects {
    let membership = member(client, &program, "card/li").await;
    let unlinked = member(client, &program, "card/wang").await;
    let consent = grant(client, &membership, other).await;
    Objects {
        partner: code.to_owned(),
        other_party: other.to_owned(),
        program,
        membership,
        linked: String::new(),
        unlinked,
        link_code: String::new(),
        consent,
        agreement: String::new(),
        terms_hash: String::new(),
        exchange: String::new(),
        committed: String::new(),
        approval: String::new(),
        approval_hash: String::new(),
        certificate_pem: String::new(),
        quote: String::new(),
    }
}
