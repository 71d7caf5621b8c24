//! The words in which the scenario is written: who does what, and what it expects of the hub.
//!
//! A step cannot be written without its expectation. What is absent: how a call is made (`calls`) and how the answer is
//! compared (`stage`). Things are named by the scenario's own names; the hub's ids are put in when a call is made.

use pointbridge_client::v1::{Custody, ResidueOwner, Rounding, SettlementBasis};

/// Somebody with a certificate of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Actor {
    /// How the table calls them.
    pub(super) name: &'static str,
    /// Whom the certificate names, without the trust domain: `partner/airline/partner/web-1`.
    pub(super) principal: &'static str,
}

/// A part of the scenario; the table has a section for each.
#[derive(Debug)]
pub(super) struct Chapter {
    pub(super) title: &'static str,
    pub(super) steps: Vec<Step>,
}

/// One call and the outcome that it must have.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) actor: Actor,
    /// What happens, in plain words.
    pub(super) what: &'static str,
    pub(super) call: Call,
    pub(super) sending: Sending,
    pub(super) expected: Expected,
}

/// With which request id a writing call is sent, and whether it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sending {
    /// A new request id.
    Fresh,
    /// A new request id, and `validate_only`: the hub decides and writes nothing.
    DryRun,
    /// The very same call of this actor once more, with the request id of then.
    Again,
    /// The request id that this actor used for another call.
    WithIdOf(Call),
}

/// What must come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// An answer in which these things have these values. What is not named here may have any.
    Answer(Vec<(&'static str, &'static str)>),
    /// A refusal for this reason.
    Refusal(&'static str),
}

/// Everything that an actor can ask of the hub. Fields are the scenario's names unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    CreatePartner {
        code: &'static str,
        name: &'static str,
    },
    CreateProgram(NewProgram),
    Propose {
        with: &'static str,
        currency: &'static str,
        directions: Vec<Direction>,
    },
    /// Reads what waits between the actor and the other partner, and accepts it by the hash of what was read.
    Accept {
        with: &'static str,
    },
    Register {
        membership: &'static str,
        program: &'static str,
        reference: &'static str,
    },
    IssueLinkCode {
        membership: &'static str,
        bringer: &'static str,
    },
    /// Brings the link code that was made for the membership `of`.
    Merge {
        of: &'static str,
        membership: &'static str,
    },
    Consent {
        membership: &'static str,
        to: &'static str,
    },
    Withdraw {
        membership: &'static str,
        to: &'static str,
    },
    Accrue {
        membership: &'static str,
        points: &'static str,
        reference: &'static str,
    },
    Adjust {
        membership: &'static str,
        points: &'static str,
        reference: &'static str,
    },
    Quote {
        quote: &'static str,
        from: &'static str,
        to: &'static str,
        points: &'static str,
    },
    Prepare {
        quote: &'static str,
        token: Token,
        references: OwnReferences,
    },
    Commit {
        order: &'static str,
    },
    Abort {
        order: &'static str,
        reason: &'static str,
    },
    /// Gives back so many source points of a committed exchange, or all that is left.
    Reverse {
        order: &'static str,
        points: Option<&'static str>,
        reference: &'static str,
    },
    /// Reads the exchange until it is no longer PREPARED.
    AwaitEnd {
        order: &'static str,
    },
    /// Reads one balance.
    Balance {
        membership: &'static str,
    },
    /// Reads several balances, each as the program's owner.
    Balances(Vec<&'static str>),
    /// Sums what the partners owe each other by the committed exchanges that the hub lists.
    Obligations,
}

/// A program to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewProgram {
    /// The program's code, by which the scenario goes on calling it.
    pub(super) code: &'static str,
    pub(super) partner: &'static str,
    pub(super) name: &'static str,
    /// Decimals, 0 to 4.
    pub(super) scale: u32,
    pub(super) custody: Custody,
    /// Months after which points expire; 0: never.
    pub(super) expiry_months: u32,
}

/// The terms from one program to another; the fields mean what they mean in the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Direction {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// Minor units of the source.
    pub(super) give: u64,
    /// Minor units of the destination.
    pub(super) get: u64,
    pub(super) rounding: Rounding,
    pub(super) residue_owner: ResidueOwner,
    pub(super) minimum: &'static str,
    pub(super) maximum: &'static str,
    pub(super) step: &'static str,
    pub(super) fee: &'static str,
    pub(super) basis: SettlementBasis,
    pub(super) price: Worth,
    pub(super) exposure_limit: &'static str,
    pub(super) hold_seconds: u32,
}

