//! Callers that go away, stores that fail, engines that end, and what time brings.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pointbridge_core::command::{Command, Context, Decision};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::world::{Facts, Footprint, World};
use pointbridge_engine::{Failure, Options};
use pointbridge_store::{Scope, StoreError, Views};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::Hub;
use pointbridge_tests::memory::MemoryStore;
use pointbridge_tests::scene::company;
use pointbridge_tests::script::operator;
use tokio::sync::watch;

use crate::batches::{Bench, names, options};
use crate::gated::until;

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_its_write_along() {
    let bench = Bench::new(options());
    let written = bench.submit(bench.envelope("written")).await;
    bench.store.arrived(1).await;
    let waiting = bench.submit(bench.envelope("waiting")).await;
    for call in [written, waiting] {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    bench.store.open();
    for name in ["written", "waiting"] {
        until("the write ends without its caller", async || bench.has_partner(name).await).await;
    }
    assert_eq!(bench.store.batches(), [1, 1]);
}

#[tokio::test]
async fn draining_takes_nothing_new_and_finishes_what_waits() {
    let bench = Bench::new(options());
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let calls = bench.submit_all(&names(5)).await;
    let (engine, store, late) = (bench.engine.clone(), Arc::clone(&bench.store), bench.envelope("late"));
    let drained = tokio::spawn(bench.running.drain());
    tokio::task::yield_now().await;
    assert_eq!(engine.submit(late).await.unwrap_err(), Failure::Draining);
    assert!(!drained.is_finished(), "it ended before what waits was written");
    store.open();
    first.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    drained.await.unwrap();
    assert_eq!(store.batches(), [1, 5]);
}

#[tokio::test]
async fn a_store_that_fails_once_fails_one_batch_and_a_retry_has_one_effect() {
    let bench = Bench::new(options());
    bench.store.open();
    let unknown = StoreError::OutcomeUnknown("the disk went away".to_owned());
    bench.store.fail_next(unknown.clone());
    let request_id = uuid::Uuid::from_u128(7);
    let script = pointbridge_tests::script::Script::default();
    let ask = || Arc::into_inner(script.ask_as(&operator(), request_id, company("airline"))).unwrap();
    assert_eq!(bench.engine.submit(ask()).await.unwrap_err(), Failure::Store(unknown));
    let first = bench.engine.submit(ask()).await.unwrap();
    let again = bench.engine.submit(ask()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(bench.store.batches(), [1, 1, 1]);
}

#[tokio::test]
async fn a_broken_invariant_ends_the_engine() {
    let bench = Bench::new(options());
    let broken = StoreError::Broken("a balance below zero".to_owned());
    bench.store.fail_next(broken.clone());
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let waiting = bench.submit(bench.envelope("waiting")).await;
    bench.store.open();
    assert_eq!(first.await.unwrap().unwrap_err(), Failure::Store(broken));
    assert_eq!(bench.running.broken().await, "a balance below zero");
    let lost = waiting.await.unwrap().unwrap_err();
    assert!(matches!(lost, Failure::Store(StoreError::OutcomeUnknown(_))), "{lost:?}");
    assert_eq!(bench.engine.submit(bench.envelope("late")).await.unwrap_err(), Failure::Draining);
    assert_eq!(bench.store.batches(), [1], "nothing was written after it");
}

/// Finds the state broken, whatever it is.
#[derive(Debug)]
struct Alarm;

impl Command for Alarm {
    fn method(&self) -> &'static str {
        "Alarm"
    }

    fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(Vec::new())
    }

    fn footprint(&self, _context: &Context, _facts: &Facts, _needs: &mut Footprint) {}

    fn decide(&self, _context: &Context, _world: &World) -> Decision {
        Decision::refuse(Rejection::new(Reason::Internal, "a balance below zero"))
    }
}

