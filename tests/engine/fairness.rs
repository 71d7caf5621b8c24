//! Parties beside each other: none keeps another one waiting, whatever it does, and none loses its own order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pointbridge_core::caller::Caller;
use pointbridge_core::command::{Answer, Command, Context, Decision, Envelope};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::world::{Changes, Facts, Footprint, World};
use pointbridge_engine::{Failure, Kept, Options};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::code;
use pointbridge_tests::memory::MemoryStore;
use pointbridge_tests::scene::company;
use pointbridge_tests::script::{Script, operator, run_once, till};
use proptest::prelude::*;
use tokio::task::JoinHandle;

use crate::batches::{Bench, Got, names, options};
use crate::gated::Callers;

/// Those who ask.
const PARTNERS: &[&str] = &["flooder", "modest", "stubborn", "party-0", "party-1", "party-2", "party-3"];

fn partner(name: &str) -> Caller {
    till(&code(name))
}

/// Has a partner ask for the creation of companies with these names.
async fn ask_for(bench: &Bench, caller: &Caller, names: &[String]) -> Vec<JoinHandle<Got>> {
    let mut calls = Vec::new();
    for name in names {
        calls.push(bench.submit(bench.envelope_of(caller, company(name))).await);
    }
    calls
}

/// A bench with these partners, whose writer stands at the gate with a command of the operator's.
async fn busy(partners: &[&str], options: Options) -> (Bench, JoinHandle<Got>) {
    let (store, script) = (MemoryStore::new(Clock::default().reader()), Script::default());
    let registered: Vec<_> = partners.iter().map(|name| script.ask(&operator(), company(name))).collect();
    run_once(&store, &registered).await.unwrap();
    let bench = Bench::on(store, script, options);
    let first = bench.submit(bench.envelope("first")).await;
    bench.store.arrived(1).await;
    (bench, first)
}

/// Why a command is refused that must be refused at once: before a closed gate, it would else wait for ever.
async fn refused_at_once(bench: &Bench, envelope: Envelope) -> Failure {
    tokio::select! {
        biased;
        got = bench.engine.submit(envelope) => got.unwrap_err(),
        () = tokio::task::yield_now() => panic!("the command was let in"),
    }
}

fn callers(of: &[(&str, usize)]) -> Callers {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn named(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

#[tokio::test]
async fn a_partners_only_write_is_in_the_next_batch_however_many_another_one_has_waiting() {
    let (bench, first) = busy(PARTNERS, Options { batch_commands_max: 8, ..options() }).await;
    let flood = ask_for(&bench, &partner("flooder"), &names(100)).await;
    let single = ask_for(&bench, &partner("modest"), &named("single", 1)).await;
    bench.store.open();
    first.await.unwrap().unwrap();
    for call in single.into_iter().chain(flood) {
        call.await.unwrap().unwrap();
    }
    let batches = bench.store.callers();
    assert_eq!(batches[1], callers(&[("flooder", 7), ("modest", 1)]), "{batches:?}");
    assert_eq!(bench.store.batches()[1..13], [8; 12], "nobody waits while there is room");
}

#[tokio::test]
async fn a_batch_is_shared_in_turns_and_the_next_one_goes_on_where_it_stopped() {
    let (bench, first) = busy(PARTNERS, Options { batch_commands_max: 4, ..options() }).await;
    let mut calls = Vec::new();
    for name in ["party-0", "party-1", "party-2"] {
        calls.extend(ask_for(&bench, &partner(name), &named(name, 4)).await);
    }
    bench.store.open();
    first.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let expected = [
        callers(&[("party-0", 2), ("party-1", 1), ("party-2", 1)]),
        callers(&[("party-0", 1), ("party-1", 2), ("party-2", 1)]),
        callers(&[("party-0", 1), ("party-1", 1), ("party-2", 2)]),
    ];
    assert_eq!(bench.store.callers()[1..], expected);
}

#[tokio::test]
async fn a_party_has_so_many_places_and_no_more_and_the_others_still_have_theirs() {
    let bounds = Options { queue_commands_max: 12, queue_commands_per_party_max: 8, ..options() };
    let (bench, first) = busy(PARTNERS, bounds).await;
    let flood = ask_for(&bench, &partner("flooder"), &names(8)).await;
    let refused = bench.envelope_of(&partner("flooder"), company("one-more"));
    assert_eq!(refused_at_once(&bench, refused).await, Failure::Overloaded);
    let modest = ask_for(&bench, &partner("modest"), &named("modest", 4)).await;
    bench.store.open();
    first.await.unwrap().unwrap();
    for call in flood.into_iter().chain(modest) {
        call.await.unwrap().unwrap();
    }
    assert!(!bench.has_partner("one-more").await, "what was refused was not done");
}

#[tokio::test]
async fn where_no_room_is_left_the_longest_line_gives_up_its_newest_for_a_shorter_one() {
    let bounds = Options { queue_commands_max: 6, queue_commands_per_party_max: 6, ..options() };
    let (bench, first) = busy(PARTNERS, bounds).await;
    let mut flood = ask_for(&bench, &partner("flooder"), &named("flood", 6)).await;
    let modest = ask_for(&bench, &partner("modest"), &named("modest", 3)).await;
    // Three each: nobody has more than another one, so that nobody has anything to give up.
    let late = bench.envelope_of(&partner("modest"), company("late"));
    assert_eq!(refused_at_once(&bench, late).await, Failure::Overloaded);
    bench.store.open();
    for shed in flood.split_off(3) {
        assert_eq!(shed.await.unwrap().unwrap_err(), Failure::Overloaded);
    }
    first.await.unwrap().unwrap();
    for call in flood.into_iter().chain(modest) {
        call.await.unwrap().unwrap();
    }
    for name in ["flood-3", "flood-4", "flood-5", "late"] {
        assert!(!bench.has_partner(name).await, "{name} was refused and done");
    }
}

/// Decided again so many times, and refused then.
#[derive(Debug)]
struct Stubborn(AtomicU32);

impl Command for Stubborn {
    fn method(&self) -> &'static str {
        "Stubborn"
    }

    fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(Vec::new())
    }

    fn footprint(&self, _context: &Context, _facts: &Facts, _needs: &mut Footprint) {}

    fn decide(&self, _context: &Context, _world: &World) -> Decision {
        if self.0.load(Ordering::SeqCst) == 0 {
            return Decision::refuse(Rejection::new(Reason::Overflow, "decided often enough"));
        }
        self.0.fetch_sub(1, Ordering::SeqCst);
        Decision { changes: Changes::default(), answer: Answer::Rerun }
    }
}

