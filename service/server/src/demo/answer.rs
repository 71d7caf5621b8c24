//! What came back from the hub, in a form that a step's expectation can be held against.
//!
//! Everything here is read from an answer of the hub. What is absent: the scenario's own numbers, which never get into
//! an answer and so never into the table.

use pointbridge_client::Refusal;
use pointbridge_client::v1::{Exchange, ExchangeState, Leg, Obligation};
use prost::Message;
use tonic::Status;

use super::script::Expected;

/// An answer: single facts by name, one phrase for people, and the bytes for comparing it with another answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    facts: Vec<(String, String)>,
    /// What the table shows.
    pub(super) phrase: String,
    /// The encoded answer.
    pub(super) bytes: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// The hub refused, or was not reached.
    Refused(Box<Refusal>),
    /// The scenario or the answer makes no sense: a name that nothing has, a field that is missing.
    Broken(anyhow::Error),
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(Refusal::from(&status)))
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

/// How a call ended.
pub(super) type Outcome = Result<Answer, Box<Refusal>>;

/// An outcome that is not the expected one, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) expected: String,
    pub(super) got: String,
}

impl Answer {
    /// An answer of which nothing is told yet.
    pub(super) fn of(message: &impl Message) -> Self {
        Self { facts: Vec::new(), phrase: String::new(), bytes: message.encode_to_vec() }
    }

    /// Tells a fact that expectations can name.
    pub(super) fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Sets what the table shows.
    pub(super) fn phrase(self, phrase: impl Into<String>) -> Self {
        Self { phrase: phrase.into(), ..self }
    }

    /// The value of a fact; `None` where the answer has none of that name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A message that the hub must always fill in.
pub(super) fn present<T>(part: Option<T>, name: &str) -> anyhow::Result<T> {
    part.ok_or_else(|| anyhow::anyhow!("the hub's answer has no {name}"))
}

/// Holds an outcome against what a step expects.
///
/// # Errors
/// They differ; the difference names every value that is not as expected.
pub(super) fn judge(expected: &Expected, outcome: &Outcome) -> Result<(), Difference> {
    match (expected, outcome) {
        (Expected::Refusal(reason), Err(refusal)) if refusal.is(reason) => Ok(()),
        (Expected::Refusal(reason), Err(refusal)) => {
            Err(Difference { expected: format!("a refusal {reason}"), got: format!("the refusal {refusal}") })
        }
        (Expected::Refusal(reason), Ok(answer)) => {
            Err(Difference { expected: format!("a refusal {reason}"), got: answer.phrase.clone() })
        }
        (Expected::Answer(facts), Err(refusal)) => {
            Err(Difference { expected: listed(facts), got: format!("the refusal {refusal}") })
        }
        (Expected::Answer(facts), Ok(answer)) => compare(facts, answer),
    }
}

fn compare(facts: &[(&'static str, &'static str)], answer: &Answer) -> Result<(), Difference> {
    let wrong: Vec<_> =
        facts.iter().filter(|(name, value)| answer.value(name) != Some(*value)).copied().collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let got = wrong.iter().map(|(name, _)| format!("{name} {}", answer.value(name).unwrap_or("(not told)")));
    Err(Difference { expected: listed(&wrong), got: got.collect::<Vec<_>>().join(", ") })
}

fn listed(facts: &[(&'static str, &'static str)]) -> String {
    if facts.is_empty() {
        return "an answer".to_owned();
    }
    facts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// The name of an exchange's state, such as `COMMITTED`.
pub(super) fn state_of(exchange: &Exchange) -> &'static str {
    let name = exchange.state().as_str_name();
    name.strip_prefix("EXCHANGE_STATE_").unwrap_or(name)
}

/// "supermarket owes airline 111.000000 CNY".
pub(super) fn debt(obligation: &Obligation) -> String {
    let money = obligation.money.clone().unwrap_or_default();
    let Obligation { debtor_partner_code: debtor, creditor_partner_code: creditor, .. } = obligation;
    format!("{debtor} owes {creditor} {} {}", money.amount, money.currency_code)
}

/// What a leg does, with the names of its programs: "6666 points become 4444 miles".
pub(super) fn movement(leg: &Leg, name_of: impl Fn(&str) -> String) -> String {
    let unit = |side: Option<&pointbridge_client::v1::Side>| {
        side.map(|side| name_of(&side.program_id)).unwrap_or_default()
    };
    let (from, to) = (unit(leg.source.as_ref()), unit(leg.destination.as_ref()));
    format!("{} {from} → {} {to}", leg.source_points, leg.credited_points)
}

/// The facts of a leg.
pub(super) fn with_leg(answer: Answer, leg: &Leg) -> Answer {
    let residue = leg.residue.unwrap_or_default();
    let answer = answer
        .fact("takes", &leg.source_points)
        .fact("gross", &leg.gross_points)
        .fact("fee", &leg.fee_points)
        .fact("credits", &leg.credited_points)
        .fact("residue", format!("{}/{}", residue.numerator, residue.denominator));
    match &leg.obligation {
        Some(obligation) => answer.fact("debt", debt(obligation)),
        None => answer,
    }
}

/// The answer that an exchange is, with the names of its programs.
pub(super) fn of_exchange(
    message: &impl Message,
    exchange: &Exchange,
    name_of: impl Fn(&str) -> String,
) -> anyhow::Result<Answer> {
    let leg = present(exchange.legs.first(), "leg")?;
    let references = exchange.references.clone().unwrap_or_default();
    let mut phrase = format!("{}: {}", state_of(exchange), movement(leg, name_of));
    if exchange.state() == ExchangeState::Committed {
        let owed = leg.obligation.as_ref().map(debt).unwrap_or_default();
        phrase = format!("{phrase}\n{owed}");
    }
    if !exchange.abort_reason_code.is_empty() {
        phrase = format!("{phrase}\nbecause {}", exchange.abort_reason_code);
    }
    let answer = Answer::of(message)
        .fact("state", state_of(exchange))
        .fact("order", references.order)
        .fact("store", references.store.unwrap_or_default())
        .fact("till", references.till.unwrap_or_default())
        .fact("by", &exchange.initiator_partner_code)
        .phrase(phrase);
    Ok(with_leg(answer, leg))
}

#[cfg(test)]
mod tests {
    use pointbridge_client::v1::{GetBalanceResponse, Money};
    use tonic::Code;

