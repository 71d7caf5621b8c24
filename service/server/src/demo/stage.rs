//! Plays the scenario: makes each call as its actor, holds the outcome against the expectation, and stops at the first
//! difference.

use std::collections::BTreeMap;

use pointbridge_client::{Client, request_id};

use super::answer::{Answer, Outcome, Stop, judge};
use super::book::{Book, Sent};
use super::calls::{Asking, Writing, perform, read_balance};
use super::child::HubProcess;
use super::closing;
use super::progress::Progress;
use super::script::{Actor, Call, Chapter, Sending, Step};

/// A step that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) number: usize,
    pub(super) who: &'static str,
    pub(super) what: &'static str,
    /// What the hub said, in words.
    pub(super) answer: String,
    /// The reason, where the hub refused.
    pub(super) refusal: Option<String>,
}

/// A step whose outcome was not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Failure {
    pub(super) step: usize,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) got: String,
}

/// A connection for each actor, opened when it is needed.
pub(super) struct Callers<'a> {
    hub: &'a HubProcess,
    open: BTreeMap<Actor, Client>,
}

impl<'a> Callers<'a> {
    /// No connection yet.
    pub(super) fn new(hub: &'a HubProcess) -> Self {
        Self { hub, open: BTreeMap::new() }
    }

    /// The connection of an actor.
    ///
    /// # Errors
    /// It has no certificate, or the hub cannot be reached.
    pub(super) async fn of(&mut self, actor: Actor) -> anyhow::Result<&Client> {
        if !self.open.contains_key(&actor) {
            let client = self.hub.connect(actor).await?;
            self.open.insert(actor, client);
        }
        self.open.get(&actor).ok_or_else(|| anyhow::anyhow!("{} is not connected", actor.name))
    }
}

/// The play so far.
pub(super) struct Stage<'a> {
    pub(super) callers: Callers<'a>,
    pub(super) book: Book,
    /// Every step that was played, the failed one included.
    pub(super) rows: Vec<Row>,
    progress: &'a Progress,
}

impl<'a> Stage<'a> {
    /// An empty stage before a hub.
    pub(super) fn new(hub: &'a HubProcess, progress: &'a Progress) -> Self {
        Self { callers: Callers::new(hub), book: Book::default(), rows: Vec::new(), progress }
    }