#[tokio::test]
async fn decisions_that_are_made_again_and_again_keep_nobody_else_out() {
    let (bench, first) = busy(PARTNERS, Options { batch_commands_max: 8, ..options() }).await;
    let mut stubborn = Vec::new();
    for _ in 0..16 {
        let command = Stubborn(AtomicU32::new(20));
        stubborn.push(bench.submit(bench.envelope_of(&partner("stubborn"), command)).await);
    }
    bench.store.let_one_through();
    first.await.unwrap().unwrap();
    bench.store.arrived(2).await;
    bench.store.let_one_through();
    bench.store.arrived(3).await;
    let modest = ask_for(&bench, &partner("modest"), &named("modest", 1)).await;
    bench.store.open();
    for call in modest {
        call.await.unwrap().unwrap();
    }
    let batches = bench.store.callers();
    assert_eq!(batches[1], callers(&[("stubborn", 8)]), "all eight of them are decided again");
    assert_eq!(batches[3], callers(&[("modest", 1), ("stubborn", 7)]), "{batches:?}");
    for call in stubborn {
        let refused = call.await.unwrap().unwrap_err();
        assert!(matches!(&refused, Failure::Refused(why) if why.reason == Reason::Overflow), "{refused:?}");
    }
}

#[tokio::test]
async fn what_a_caller_holds_is_kept_until_its_command_is_answered_even_if_it_went_away() {
    let (bench, first) = busy(PARTNERS, options()).await;
    let place = Arc::new(());
    let kept = || -> Option<Kept> { Some(place.clone()) };
    let envelope = bench.envelope("waiting");
    let call = bench.submit_keeping(envelope, kept()).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&place), 2, "whoever cancels has its place back before the write is done");
    bench.store.open();
    first.await.unwrap().unwrap();
    // Behind the one that was waiting.
    bench.engine.submit(bench.envelope("last")).await.unwrap();
    assert_eq!(Arc::strong_count(&place), 1);
    let refused = bench.engine.submit_keeping(bench.envelope("last"), kept()).await;
    assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
    assert_eq!(Arc::strong_count(&place), 1, "an answer gives the place back first");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whoever asks in whatever order: each party's commands are done in its own order, each batch is as full as it can be,
    /// and no party has two more in a batch than another one that still waits.
    #[test]
    fn every_order_of_arrival_is_served_in_turns(arrivals in prop::collection::vec(0_usize..4, 1..60), batch in 1_usize..9) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (bench, first) = busy(PARTNERS, Options { batch_commands_max: batch, ..options() }).await;
            let (mut calls, mut asked) = (Vec::new(), [0; 4]);
            for who in &arrivals {
                // Every name is asked for twice, and had by the first of the two alone.
                let (name, is_first) = (format!("made-{who}-{}", asked[*who] / 2), asked[*who] % 2 == 0);
                asked[*who] += 1;
                let envelope = bench.envelope_of(&partner(&format!("party-{who}")), company(&name));
                calls.push((is_first, bench.submit(envelope).await));
            }
            bench.store.open();
            first.await.unwrap().unwrap();
            for (is_first, call) in calls {
                assert_eq!(call.await.unwrap().is_ok(), is_first, "a party's commands changed their order");
            }
            let batches = bench.store.callers();
            let mut left: Callers = Callers::new();
            for who in &arrivals {
                *left.entry(format!("party-{who}")).or_default() += 1;
            }
            for share in &batches[1..] {
                let size: usize = share.values().sum();
                let waiting: usize = left.values().sum();
                assert_eq!(size, waiting.min(batch), "{batches:?}");
                for (party, count) in share {
                    *left.get_mut(party).unwrap() -= count;
                }
                left.retain(|_, count| *count > 0);
                let most = share.values().copied().max().unwrap_or_default();
                for party in left.keys() {
                    let got = share.get(party).copied().unwrap_or_default();
                    assert!(got + 1 >= most, "{party} has {got} where another has {most}: {batches:?}");
                }
            }
            assert!(left.is_empty());
        });
    }
}
