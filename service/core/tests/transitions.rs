//! Every state of an exchange, every event, before, at and after the end of its hold: as functions and as commands.
//!
//! A line is a state and an event (and who sends it); its three columns are what happens one microsecond before the hold
//! is over, in that microsecond, and an hour later.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use fixture::{Scene, reason, shifted};
use pointbridge_core::command::{AbortExchange, Answer, CommitExchange, ExpireExchange};
use pointbridge_core::exchange::{
    self, Exchange, Phase, ReservationState,
    ReservationState::{Aborted, Committed, Expired, Pending, Prepared},
};
use pointbridge_core::rejection::Rejection;
use pointbridge_core::time::Timestamp;

/// What happens, in words: the state that the exchange moves to, `same` where it is so already, `-` where there is nothing
/// to do, or the reason of the refusal.
type Columns = [&'static str; 3];

fn moments(exchange: &Exchange) -> [Timestamp; 3] {
    let end = exchange.hold_expires_at;
    [Timestamp::from_micros(end.micros() - 1).unwrap(), end, shifted(end, 3600)]
}

/// An exchange that came to a state in the way that leads there; a hosted one is put back to PENDING by hand.
fn scene_in(state: ReservationState) -> (Scene, Exchange) {
    let mut scene = Scene::with_points();
    let prepared = scene.prepared(1000);
    let exchange_id = prepared.exchange_id;
    let (airline, reason) = (scene.airline.clone(), reason("ORDER_CANCELLED"));
    match state {
        Pending => scene.bend_exchange(exchange_id, |exchange| exchange.state = Pending),
        Prepared => {}
        Committed => drop(scene.done(&airline, CommitExchange { exchange_id })),
        Aborted => drop(scene.done(&airline, AbortExchange { exchange_id, reason })),
        Expired => {
            scene.set_now(prepared.hold_expires_at);
            let answer = scene.sweep(ExpireExchange { exchange_id });
            assert!(matches!(answer, Answer::Done(_)), "{answer:?}");
        }
    }
    let exchange = scene.world.exchanges[&exchange_id].exchange().unwrap().clone();
    assert_eq!(exchange.state, state);
    (scene, exchange)
}

fn words(phase: Result<Phase, Rejection>, now: Timestamp) -> &'static str {
    match phase {
        Ok(Phase::Already) => "same",
        Ok(Phase::Moves(moved)) => {
            assert_eq!(moved.decided_at, Some(now), "a final state has its moment");
            moved.state.as_str()
        }
        Err(rejection) => rejection.reason.as_str(),
    }
}

#[test]
fn every_state_takes_every_event_as_the_table_says() {
    let abort = |exchange: &Exchange, now| exchange::abort(exchange, &reason("ORDER_CANCELLED"), now);
    #[rustfmt::skip]
    let lines: [(ReservationState, &str, Columns); 15] = [
        (Pending,   "commit", ["COMMITTED",             "HOLD_EXPIRED",          "HOLD_EXPIRED"]),
        (Pending,   "abort",  ["ABORTED",               "HOLD_EXPIRED",          "HOLD_EXPIRED"]),
        (Pending,   "expire", ["-",                     "EXPIRED",               "EXPIRED"]),
        (Prepared,  "commit", ["COMMITTED",             "HOLD_EXPIRED",          "HOLD_EXPIRED"]),
        (Prepared,  "abort",  ["ABORTED",               "HOLD_EXPIRED",          "HOLD_EXPIRED"]),
        (Prepared,  "expire", ["-",                     "EXPIRED",               "EXPIRED"]),
        (Committed, "commit", ["same",                  "same",                  "same"]),
        (Committed, "abort",  ["RESERVATION_COMMITTED", "RESERVATION_COMMITTED", "RESERVATION_COMMITTED"]),
        (Committed, "expire", ["-",                     "-",                     "-"]),
        (Aborted,   "commit", ["RESERVATION_ABORTED",   "RESERVATION_ABORTED",   "RESERVATION_ABORTED"]),
        (Aborted,   "abort",  ["same",                  "same",                  "same"]),
        (Aborted,   "expire", ["-",                     "-",                     "-"]),
        (Expired,   "commit", ["HOLD_EXPIRED",          "HOLD_EXPIRED",          "HOLD_EXPIRED"]),
        (Expired,   "abort",  ["HOLD_EXPIRED",          "HOLD_EXPIRED",          "HOLD_EXPIRED"]),
        (Expired,   "expire", ["-",                     "-",                     "-"]),
    ];
    for (state, event, expected) in lines {
        let (_, exchange) = scene_in(state);
        let found = moments(&exchange).map(|now| match event {
            "commit" => words(exchange::commit(&exchange, now).map_err(Rejection::from), now),
            "abort" => words(abort(&exchange, now).map_err(Rejection::from), now),
            _ => exchange::expire(&exchange, now)
                .map_or("-", |expired| words(Ok(Phase::Moves(Box::new(expired))), now)),
        });
        assert_eq!(found, expected, "{state:?} {event}");
    }
    assert_eq!(ReservationState::ALL.len() * 3, lines.len(), "a line for every state and event");
}