    /// Plays the steps of a chapter up to the first difference, which is answered.
    ///
    /// # Errors
    /// The hub is gone, or the scenario names something that is not there.
    pub(super) async fn play(&mut self, chapter: &Chapter) -> anyhow::Result<Option<Failure>> {
        for step in &chapter.steps {
            self.progress.step(step.actor.name, step.what);
            let number = self.rows.len().saturating_add(1);
            let outcome = match self.make(step, number).await {
                Ok(answer) => Ok(answer),
                Err(Stop::Refused(refusal)) => Err(refusal),
                Err(Stop::Broken(error)) => {
                    return Err(error.context(format!("step {number} ({} {})", step.actor.name, step.what)));
                }
            };
            self.rows.push(row(number, step, &outcome));
            if let Some(failure) = failure(number, step, &outcome) {
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    async fn make(&mut self, step: &Step, number: usize) -> Result<Answer, Stop> {
        match &step.call {
            Call::Balances(memberships) => self.balances(memberships).await,
            Call::Obligations => self.obligations().await,
            call => self.send(step, call, number).await,
        }
    }

    async fn send(&mut self, step: &Step, call: &Call, number: usize) -> Result<Answer, Stop> {
        let actor = step.actor;
        let before = match &step.sending {
            Sending::Fresh | Sending::DryRun => None,
            Sending::Again => Some(self.book.sent(actor, call)?.clone()),
            Sending::WithIdOf(other) => Some(self.book.sent(actor, other)?.clone()),
        };
        let writing = Writing {
            request_id: before.as_ref().map_or_else(request_id, |sent| sent.request_id.clone()),
            validate_only: step.sending == Sending::DryRun,
        };
        let client = self.callers.of(actor).await?;
        if writing.validate_only {
            // What a dry run gives out is not kept by the hub, and so not by the book.
            return perform(Asking { client, actor, book: &mut self.book.clone(), writing }, call).await;
        }
        let used = writing.request_id.clone();
        let answer = perform(Asking { client, actor, book: &mut self.book, writing }, call).await?;
        if let Some(before) = before {
            return Ok(compared(&answer, &before));
        }
        let bytes = answer.bytes.clone();
        self.book.note_sent(Sent { actor, call: call.clone(), request_id: used, bytes, number });
        Ok(answer)
    }

    async fn balances(&mut self, memberships: &[&'static str]) -> Result<Answer, Stop> {
        let mut told = Vec::new();
        for &name in memberships {
            let client = self.callers.of(self.book.owner_of(name)?).await?;
            let balance = read_balance(client, &self.book, name).await?;
            let program = self.book.program_code(&balance.program_id);
            let held = if balance.held.chars().any(|digit| matches!(digit, '1'..='9')) {
                format!(" ({} held)", balance.held)
            } else {
                String::new()
            };
            told.push((name, format!("{} {program}{held}", balance.posted)));
        }
        let lines: Vec<String> = told.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        Ok(listed(told, &lines))
    }

    async fn obligations(&mut self) -> Result<Answer, Stop> {
        let exchanges = closing::all_exchanges(&mut self.callers, &self.book).await?;
        let mut told = Vec::new();
        for pair in closing::debts(&exchanges)? {
            for (debtor, creditor, owed) in
                [(&pair.low, &pair.high, pair.low_owes), (&pair.high, &pair.low, pair.high_owes)]
            {
                told.push((format!("{debtor} owes {creditor}"), format!("{owed} {}", pair.currency)));
            }
        }
        let lines: Vec<String> = told.iter().map(|(name, value)| format!("{name} {value}")).collect();
        Ok(listed(told, &lines))
    }
}

fn listed<Name: Into<String>>(told: Vec<(Name, String)>, lines: &[String]) -> Answer {
    let empty = Answer::of(&()).phrase(lines.join("\n"));
    told.into_iter().fold(empty, |answer, (name, value)| answer.fact(name, value))
}

/// The answer to a call that was sent before, told as whether it is the answer of then.
fn compared(answer: &Answer, before: &Sent) -> Answer {
    let same = answer.bytes == before.bytes;
    let words = if same { "the same answer as in" } else { "ANOTHER answer than in" };
    let phrase = format!("{words} step {}, {} bytes: {}", before.number, answer.bytes.len(), answer.phrase);
    answer.clone().fact("same answer", if same { "yes" } else { "no" }).phrase(phrase)
}

fn row(number: usize, step: &Step, outcome: &Outcome) -> Row {
    let (answer, refusal) = match outcome {
        Ok(answer) => (answer.phrase.clone(), None),
        // The fields at fault would only say the sentence once more.
        Err(refusal) => (format!("{}: {}", refusal.reason, refusal.message), Some(refusal.reason.clone())),
    };
    Row { number, who: step.actor.name, what: step.what, answer, refusal }
}

fn failure(number: usize, step: &Step, outcome: &Outcome) -> Option<Failure> {
    let difference = judge(&step.expected, outcome).err()?;
    Some(Failure {
        step: number,
        who: step.actor.name.to_owned(),
        what: step.what.to_owned(),
        expected: difference.expected,
        got: difference.got,
    })
}

#[cfg(test)]
mod tests {
    use pointbridge_client::v1::GetBalanceResponse;

    use super::*;
    use crate::demo::script::{commit, step};

    const TILL: Actor = Actor { name: "till", principal: "partner/supermarket/partner/till-7" };

    fn answer(credits: &str) -> Answer {
        Answer::of(&GetBalanceResponse::default()).fact("credits", credits).phrase(format!("{credits} miles"))
    }

    #[test]
    fn a_step_with_another_outcome_is_a_failure_that_names_the_step() {
        let step = step(TILL, "commits", commit("O-1")).answers(&[("credits", "4444")]);
        assert_eq!(failure(7, &step, &Ok(answer("4444"))), None);
        let failed = failure(7, &step, &Ok(answer("4443"))).unwrap();
        assert_eq!((failed.step, failed.who.as_str(), failed.what.as_str()), (7, "till", "commits"));
        assert_eq!((failed.expected.as_str(), failed.got.as_str()), ("credits 4444", "credits 4443"));
    }

    #[test]
    fn a_replay_tells_whether_the_answer_is_the_one_of_then() {
        let mut sent = Sent {
            actor: TILL,
            call: commit("O-1"),
            request_id: String::new(),
            bytes: answer("4444").bytes,
            number: 3,
        };
        assert_eq!(compared(&answer("4444"), &sent).value("same answer"), Some("yes"));
        sent.bytes.push(0);
        let other = compared(&answer("4444"), &sent);
        assert_eq!(other.value("same answer"), Some("no"));
        assert!(other.phrase.starts_with("ANOTHER"), "{}", other.phrase);
    }
}
