//! Every string field of every request, with every bad amount and every troubling text in it, in a request that is valid
//! otherwise.
//!
//! What a field's pattern lets through is the interface's promise, and told here by the pattern itself; what it does not let
//! through must be refused with the field's name. All of them go through the check that the hub uses, in this process; over
//! the wire go a share of them in the short form, and all in the long one. Names, which may be written in any script, must
//! come back as they were sent.

use std::sync::Arc;

use pointbridge_client::v1;
use pointbridge_proto::validate::violations;
use prost::Message;
use prost_reflect::DynamicMessage;
use regex::Regex;
use tokio::task::JoinSet;

use crate::amounts::{is_sound_but_for_its_sign, malformed, unfit};
use crate::asks;
use crate::catalog::{Method, Place, Rules, methods, rules, texts};
use crate::dice::Dice;
use crate::form::{Form, form};
use crate::judge;
use crate::line::{Answer, Line};
use crate::stage::{MARKET, OPERATOR, Stage};
use crate::state::Witness;
use crate::texts::troubling;
use crate::valid::{self, Fill, is_amount};

/// One text in so many goes over the wire in the short form; another share for each field.
const SHARE: usize = 16;
/// How many calls are under way at a time.
const AT_A_TIME: usize = 24;
/// How often a request is made anew until it has the place that is looked for: a oneof has it now and then only.
const TRIES_MAX: usize = 200;

/// Whether the rules beside a field let a text through.
struct Sieve {
    rules: Rules,
    pattern: Option<Regex>,
}

impl Sieve {
    fn of(place: &Place) -> Self {
        let rules = rules(place.field());
        let pattern = rules.pattern.as_deref().map(|pattern| Regex::new(pattern).unwrap());
        Self { rules, pattern }
    }

    fn passes(&self, text: &str) -> bool {
        let length = text.chars().count() as u64;
        let (least, most) = self.rules.length;
        let fits = length >= least && most.is_none_or(|most| length <= most);
        fits && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    fn is_amount(&self) -> bool {
        self.rules.pattern.as_deref().is_some_and(is_amount)
    }
}

/// A valid request that has the messages on the way to a place.
fn base(stage: &Stage, dice: &mut Dice, method: &Method, place: &Place) -> DynamicMessage {
    for _ in 0..TRIES_MAX {
        let message = valid::message(stage, dice, &method.input, Fill::Full);
        if place.is_reached(&message) {
            return message;
        }
    }
    panic!("{}: no request has the field {}", method.path, place.name());
}

/// The texts for a place.
fn bad_texts(sieve: &Sieve) -> Vec<String> {
    if sieve.is_amount() { malformed().into_iter().chain(unfit()).collect() } else { troubling() }
}

/// A request with one bad text in it.
struct Case {
    method: Arc<Method>,
    /// The field's name.
    place: String,
    text: String,
    /// Whether the field's rules let the text through.
    passes: bool,
    /// An absent field breaks no rule of its own where it may be absent.
    is_empty: bool,
    bytes: Vec<u8>,
}

/// Every case of every method.
fn cases(stage: &Stage, dice: &mut Dice) -> Vec<Case> {
    let mut all = Vec::new();
    for method in methods().into_iter().map(Arc::new) {
        for place in texts(&method.input) {
            let sieve = Sieve::of(&place);
            let message = base(stage, dice, &method, &place);
            for text in bad_texts(&sieve) {
                let mut message = message.clone();
                place.put(&mut message, &text);
                let (passes, bytes) = (sieve.passes(&text), message.encode_to_vec());
                let is_empty = text.is_empty();
                all.push(Case {
                    method: Arc::clone(&method),
                    place: place.name(),
                    text,
                    passes,
                    is_empty,
                    bytes,
                });
            }
        }
    }
    all
}

impl Case {
    fn describe(&self) -> String {
        format!("{} {} = {:?}", self.method.path, self.place, self.text.chars().take(80).collect::<String>())
    }

    /// Holds the check that the hub uses to what the field's rules say.
    fn assert_checked(&self) {
        let found = violations(self.method.input.full_name(), &self.bytes).unwrap();
        let named: Vec<&str> = found.named.iter().map(|violation| violation.field.as_str()).collect();
        if self.passes {
            assert_eq!(named, [""; 0], "{}", self.describe());
        } else if !self.is_empty {
            assert_eq!(named, [self.place.as_str()], "{}", self.describe());
        }
    }

    /// Holds the hub's answer to what the field's rules say.
    fn assert_answered(&self, answer: &Answer) {
        let refusal = answer.refusal();
        if self.passes || self.is_empty || refusal.is("ROLE_NOT_ALLOWED") {
            return;
        }
        assert!(!answer.is_ok(), "{}: served", self.describe());
        assert!(refusal.is("VALIDATION_FAILED"), "{}: {refusal:?}", self.describe());
        let named: Vec<&str> = refusal.violations.iter().map(|found| found.field.as_str()).collect();
        assert_eq!(named, [self.place.as_str()], "{}", self.describe());
        let told = format!("{} {:?} {:?}", refusal.message, refusal.metadata, refusal.violations);
        let is_telling = self.text.chars().count() > 3 && told.contains(&self.text);
        assert!(!is_telling, "{}: the refusal repeats what was sent", self.describe());
    }