#[tokio::test]
async fn a_broken_invariant_takes_its_whole_batch_back() {
    let bench = Bench::new(options());
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let neighbour = bench.submit(bench.envelope("neighbour")).await;
    let alarm = bench.submit(bench.envelope_of(&operator(), Alarm)).await;
    bench.store.open();
    first.await.unwrap().unwrap();
    assert_eq!(bench.running.broken().await, "a balance below zero");
    for call in [neighbour, alarm] {
        let failure = call.await.unwrap().unwrap_err();
        assert!(matches!(failure, Failure::Store(StoreError::Broken(_))), "{failure:?}");
    }
    assert_eq!(bench.store.batches(), [1, 2]);
    assert!(bench.has_partner("first").await && !bench.has_partner("neighbour").await);
}

/// Looks, when its command is answered, whether the engine is known to be broken.
struct Look {
    broken: watch::Receiver<Option<String>>,
    seen: Arc<OnceLock<bool>>,
}

impl Drop for Look {
    fn drop(&mut self) {
        let _ = self.seen.set(self.broken.borrow().is_some());
    }
}

#[tokio::test]
async fn a_broken_invariant_is_known_before_its_callers_are_answered_and_after_the_drain() {
    let bench = Bench::new(options());
    bench.store.fail_next(StoreError::Broken("a balance below zero".to_owned()));
    let (broken, seen) = (bench.running.is_broken(), Arc::new(OnceLock::new()));
    let look = Look { broken: broken.clone(), seen: Arc::clone(&seen) };
    let call = bench.submit_keeping(bench.envelope("first"), Some(Arc::new(look))).await;
    bench.store.arrived(1).await;
    assert_eq!((seen.get(), broken.borrow().as_deref()), (None, None));
    bench.store.open();
    bench.running.drain().await;
    call.await.unwrap().unwrap_err();
    assert_eq!(seen.get(), Some(&true), "its caller was answered by an engine that seemed sound");
    assert_eq!(broken.borrow().as_deref(), Some("a balance below zero"));
}

#[tokio::test]
async fn the_sweeper_ends_holds_whose_time_is_over_and_nothing_else() {
    let clock = Clock::default();
    let hub = Hub::new(MemoryStore::new(clock.reader()), clock.clone());
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let over = hub.prepare(&scene.airline, scene.wish("60")).await;
    clock.move_by(200);
    let live = hub.prepare(&scene.airline, scene.wish("40")).await;
    clock.move_by(101);
    let sweeping = Options { sweep_interval: Duration::from_millis(5), ..options() };
    let bench = Bench::on(hub.store, hub.script, sweeping);
    bench.store.open();
    let state = async |id| bench.store.exchange(&Scope::All, id).await.unwrap().unwrap().0.exchange.state;
    until("the hold is swept", async || state(over).await == ReservationState::Expired).await;
    assert_eq!(state(live).await, ReservationState::Prepared);
    let (account, _) = bench.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.held), (100, 40));
    bench.running.drain().await;
}

/// Holds that so many holds that are over all end by the sweeper's first tick with these options.
async fn all_are_swept(holds: usize, sweeping: Options) {
    let clock = Clock::default();
    let hub = Hub::new(MemoryStore::new(clock.reader()), clock.clone());
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let mut over = Vec::new();
    for _ in 0..holds {
        over.push(hub.prepare(&scene.airline, scene.wish("10")).await);
    }
    clock.move_by(3_600);
    let bench = Bench::on(hub.store, hub.script, sweeping);
    // Time for whoever would be shed to be shed, before anything is written.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    bench.store.open();
    let open = async || {
        let mut open = 0;
        for id in &over {
            let exchange = bench.store.exchange(&Scope::All, *id).await.unwrap().unwrap().0.exchange;
            open += usize::from(!exchange.state.is_final());
        }
        open
    };
    until("everything is swept", async || open().await == 0).await;
    bench.running.drain().await;
}

#[tokio::test]
async fn what_is_due_in_masses_does_not_wait_for_a_tick_each_time() {
    all_are_swept(7, Options { sweep_items_max: 2, ..options() }).await;
}

#[tokio::test]
async fn what_time_asks_for_is_not_shed_by_a_full_queue() {
    all_are_swept(7, Options { queue_commands_max: 1, batch_commands_max: 1, ..options() }).await;
}
