//! How commands become batches, and what a full queue does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pointbridge_client::Refusal;
use pointbridge_core::caller::Caller;
use pointbridge_core::command::{Command, Envelope};
use pointbridge_core::record::Record;
use pointbridge_core::rejection::Reason;
use pointbridge_engine::{Engine, Failure, Kept, Options, Running, start};
use pointbridge_store::{Scope, Views};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::{Hub, code, preparation};
use pointbridge_tests::memory::MemoryStore;
use pointbridge_tests::scene::company;
use pointbridge_tests::script::{Script, operator, till};
use tokio::task::JoinHandle;
use tonic::Code;

use crate::gated::{Gated, until};

/// An engine before a closed gate.
pub(crate) struct Bench {
    pub(crate) store: Arc<Gated>,
    pub(crate) engine: Engine,
    pub(crate) running: Running,
    script: Arc<Script>,
    handed_over: Arc<AtomicUsize>,
}

/// What a caller gets.
pub(crate) type Got = Result<Arc<Record>, Failure>;

/// The engine's options for tests: nothing is swept by itself.
pub(crate) fn options() -> Options {
    Options { sweep_interval: Duration::from_hours(1), ..Options::new(Arc::new(pointbridge::hub::draw_seed)) }
}

impl Bench {
    /// An engine on an empty store.
    pub(crate) fn new(options: Options) -> Self {
        Self::on(MemoryStore::new(Clock::default().reader()), Script::default(), options)
    }

    /// An engine on a store that a script has filled.
    pub(crate) fn on(store: MemoryStore, script: Script, options: Options) -> Self {
        let store = Arc::new(Gated::closed(store));
        let (engine, running) = start(Arc::clone(&store), options);
        Self { store, engine, running, script: Arc::new(script), handed_over: Arc::default() }
    }

    /// An envelope with a request id of its own.
    pub(crate) fn envelope(&self, name: &str) -> Envelope {
        self.envelope_of(&operator(), company(name))
    }

    /// A caller's command, with a request id of its own.
    pub(crate) fn envelope_of(&self, caller: &Caller, command: impl Command + 'static) -> Envelope {
        Arc::into_inner(self.script.ask(caller, command)).unwrap()
    }

    /// Has a caller submit a command, and waits until it stands in the queue.
    pub(crate) async fn submit(&self, envelope: Envelope) -> JoinHandle<Got> {
        self.submit_keeping(envelope, None).await
    }

    /// The same, with something to be kept until the command is answered.
    pub(crate) async fn submit_keeping(&self, envelope: Envelope, kept: Option<Kept>) -> JoinHandle<Got> {
        let (engine, count) = (self.engine.clone(), Arc::clone(&self.handed_over));
        let before = count.load(Ordering::SeqCst);
        let call = tokio::spawn(async move {
            // The queue is reached before the first wait, and nothing else runs on this thread meanwhile.
            count.fetch_add(1, Ordering::SeqCst);
            engine.submit_keeping(envelope, kept).await
        });
        until("the command is handed over", async || self.handed_over.load(Ordering::SeqCst) > before).await;
        call
    }

    /// Submits the creation of partners `first`…, one after the other.
    pub(crate) async fn submit_all(&self, names: &[String]) -> Vec<JoinHandle<Got>> {
        let mut calls = Vec::new();
        for name in names {
            calls.push(self.submit(self.envelope(name)).await);
        }
        calls
    }

    pub(crate) async fn has_partner(&self, name: &str) -> bool {
        self.store.partner(&Scope::All, &code(name)).await.unwrap().is_some()
    }
}

/// Names of partners.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("partner-{number}")).collect()
}

#[tokio::test]
async fn a_lone_command_is_a_batch_of_one_and_does_not_wait_for_others() {
    let bench = Bench::new(options());
    bench.store.open();
    let record = bench.engine.submit(bench.envelope("airline")).await.unwrap();
    assert_eq!(record.parties, [code("airline")]);
    assert_eq!(bench.store.batches(), [1]);
}

#[tokio::test]
async fn what_arrives_while_a_batch_is_written_is_the_next_batch() {
    let bench = Bench::new(options());
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let calls = bench.submit_all(&names(50)).await;
    bench.store.open();
    first.await.unwrap().unwrap();
    for (call, name) in calls.into_iter().zip(names(50)) {
        assert_eq!(call.await.unwrap().unwrap().parties, [code(&name)], "every caller gets its own answer");
    }
    assert_eq!(bench.store.batches(), [1, 50]);
}

#[tokio::test]
async fn a_batch_has_at_most_as_many_commands_as_it_may_in_the_order_of_their_arrival() {
    let bench = Bench::new(Options { batch_commands_max: 8, ..options() });
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let calls = bench.submit_all(&names(20)).await;
    bench.store.open();
    let mut ids = vec![first.await.unwrap().unwrap().record_id];
    for call in calls {
        ids.push(call.await.unwrap().unwrap().record_id);
    }
    assert_eq!(bench.store.batches(), [1, 8, 8, 4]);
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn one_refused_command_does_not_sink_its_batch() {
    let bench = Bench::new(options());
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let calls = [
        bench.submit(bench.envelope("airline")).await,
        bench.submit(bench.envelope("airline")).await,
        bench.submit(bench.envelope("market")).await,
    ];
    bench.store.open();
    first.await.unwrap().unwrap();
    let [airline, again, market] = calls;
    airline.await.unwrap().unwrap();
    match again.await.unwrap() {
        Err(Failure::Refused(refusal)) => assert_eq!(refusal.reason, Reason::PartnerExists),
        other => panic!("a code was given twice: {other:?}"),
    }
    market.await.unwrap().unwrap();
    assert_eq!(bench.store.batches(), [1, 3]);
}

#[tokio::test]
async fn of_a_hundred_prepares_in_one_batch_as_many_pass_as_there_are_points() {
    let clock = Clock::default();
    let hub = Hub::new(MemoryStore::new(clock.reader()), clock);
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "60").await;
    let mut envelopes = Vec::new();
    for _ in 0..100 {
        let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
        envelopes.push(Arc::into_inner(hub.script.ask(&till(&scene.airline), preparation(claims))).unwrap());
    }
    let bench = Bench::on(hub.store, hub.script, options());
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let mut calls = Vec::new();
    for envelope in envelopes {
        calls.push(bench.submit(envelope).await);
    }
    bench.store.open();
    first.await.unwrap().unwrap();
    let mut passed = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => passed += 1,
            Err(Failure::Refused(refusal)) => assert_eq!(refusal.reason, Reason::InsufficientPoints),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((passed, bench.store.batches()), (60, vec![1, 100]));
}

#[tokio::test]
async fn a_full_queue_sheds_at_once_and_says_when_to_come_back() {
    let bench = Bench::new(Options { queue_commands_max: 4, ..options() });
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    let calls = bench.submit_all(&names(4)).await;
    let shed = bench.engine.submit(bench.envelope("late")).await.unwrap_err();
    assert_eq!(shed, Failure::Overloaded);
    let told = Refusal::from(&pointbridge::status::of_failure(&shed));
    assert_eq!((told.code, told.reason.as_str()), (Code::Unavailable, "OVERLOADED"));
    assert!(told.retry_after.is_some_and(|after| !after.is_zero()), "{told:?}");
    bench.store.open();
    first.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(!bench.has_partner("late").await, "what was shed was not done");
    bench.engine.submit(bench.envelope("late")).await.unwrap();
}
