//! Who is let in: whether a caller's partner is registered, and whether its certificate is revoked or, where its partner
//! pins, pinned. Asked with every call, because a connection outlives what was decided when it was made.
//!
//! What the store said is believed for a second, so that a busy caller costs one read per second. While one call asks again,
//! or the store fails, what was said before serves on for a few seconds more, and never as long as five; then callers are
//! told that the hub cannot now. What this process itself writes is forgotten at once.
//!
//! Absent on purpose: whether the partner is suspended. That is decided where things are decided, on its row.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pointbridge_core::canonical::Hash;
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::PartnerCode;
use pointbridge_store::Admission;

/// How long an answer is believed without asking.
const FRESH: Duration = Duration::from_secs(1);

/// How long an answer may serve where there is no newer one. With the read that follows less than five seconds.
const STALE_MAX: Duration = Duration::from_secs(3);

/// How many answers are kept. One is about 150 bytes and stands for one certificate in use; 16,384 are about 3 MiB.
const ANSWERS_MAX: usize = 16_384;

/// What is asked about: for whom, and by which certificate.
pub type Question = (Option<PartnerCode>, Hash);

/// Whether a caller is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Admitted,
    /// Its partner is not registered.
    Unknown,
    /// Its certificate was revoked.
    Revoked,
    /// Its partner pins, and this certificate is none of the pinned.
    NotPinned,
}

impl Verdict {
    /// What follows from what the store knows of a caller that acts for a partner, or for none.
    #[must_use]
    pub const fn of(admission: &Admission, acts_for_partner: bool) -> Self {
        match admission {
            Admission { partner: None, .. } if acts_for_partner => Self::Unknown,
            Admission { is_revoked: true, .. } => Self::Revoked,
            Admission { has_pins: true, is_pinned: false, .. } => Self::NotPinned,
            _ => Self::Admitted,
        }
    }

    /// Lets the caller in, or says why not.
    ///
    /// # Errors
    /// CERTIFICATE_UNKNOWN, CERTIFICATE_REVOKED or CERTIFICATE_NOT_PINNED.
    pub fn admit(self) -> Result<(), Rejection> {
        let (reason, what) = match self {
            Self::Admitted => return Ok(()),
            Self::Unknown => (
                Reason::CertificateUnknown,
                "your certificate names a partner that is not registered here: ask the operator to create it",
            ),
            Self::Revoked => (
                Reason::CertificateRevoked,
                "your certificate was revoked, and that is final: use another one",
            ),
            Self::NotPinned => (
                Reason::CertificateNotPinned,
                "your partner pins its certificates, and yours is none of them: use a pinned one, or have yours pinned",
            ),
        };
        Err(Rejection::new(reason, what))
    }
}

/// An answer of the store.
#[derive(Debug, Clone, Copy)]
struct Answer {
    verdict: Verdict,
    asked_at: Instant,
    /// Whether a call is asking again.
    is_asked_again: bool,
}

/// What to do about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Take this.
    Take(Verdict),
    /// Ask the store, and remember its answer under this number.
    Ask(u64),
}

#[derive(Debug, Default)]
struct Memory {
    answers: HashMap<Question, Answer>,
    /// Raised whenever everything is forgotten, so that what was asked before is not remembered after.
    generation: u64,
}

/// What the store said lately.
#[derive(Debug, Default)]
pub struct Admissions(Mutex<Memory>);

impl Admissions {
    /// Whether to believe what was said, or to ask.
    pub fn next(&self, question: &Question, now: Instant) -> Next {
        let mut memory = self.memory();
        let generation = memory.generation;
        let Some(answer) = memory.answers.get_mut(question) else { return Next::Ask(generation) };
        let age = now.saturating_duration_since(answer.asked_at);
        if age < FRESH || (age < STALE_MAX && answer.is_asked_again) {
            return Next::Take(answer.verdict);
        }
        answer.is_asked_again = true;
        Next::Ask(generation)
    }

    /// Remembers what the store said to a question that was asked at `asked_at`. Who is unknown is asked about every time,
    /// so that strangers fill nothing.
    pub fn remember(&self, question: Question, verdict: Verdict, asked_at: Instant, number: u64) {
        let mut memory = self.memory();
        if memory.generation != number || verdict == Verdict::Unknown {
            return;
        }
        if memory.answers.len() >= ANSWERS_MAX {
            memory.answers.retain(|_, answer| asked_at.saturating_duration_since(answer.asked_at) < FRESH);
        }
        if memory.answers.len() < ANSWERS_MAX {
            memory.answers.insert(question, Answer { verdict, asked_at, is_asked_again: false });
        }
    }