/// What a command comes to, and the state that the world has afterwards.
fn send(scene: &Scene, exchange: &Exchange, event: &str, who: &str, now: Timestamp) -> &'static str {
    let mut scene = scene.clone();
    scene.set_now(now);
    let exchange_id = exchange.exchange_id;
    let caller = match who {
        "initiator" => scene.airline.clone(),
        "other" => scene.market.clone(),
        _ => scene.baby.clone(),
    };
    let before = scene.world.exchanges[&exchange_id].clone();
    let answer = match event {
        "commit" => scene.send(&caller, CommitExchange { exchange_id }),
        "abort" => scene.send(&caller, AbortExchange { exchange_id, reason: reason("CHANGED_MIND") }),
        _ => scene.sweep(ExpireExchange { exchange_id }),
    };
    let after = scene.world.exchanges[&exchange_id].clone();
    let changed = before != after;
    match answer {
        Answer::Done(record) => {
            assert_eq!(record, after, "the answer is the exchange's last record");
            let state = record.exchange().unwrap().state;
            if changed { state.as_str() } else { "same" }
        }
        Answer::Idle => {
            assert!(!changed);
            "-"
        }
        Answer::Refused(rejection) => {
            assert!(!changed, "a refusal changes nothing");
            rejection.reason.as_str()
        }
        Answer::Rerun => panic!("nothing was overtaken"),
    }
}

const NOT_FOUND: Columns = ["EXCHANGE_NOT_FOUND"; 3];
const NOT_ALLOWED: Columns = ["ROLE_NOT_ALLOWED"; 3];
const OVER: Columns = ["HOLD_EXPIRED"; 3];
const SAME: Columns = ["same"; 3];
const NOTHING: Columns = ["-"; 3];
const IS_COMMITTED: Columns = ["RESERVATION_COMMITTED"; 3];
const IS_ABORTED: Columns = ["RESERVATION_ABORTED"; 3];

