//! Random and almost valid bytes to every method, as every kind of caller.
//!
//! After each method the database is looked at: nothing was written unless a write was served, and as many effects are
//! remembered as were served. The seed is printed; [`SEED`] takes another.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost_reflect::DynamicMessage;
use tokio::task::JoinSet;

use crate::catalog::{Method, methods};
use crate::dice::Dice;
use crate::form::{Form, form};
use crate::judge;
use crate::line::Line;
use crate::mutants::mutant;
use crate::stage::{CALLERS, MARKET, OPERATOR, Stage};
use crate::state::Witness;
use crate::valid;

/// Names the seed of a run, to repeat it.
const SEED: &str = "POINTBRIDGE_HOSTILE_SEED";
const SEED_DEFAULT: u64 = 20_261_122;
/// How many calls of one method are under way at a time; below what a connection and a partner may have.
const AT_A_TIME: usize = 24;

/// How much of a message is shown where its answer is wrong.
const SHOWN_BYTES_MAX: usize = 256;

/// How many messages each method gets.
fn rounds() -> usize {
    match form() {
        Form::Short => 300,
        Form::Long => 100_000,
    }
}

/// One message to send.
struct Shot {
    caller: &'static str,
    line: Line,
    path: Arc<str>,
    bytes: Vec<u8>,
}

/// A write that was served: by whom, and under which request id.
type Effect = (&'static str, String);

impl Shot {
    /// Sends it; answers with the request id where a write took effect.
    async fn fire(self, method: Arc<Method>) -> (bool, Option<Effect>) {
        let what = || format!("{} as {} with {}", self.path, self.caller, shown(&self.bytes));
        let answer = judge::call(&self.line, &self.path, &self.bytes, &what).await;
        if !answer.is_ok() {
            return (false, None);
        }
        let message = DynamicMessage::decode(method.input.clone(), self.bytes.as_slice())
            .unwrap_or_else(|error| panic!("{} was served and is no message: {error}", what()));
        let text = |name| message.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned));
        let is_pretended = message.get_field_by_name("validate_only").and_then(|value| value.as_bool());
        let effect = text("request_id").filter(|_| is_pretended == Some(false));
        (true, effect.map(|id| (self.caller, id)))
    }
}

/// The beginning of a message, for people; the seed brings all of it back.
fn shown(bytes: &[u8]) -> String {
    let begin = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    format!("{} bytes: {}", bytes.len(), data_encoding::HEXLOWER.encode(begin))
}

/// Sends a method its share; answers with how many calls were served, and which effects they had.
async fn storm(
    stage: &Stage,
    lines: &[(&'static str, Line)],
    method: &Method,
    dice: &mut Dice,
) -> (usize, BTreeSet<Effect>) {
    let path: Arc<str> = method.path.as_str().into();
    let shared = Arc::new(method.clone());
    let (mut served, mut effects) = (0, BTreeSet::new());
    let mut under_way = JoinSet::new();
    let mut take = |(is_served, effect): (bool, Option<Effect>)| {
        served += usize::from(is_served);
        effects.extend(effect);
    };
    for round in 0..rounds() {
        let valid = valid::bytes(stage, dice, &method.input);
        let bytes = mutant(dice, &valid);
        // The market is the caller of most: it has something to lose.
        let (caller, line) = if round % 2 == 0 { &lines[0] } else { &lines[round / 2 % lines.len()] };
        let shot = Shot { caller, line: line.clone(), path: Arc::clone(&path), bytes };
        under_way.spawn(shot.fire(Arc::clone(&shared)));
        if under_way.len() >= AT_A_TIME {
            take(under_way.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(ended) = under_way.join_next().await {
        take(ended.unwrap());
    }
    (served, effects)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_any_kind_get_a_fair_answer_and_change_nothing_that_they_may_not() {
    let seed = std::env::var(SEED).map_or(SEED_DEFAULT, |text| text.parse().expect(SEED));
    let mut stage = Stage::open().await;
    let mut dice = Dice::new(seed);
    let mut lines = Vec::new();
    for caller in CALLERS {
        lines.push((caller, stage.identity(caller).line().await));
    }
    assert_eq!((lines[0].0, lines[3].0), (MARKET, OPERATOR));
    let mut witness = Witness::of(&stage.hub.data.database()).await;
    let (mut sent, mut served_in_all, mut written) = (0, 0, 0);
    for method in methods() {
        let before = witness.look().await;
        let (served, effects) = storm(&stage, &lines, &method, &mut dice).await;
        let after = witness.look().await;
        if effects.is_empty() {
            after.assert_unchanged_since(before, &method.path);
        }
        assert_eq!(after.requests - before.requests, effects.len(), "{}: effects", method.path);
        stage.hub.assert_sound();
        (sent, served_in_all, written) = (sent + rounds(), served_in_all + served, written + effects.len());
        println!("{:60} {served:6} of {} served, {} effects", method.path, rounds(), effects.len());
    }
    println!(
        "seed {seed}: {sent} messages, {served_in_all} served, {written} effects, peak {} MiB",
        stage.hub.peak_mib()
    );
    // Were all refused, the rules behind the first look would have seen nothing.
    assert!(served_in_all > sent / 100 && written > 0, "almost nothing was served: the mutants prove little");
    witness.leave().await;
    stage.hub.settle().await;
}