/// What points are worth: so much money for so many points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    pub(super) money: &'static str,
    pub(super) points: &'static str,
}

/// A quote's token as the hub gave it, or with one character changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    AsGiven,
    Tampered,
}

/// The initiator's own names for a purchase. The order names the exchange in the scenario, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnReferences {
    pub(super) order: &'static str,
    pub(super) store: Option<&'static str>,
    pub(super) till: Option<&'static str>,
}

/// A step without its expectation.
pub(super) struct Planned {
    actor: Actor,
    what: &'static str,
    call: Call,
    sending: Sending,
}

/// Begins a step.
pub(super) fn step(actor: Actor, what: &'static str, call: Call) -> Planned {
    Planned { actor, what, call, sending: Sending::Fresh }
}

impl Planned {
    /// Sends it with `validate_only`.
    pub(super) fn dry_run(self) -> Self {
        Self { sending: Sending::DryRun, ..self }
    }

    /// Sends what this actor sent before, with the same request id.
    pub(super) fn again(self) -> Self {
        Self { sending: Sending::Again, ..self }
    }

    /// Sends it with the request id of another call of this actor.
    pub(super) fn with_id_of(self, other: Call) -> Self {
        Self { sending: Sending::WithIdOf(other), ..self }
    }

    /// The answer must say these things.
    pub(super) fn answers(self, facts: &[(&'static str, &'static str)]) -> Step {
        self.expects(Expected::Answer(facts.to_vec()))
    }

    /// The hub must refuse for this reason.
    pub(super) fn refused(self, reason: &'static str) -> Step {
        self.expects(Expected::Refusal(reason))
    }

    fn expects(self, expected: Expected) -> Step {
        let Self { actor, what, call, sending } = self;
        Step { actor, what, call, sending, expected }
    }
}

/// An order in a store, at a till.
pub(super) const fn at_till(order: &'static str, store: &'static str, till: &'static str) -> OwnReferences {
    OwnReferences { order, store: Some(store), till: Some(till) }
}

/// An order without a store: from a web shop or an app.
pub(super) const fn online(order: &'static str) -> OwnReferences {
    OwnReferences { order, store: None, till: None }
}

/// Prepares what a quote describes, with the token as it was given.
pub(super) const fn prepare(quote: &'static str, references: OwnReferences) -> Call {
    Call::Prepare { quote, token: Token::AsGiven, references }
}

/// Prepares with a token that was changed on the way.
pub(super) const fn prepare_tampered(quote: &'static str, references: OwnReferences) -> Call {
    Call::Prepare { quote, token: Token::Tampered, references }
}

/// Asks for a quote and gives it a name.
pub(super) const fn quote(
    quote: &'static str,
    (from, to): (&'static str, &'static str),
    points: &'static str,
) -> Call {
    Call::Quote { quote, from, to, points }
}

/// Commits the exchange of an order.
pub(super) const fn commit(order: &'static str) -> Call {
    Call::Commit { order }
}

/// Aborts the exchange of an order.
pub(super) const fn abort(order: &'static str, reason: &'static str) -> Call {
    Call::Abort { order, reason }
}

/// Gives back so many source points of the exchange of an order, or all that is left.
pub(super) const fn reverse(
    order: &'static str,
    points: Option<&'static str>,
    reference: &'static str,
) -> Call {
    Call::Reverse { order, points, reference }
}

/// Takes down a consent to exchange points with a partner.
pub(super) const fn consent(membership: &'static str, to: &'static str) -> Call {
    Call::Consent { membership, to }
}

/// Registers a membership under the partner's own reference.
pub(super) const fn register(
    membership: &'static str,
    program: &'static str,
    reference: &'static str,
) -> Call {
    Call::Register { membership, program, reference }
}

/// Gives points.
pub(super) const fn accrue(membership: &'static str, points: &'static str, reference: &'static str) -> Call {
    Call::Accrue { membership, points, reference }
}

/// Reads what the other partner proposed and accepts it.
pub(super) const fn accept(with: &'static str) -> Call {
    Call::Accept { with }
}

/// Makes a link code for a membership, to be brought by a partner.
pub(super) const fn link_code(membership: &'static str, bringer: &'static str) -> Call {
    Call::IssueLinkCode { membership, bringer }
}

/// Brings the link code of one membership together with another one.
pub(super) const fn merge(of: &'static str, membership: &'static str) -> Call {
    Call::Merge { of, membership }
}

/// Reads a balance.
pub(super) const fn balance(membership: &'static str) -> Call {
    Call::Balance { membership }
}
