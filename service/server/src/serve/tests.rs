//! How a hub ends whose last writes find an invariant broken: as one that must be looked at, whatever else happens at once.

use pointbridge_core::command::{Command, Context, Decision, Envelope};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::world::{Facts, Footprint, World};
use pointbridge_engine::Engine;

use super::*;

/// What finds the hub's own state broken.
#[derive(Debug)]
struct Breaking;

impl Command for Breaking {
    fn method(&self) -> &'static str {
        "Break"
    }

    fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(Vec::new())
    }

    fn footprint(&self, _: &Context, _: &Facts, _: &mut Footprint) {}

    fn decide(&self, _: &Context, _: &World) -> Decision {
        Decision::refuse(Rejection::new(Reason::Internal, "a balance below zero"))
    }
}

fn breaking() -> Envelope {
    Envelope::from_hub(draw_seed(), Box::new(Breaking))
}

/// An engine on an empty database.
async fn engine(folder: &tempfile::TempDir) -> (Engine, Running, Arc<SqliteStore>) {
    let options = pointbridge_store_sqlite::Options {
        path: folder.path().join(DATABASE_FILE),
        clock: pointbridge_store_sqlite::system_clock().unwrap(),
        statement_hook: None,
        readers: 1,
        migrate: true,
    };
    let store = Arc::new(SqliteStore::open(options).await.unwrap());
    let (engine, running) =
        pointbridge_engine::start(Arc::clone(&store), EngineOptions::new(Arc::new(draw_seed)));
    (engine, running, store)
}

#[tokio::test]
async fn what_the_last_write_finds_broken_is_how_the_hub_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, running, store) = engine(&folder).await;
    let breakage = Breakage::default();
    breakage.follow(&running);
    // It waits in the queue when the drain begins: nobody knows of it yet, nor would anybody look again.
    let (answer, (_, broken)) = tokio::join!(biased; engine.submit(breaking()), async {
        assert!(!breakage.is_known());
        finish(running, store).await
    });
    assert!(answer.is_err());
    assert_eq!(broken.as_deref(), Some("a balance below zero"));
    assert!(breakage.is_known(), "a hard end would say that all is well");
    let what = "a balance below zero".to_owned();
    assert_eq!(stopped(true, broken), Stopped::Broken(what));
    assert_eq!((stopped(true, None), stopped(false, None)), (Stopped::Asked, Stopped::Hard));
}

#[tokio::test]
async fn a_broken_invariant_counts_before_an_end_that_comes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, running, _store) = engine(&folder).await;
    assert_eq!(wait(&running, std::future::ready(())).await, None);
    engine.submit(breaking()).await.unwrap_err();
    for _ in 0..64 {
        let found = wait(&running, std::future::ready(())).await;
        assert_eq!(found.as_deref(), Some("a balance below zero"));
    }
}
