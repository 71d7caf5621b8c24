//! A hub without an engine: a store, a clock and a script, and the things that tests do with them.
//!
//! What a test does not expect panics with the answer, so that a scene reads as a story.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use pointbridge_core::caller::Caller;
use pointbridge_core::canonical::{self, Domain};
use pointbridge_core::command::{
    AbortExchange, AccruePoints, Answer, Command, CommitExchange, Envelope, ExpireExchange, ExpireLots,
    PrepareExchange, ReverseExchange,
};
use pointbridge_core::exchange::References;
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::points::Entered;
use pointbridge_core::quote::{Claims, Ends, QuoteInputs, QuoteRequest, claims, quote};
use pointbridge_core::record::Record;
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::{PartnerCode, ReasonCode, Reference};
use pointbridge_store::{AuditRow, Due, EndView, Scope, Store, StoreError};

use crate::clock::Clock;
use crate::script::{Script, run, till};

/// A store at work.
pub struct Hub<S> {
    /// Where everything is kept.
    pub store: S,
    /// The clock that the store reads.
    pub clock: Clock,
    /// Where envelopes come from.
    pub script: Script,
}

/// Points from one membership to another: what a quote is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Where points leave.
    pub source: MembershipId,
    /// Where points arrive.
    pub destination: MembershipId,
    /// How many source points, as entered.
    pub points: &'a str,
}

impl<S: Store> Hub<S> {
    /// A hub on a store that reads `clock`.
    pub fn new(store: S, clock: Clock) -> Self {
        Self { store, clock, script: Script::default() }
    }

    /// Runs a batch in as few transactions as its commands let it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn try_run(&self, batch: &[Arc<Envelope>]) -> Result<Vec<Answer>, StoreError> {
        run(&self.store, batch).await
    }

    /// Runs a batch on a store that works.
    ///
    /// # Panics
    /// Where the store errs.
    pub async fn run(&self, batch: &[Arc<Envelope>]) -> Vec<Answer> {
        self.try_run(batch).await.unwrap_or_else(|error| panic!("the store errs: {error}"))
    }

    /// Runs one command.
    ///
    /// # Panics
    /// Where the store errs.
    pub async fn answer(&self, envelope: Arc<Envelope>) -> Answer {
        let mut answers = self.run(&[envelope]).await;
        answers.pop().unwrap_or_else(|| panic!("a command without an answer"))
    }

    /// Runs one command that is done.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn done(&self, envelope: Arc<Envelope>) -> Arc<Record> {
        match self.answer(envelope).await {
            Answer::Done(record) => record,
            other => panic!("not done: {other:?}"),
        }
    }

    /// Runs one command that is refused.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn refused(&self, envelope: Arc<Envelope>) -> Rejection {
        match self.answer(envelope).await {
            Answer::Refused(rejection) => rejection,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// A caller's command that is done.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn does(&self, caller: &Caller, command: impl Command + 'static) -> Arc<Record> {
        self.done(self.script.ask(caller, command)).await
    }

    /// Why a caller's command is refused.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn reason(&self, caller: &Caller, command: impl Command + 'static) -> Reason {
        self.refused(self.script.ask(caller, command)).await.reason
    }

    /// The claims of a quote that a partner takes.
    ///
    /// # Errors
    /// The refusal, as a caller would get it.
    ///
    /// # Panics
    /// Where the store errs, or the caller may not know of an end.
    pub async fn quote(&self, partner: &PartnerCode, wish: Wish<'_>) -> Result<Claims, Rejection> {
        let scope = Scope::Partner(partner.clone());
        let seen = self.store.quote(&scope, wish.source, wish.destination).await.unwrap();
        let (source, destination) = seen.source.zip(seen.destination).unwrap();
        let inputs = QuoteInputs {
            ends: Ends { source: end(&source), destination: end(&destination) },
            version: seen.version.as_ref(),
            caller_status: source.partner.status,
            now: seen.now,
        };
        let request = QuoteRequest { source_points: entered(wish.points), legs_max: 1 };
        let quoted = quote(request, &inputs)?;
        let exchange_id = ExchangeId::new(self.script.id());
        Ok(claims(&till(partner), &quoted, exchange_id, seen.epoch).unwrap())
    }

    /// Adds points to a membership under the program's own expiry rule.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn accrue(&self, partner: &PartnerCode, membership: MembershipId, points: &str) -> Arc<Record> {
        self.does(&till(partner), accrual(membership, points)).await
    }

    /// Quotes and prepares.
    ///
    /// # Panics
    /// Where either is refused.
    pub async fn prepare(&self, partner: &PartnerCode, wish: Wish<'_>) -> ExchangeId {
        let claims = self.quote(partner, wish).await.unwrap_or_else(|refusal| panic!("no quote: {refusal}"));
        let id = claims.exchange_id;
        self.does(&till(partner), preparation(claims)).await;
        id
    }

    /// Commits.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn commit(&self, partner: &PartnerCode, exchange_id: ExchangeId) -> Arc<Record> {
        self.does(&till(partner), CommitExchange { exchange_id }).await
    }

    /// Gives a committed exchange back, or so many source points of it.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn reverse(
        &self,
        partner: &PartnerCode,
        exchange_id: ExchangeId,
        points: Option<&str>,
    ) -> Arc<Record> {
        self.does(&till(partner), reversal(exchange_id, points)).await
    }

    /// Does what time asks for, until it asks for nothing. Answers how often it did something.
    ///
    /// # Panics
    /// Where it has no end.
    pub async fn sweep(&self) -> usize {
        let mut done = 0;
        for _ in 0..1000 {
            let due = self.store.due(500).await.unwrap();
            if due.is_empty() {
                return done;
            }
            for thing in due {
                let envelope = match thing {
                    Due::Hold(exchange_id) => self.script.from_hub(ExpireExchange { exchange_id }),
                    Due::Lots(membership_id) => self.script.from_hub(ExpireLots { membership_id }),
                };
                done += usize::from(matches!(self.answer(envelope).await, Answer::Done(_)));
            }
        }
        panic!("what is due never ends")
    }

    /// Every row that the check reads.
    ///
    /// # Panics
    /// Where the store errs.
    pub async fn rows(&self) -> Vec<AuditRow> {
        let mut rows = Vec::new();
        self.store.audit(&mut |row| rows.push(row)).await.unwrap();
        rows
    }

    /// Aborts.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn abort(&self, partner: &PartnerCode, exchange_id: ExchangeId) -> Arc<Record> {
        self.does(&till(partner), AbortExchange { exchange_id, reason: reason("CUSTOMER_LEFT") }).await
    }
}