    async fn send(self, line: Line) {
        let what = || self.describe();
        let answer = judge::call(&line, &self.method.path, &self.bytes, &what).await;
        self.assert_answered(&answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_field_takes_a_bad_amount_or_text_and_each_is_named() {
    let mut stage = Stage::open().await;
    let cases = cases(&stage, &mut Dice::new(1));
    let refused_by_rule = cases.iter().filter(|case| !case.passes).count();
    let places =
        cases.iter().map(|case| (&case.method.path, &case.place)).collect::<std::collections::BTreeSet<_>>();
    println!("{} fields, {} texts in them, {refused_by_rule} against the rules", places.len(), cases.len());
    for case in &cases {
        case.assert_checked();
    }
    let lines = [stage.identity(MARKET).line().await, stage.identity(OPERATOR).line().await];
    let mut witness = Witness::of(&stage.hub.data.database()).await;
    let before = witness.look().await;
    let share = if form() == Form::Long { 1 } else { SHARE };
    let (mut sent, mut under_way) = (0_usize, JoinSet::new());
    for (number, case) in cases.into_iter().enumerate().filter(|(number, _)| number % share == 0) {
        let by_operator =
            ["CreatePartner", "ListPartners"].iter().any(|name| case.method.path.ends_with(name));
        let line = &lines[usize::from(by_operator || number % (8 * share) == 0)];
        under_way.spawn(case.send(line.clone()));
        sent += 1;
        if under_way.len() >= AT_A_TIME {
            under_way.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = under_way.join_next().await {
        ended.unwrap();
    }
    println!("{sent} sent over the wire");
    witness.look().await.assert_unchanged_since(before, "writes that were only pretended");
    witness.leave().await;
    stage.hub.assert_sound();
    stage.hub.settle().await;
}

#[tokio::test]
async fn an_amount_of_the_right_form_that_does_not_fit_is_refused_at_its_field() {
    let stage = Stage::open().await;
    let market = stage.client(MARKET).await;
    let crane = stage.ids[1].clone();
    for text in unfit() {
        let answers = [
            market.ledger().accrue_points(asks::accrue(&stage.li, &text)).await.map(drop),
            market.ledger().adjust_points(asks::adjust(&stage.li, &format!("-{text}"))).await.map(drop),
            market.exchanges().quote_exchange(asks::quote(&stage.li, &crane, &text)).await.map(drop),
        ];
        for answer in answers {
            let refusal = pointbridge_client::Refusal::from(&answer.expect_err(&text));
            let reasons = ["AMOUNT_SCALE", "AMOUNT_OUT_OF_RANGE"];
            assert!(reasons.contains(&refusal.reason.as_str()), "{text}: {refusal:?}");
            let named = refusal
                .violations
                .iter()
                .any(|found| ["amount", "source_points"].contains(&found.field.as_str()));
            assert!(named, "{text}: {refusal:?}");
        }
    }
    stage.hub.settle().await;
}

#[tokio::test]
async fn a_name_in_any_script_comes_back_as_it_was_sent_and_any_other_is_refused() {
    let stage = Stage::open().await;
    let (operator, market) = (stage.client(OPERATOR).await, stage.client(MARKET).await);
    let update = methods().into_iter().find(|method| method.path.ends_with("/UpdatePartner")).unwrap();
    let place = texts(&update.input).into_iter().find(|place| place.name() == "name").unwrap();
    let sieve = Sieve::of(&place);
    let (mut kept, mut refused) = (0, 0);
    for name in troubling() {
        let answer = operator.partners().update_partner(asks::update_partner("market", &name)).await;
        assert_eq!(answer.is_ok(), sieve.passes(&name), "{name:?}: {answer:?}");
        if answer.is_err() {
            refused += 1;
            continue;
        }
        let request = v1::GetPartnerRequest { code: "market".to_owned() };
        let read = market.partners().get_partner(request).await.unwrap().into_inner().partner.unwrap();
        assert_eq!(read.name.as_bytes(), name.as_bytes());
        assert!(
            !name.chars().any(|letter| letter.is_control() || "\u{202e}\u{200b}\u{feff}".contains(letter))
        );
        kept += 1;
    }
    assert!(kept > 30 && refused > 300, "{kept} kept, {refused} refused");
    stage.hub.settle().await;
}

#[test]
fn an_amount_with_a_sign_is_let_through_only_where_signs_are() {
    let adjust = methods().into_iter().find(|method| method.path.ends_with("/AdjustPoints")).unwrap();
    let place = texts(&adjust.input).into_iter().find(|place| place.name() == "amount").unwrap();
    let let_through: Vec<String> =
        malformed().into_iter().filter(|text| Sieve::of(&place).passes(text)).collect();
    assert!(let_through.iter().all(|text| is_sound_but_for_its_sign(text)), "{let_through:?}");
    let accrue = methods().into_iter().find(|method| method.path.ends_with("/AccruePoints")).unwrap();
    let place = texts(&accrue.input).into_iter().find(|place| place.name() == "amount").unwrap();
    assert!(malformed().iter().all(|text| !Sieve::of(&place).passes(text)));
}