    /// What was said before, where the store fails and it is not too old.
    #[must_use]
    pub fn fall_back(&self, question: &Question, now: Instant) -> Option<Verdict> {
        let answer = self.memory().answers.get(question).copied()?;
        (now.saturating_duration_since(answer.asked_at) < STALE_MAX).then_some(answer.verdict)
    }

    /// Forgets everything: something was written that an answer may rest on.
    pub fn forget(&self) {
        let mut memory = self.memory();
        memory.answers.clear();
        memory.generation = memory.generation.wrapping_add(1);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        (PartnerCode::new("airline").ok(), [7; 32])
    }

    #[test]
    fn an_answer_is_believed_for_a_second_and_one_call_at_a_time_asks_again() {
        let (admissions, start) = (Admissions::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let Next::Ask(number) = admissions.next(&question(), start) else { panic!("nothing was said yet") };
        admissions.remember(question(), Verdict::Admitted, start, number);
        assert_eq!(admissions.next(&question(), at(999)), Next::Take(Verdict::Admitted));
        assert_eq!(admissions.next(&question(), at(1000)), Next::Ask(number), "the first asks again");
        assert_eq!(
            admissions.next(&question(), at(1000)),
            Next::Take(Verdict::Admitted),
            "the second does not"
        );
        assert_eq!(admissions.next(&question(), at(3000)), Next::Ask(number), "unless nobody was answered");
        let another = (PartnerCode::new("airline").ok(), [8; 32]);
        assert_eq!(admissions.next(&another, at(1)), Next::Ask(number));
    }

    #[test]
    fn where_the_store_fails_an_answer_serves_less_than_five_seconds_in_all() {
        let (admissions, start) = (Admissions::default(), Instant::now());
        assert_eq!(admissions.fall_back(&question(), start), None, "nobody is let in blindly");
        admissions.remember(question(), Verdict::Revoked, start, 0);
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(admissions.fall_back(&question(), at(2999)), Some(Verdict::Revoked));
        assert_eq!(admissions.fall_back(&question(), at(3000)), None);
    }

    #[test]
    fn what_was_asked_before_something_was_written_is_not_remembered_after() {
        let (admissions, start) = (Admissions::default(), Instant::now());
        let Next::Ask(number) = admissions.next(&question(), start) else { panic!("nothing was said yet") };
        admissions.forget();
        admissions.remember(question(), Verdict::Admitted, start, number);
        assert_eq!(admissions.next(&question(), start), Next::Ask(number + 1));
        admissions.remember(question(), Verdict::Admitted, start, number + 1);
        admissions.forget();
        assert_eq!(admissions.next(&question(), start), Next::Ask(number + 2));
    }

    #[test]
    fn the_memory_is_bounded_and_strangers_fill_nothing() {
        let (admissions, start) = (Admissions::default(), Instant::now());
        for number in 0..40_000_u32 {
            let mut fingerprint = [0; 32];
            fingerprint[..4].copy_from_slice(&number.to_be_bytes());
            admissions.remember((None, fingerprint), Verdict::Unknown, start, 0);
            assert!(number > 100 || admissions.memory().answers.is_empty());
            admissions.remember((None, fingerprint), Verdict::Admitted, start, 0);
        }
        assert_eq!(admissions.memory().answers.len(), ANSWERS_MAX);
        let later = start + FRESH;
        admissions.remember(question(), Verdict::Admitted, later, 0);
        assert_eq!(
            admissions.next(&question(), later),
            Next::Take(Verdict::Admitted),
            "what is old makes room"
        );
    }

    #[test]
    fn a_revoked_certificate_is_refused_pinned_or_not_and_an_unpinned_one_where_there_are_pins() {
        let now = pointbridge_core::time::Timestamp::from_micros(0).unwrap();
        for (is_revoked, is_pinned, has_pins, expected) in [
            (false, false, false, Verdict::Admitted),
            (false, true, true, Verdict::Admitted),
            (false, false, true, Verdict::NotPinned),
            (true, false, false, Verdict::Revoked),
            (true, false, true, Verdict::Revoked),
        ] {
            let admission = Admission { partner: None, is_revoked, is_pinned, has_pins, now };
            assert_eq!(Verdict::of(&admission, false), expected);
            assert_eq!(Verdict::of(&admission, true), Verdict::Unknown, "nobody of an unknown partner");
            assert_eq!(expected.admit().is_ok(), expected == Verdict::Admitted);
        }
    }
}