    use super::*;

    fn answer() -> Answer {
        Answer::of(&GetBalanceResponse::default())
            .fact("credits", "4444")
            .fact("fee", "0")
            .phrase("6666 points → 4444 miles")
    }

    fn refused(reason: &str) -> Outcome {
        let mut refusal = Refusal::from(&Status::new(Code::FailedPrecondition, "too few points"));
        reason.clone_into(&mut refusal.reason);
        Err(Box::new(refusal))
    }

    #[test]
    fn an_answer_is_as_expected_where_each_named_fact_is() {
        let ok = |facts: &[(&'static str, &'static str)]| {
            judge(&Expected::Answer(facts.to_vec()), &Ok(answer())).is_ok()
        };
        assert!(ok(&[]));
        assert!(ok(&[("credits", "4444")]));
        assert!(ok(&[("fee", "0"), ("credits", "4444")]));
        assert!(!ok(&[("fee", "0"), ("credits", "4445")]));
        assert!(!ok(&[("nothing", "4444")]));
    }

    #[test]
    fn a_difference_names_what_is_wrong_and_nothing_else() {
        let expected = Expected::Answer(vec![("fee", "0"), ("credits", "4445"), ("hold", "300")]);
        let difference = judge(&expected, &Ok(answer())).unwrap_err();
        assert_eq!(difference.expected, "credits 4445, hold 300");
        assert_eq!(difference.got, "credits 4444, hold (not told)");
    }

    #[test]
    fn a_refusal_is_judged_by_its_reason() {
        let expected = Expected::Refusal("INSUFFICIENT_POINTS");
        assert_eq!(judge(&expected, &refused("INSUFFICIENT_POINTS")), Ok(()));
        let other = judge(&expected, &refused("CONSENT_MISSING")).unwrap_err();
        assert_eq!(other.expected, "a refusal INSUFFICIENT_POINTS");
        assert_eq!(other.got, "the refusal CONSENT_MISSING: too few points");
        let answered = judge(&expected, &Ok(answer())).unwrap_err();
        assert_eq!(answered.got, "6666 points → 4444 miles");
        let unexpected = judge(&Expected::Answer(Vec::new()), &refused("OVERLOADED")).unwrap_err();
        assert_eq!(unexpected.expected, "an answer");
    }

    #[test]
    fn a_debt_reads_as_a_sentence() {
        let obligation = Obligation {
            debtor_partner_code: "supermarket".to_owned(),
            creditor_partner_code: "airline".to_owned(),
            money: Some(Money { currency_code: "CNY".to_owned(), amount: "111.000000".to_owned() }),
        };
        assert_eq!(debt(&obligation), "supermarket owes airline 111.000000 CNY");
    }
}