fn end(view: &EndView) -> pointbridge_core::quote::End<'_> {
    pointbridge_core::quote::End {
        membership: &view.membership,
        program: &view.program,
        partner: &view.partner,
        consent: view.consent.as_ref(),
    }
}

/// An accrual under the program's own expiry rule.
#[must_use]
pub fn accrual(membership_id: MembershipId, points: &str) -> AccruePoints {
    AccruePoints {
        membership_id,
        amount: entered(points),
        reason: reason("PURCHASE"),
        reference: reference("receipt-1"),
        expires_at: None,
    }
}

/// The preparation of what claims describe, as a token would carry them.
#[must_use]
pub fn preparation(claims: Claims) -> PrepareExchange {
    PrepareExchange {
        token_hash: canonical::hash(Domain::QuoteToken, &claims.to_bytes()),
        references: References {
            order: reference(&format!("order-{}", claims.exchange_id)),
            store: Some(reference("store-12")),
            till: None,
        },
        claims: Some(claims),
    }
}

/// The order to give an exchange back, or so many source points of it.
#[must_use]
pub fn reversal(exchange_id: ExchangeId, points: Option<&str>) -> ReverseExchange {
    ReverseExchange {
        exchange_id,
        source_points: points.map(entered),
        reason: reason("GOODS_RETURNED"),
        reference: reference("return-1"),
    }
}

/// An amount that may have a sign.
///
/// # Panics
/// Where the text is none.
#[must_use]
pub fn entered(text: &str) -> Entered {
    Entered::parse_signed(text).unwrap_or_else(|error| panic!("{text} {error}"))
}

/// A reason code.
///
/// # Panics
/// Where the text is none.
#[must_use]
pub fn reason(text: &str) -> ReasonCode {
    ReasonCode::new(text).unwrap_or_else(|error| panic!("{text} {error}"))
}

/// A reference.
///
/// # Panics
/// Where the text is none.
#[must_use]
pub fn reference(text: &str) -> Reference {
    Reference::new(text).unwrap_or_else(|error| panic!("{text} {error}"))
}

/// A partner's code.
///
/// # Panics
/// Where the text is none.
#[must_use]
pub fn code(text: &str) -> PartnerCode {
    PartnerCode::new(text).unwrap_or_else(|error| panic!("{text} {error}"))
}