#[rustfmt::skip]
const BY_COMMAND: [(ReservationState, &str, &str, Columns); 35] = [
    (Pending,   "commit", "initiator", ["COMMITTED", "HOLD_EXPIRED", "HOLD_EXPIRED"]),
    (Pending,   "commit", "other",     NOT_ALLOWED),
    (Pending,   "commit", "stranger",  NOT_FOUND),
    (Pending,   "abort",  "initiator", ["ABORTED", "HOLD_EXPIRED", "HOLD_EXPIRED"]),
    (Pending,   "abort",  "other",     ["ABORTED", "HOLD_EXPIRED", "HOLD_EXPIRED"]),
    (Pending,   "abort",  "stranger",  NOT_FOUND),
    (Pending,   "expire", "hub",       ["-", "EXPIRED", "EXPIRED"]),
    (Prepared,  "commit", "initiator", ["COMMITTED", "HOLD_EXPIRED", "HOLD_EXPIRED"]),
    (Prepared,  "commit", "other",     NOT_ALLOWED),
    (Prepared,  "commit", "stranger",  NOT_FOUND),
    (Prepared,  "abort",  "initiator", ["ABORTED", "HOLD_EXPIRED", "HOLD_EXPIRED"]),
    (Prepared,  "abort",  "other",     ["ABORTED", "HOLD_EXPIRED", "HOLD_EXPIRED"]),
    (Prepared,  "abort",  "stranger",  NOT_FOUND),
    (Prepared,  "expire", "hub",       ["-", "EXPIRED", "EXPIRED"]),
    (Committed, "commit", "initiator", SAME),
    (Committed, "commit", "other",     NOT_ALLOWED),
    (Committed, "commit", "stranger",  NOT_FOUND),
    (Committed, "abort",  "initiator", IS_COMMITTED),
    (Committed, "abort",  "other",     IS_COMMITTED),
    (Committed, "abort",  "stranger",  NOT_FOUND),
    (Committed, "expire", "hub",       NOTHING),
    (Aborted,   "commit", "initiator", IS_ABORTED),
    (Aborted,   "commit", "other",     NOT_ALLOWED),
    (Aborted,   "commit", "stranger",  NOT_FOUND),
    (Aborted,   "abort",  "initiator", SAME),
    (Aborted,   "abort",  "other",     SAME),
    (Aborted,   "abort",  "stranger",  NOT_FOUND),
    (Aborted,   "expire", "hub",       NOTHING),
    (Expired,   "commit", "initiator", OVER),
    (Expired,   "commit", "other",     NOT_ALLOWED),
    (Expired,   "commit", "stranger",  NOT_FOUND),
    (Expired,   "abort",  "initiator", OVER),
    (Expired,   "abort",  "other",     OVER),
    (Expired,   "abort",  "stranger",  NOT_FOUND),
    (Expired,   "expire", "hub",       NOTHING),
];

#[test]
fn every_command_does_what_its_sender_may() {
    for state in ReservationState::ALL {
        let (scene, exchange) = scene_in(state);
        for (_, event, who, expected) in BY_COMMAND.iter().filter(|(of, ..)| *of == state) {
            let found = moments(&exchange).map(|now| send(&scene, &exchange, event, who, now));
            assert_eq!(found, *expected, "{state:?} {event} by the {who}");
        }
    }
}

#[test]
fn a_hold_lasts_as_long_as_the_terms_say() {
    let (_, exchange) = scene_in(Prepared);
    assert_eq!(exchange.hold_expires_at, shifted(exchange.prepared_at, 300));
}

#[test]
fn of_all_that_ends_an_exchange_in_one_batch_exactly_one_wins() {
    let lines = [
        (0, ["commit", "expire", "abort"], Committed),
        (0, ["expire", "abort", "commit"], Aborted),
        (0, ["abort", "commit", "expire"], Aborted),
        (1, ["commit", "abort", "expire"], Expired),
        (1, ["expire", "commit", "abort"], Expired),
    ];
    for (moment, order, state) in lines {
        let (mut scene, exchange) = scene_in(Prepared);
        let exchange_id = exchange.exchange_id;
        scene.set_now(moments(&exchange)[moment]);
        let airline = scene.airline.clone();
        let batch = order.map(|event| match event {
            "commit" => scene.envelope(&airline, CommitExchange { exchange_id }),
            "abort" => scene.envelope(&airline, AbortExchange { exchange_id, reason: reason("LATE") }),
            _ => scene.of_time(ExpireExchange { exchange_id }),
        });
        let (changes, answers) = scene.decide(&batch);
        let done = answers.iter().filter(|answer| matches!(answer, Answer::Done(_))).count();
        assert_eq!((done, changes.ended.len(), changes.records.len()), (1, 1, 1), "{order:?}: {answers:?}");
        assert_eq!(changes.ended.get(&exchange_id).unwrap().state, state, "{order:?}");
        assert_eq!(scene.world.live_holds.values().sum::<i64>(), 0, "the hold was given back once");
    }
}
