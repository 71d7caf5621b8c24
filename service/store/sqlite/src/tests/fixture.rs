//! A store in a temporary folder with a clock that the test sets, and commands that run through it as the engine's do.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use pointbridge_core::agreement::{Basis, ResidueOwner};
use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::command::{
    AcceptAgreement, AccruePoints, Answer, Command, CommitExchange, Context, CreatePartner, CreateProgram,
    EnteredDirection, Envelope, GrantConsent, IssueLinkCode, MergeMembers, PrepareExchange, ProposeAgreement,
    RegisterMembership, ReverseExchange, decide_batch,
};
use pointbridge_core::exchange::References;
use pointbridge_core::ids::{ExchangeId, LinkCodeId, MembershipId, ProgramId};
use pointbridge_core::member::ConsentScope;
use pointbridge_core::partner::Custody;
use pointbridge_core::points::{Entered, Scale};
use pointbridge_core::quote::Claims;
use pointbridge_core::rate::{Rate, Rounding};
use pointbridge_core::record::{Body, Record};
use pointbridge_core::seed::Seed;
use pointbridge_core::text::{DisplayName, NoticeVersion, PartnerCode, ReasonCode, Reference};
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{FactQuery, Footprint};
use pointbridge_store::{Scope, Store, StoreError, Views};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Options, SqliteStore};

/// 2026-11-22T20:00:00Z.
pub(super) const START: i64 = 1_795_377_600_000_000;

/// A store and all that a test sets or reads beside it.
pub(super) struct Fixture {
    pub(super) store: SqliteStore,
    pub(super) folder: TempDir,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) statements: Arc<Mutex<Vec<String>>>,
}

pub(super) fn options(path: PathBuf, clock: &Arc<AtomicI64>) -> Options {
    let clock = Arc::clone(clock);
    Options {
        path,
        clock: Arc::new(move || Timestamp::from_micros(clock.load(Ordering::SeqCst)).unwrap()),
        statement_hook: None,
        readers: 2,
        migrate: true,
    }
}

pub(super) fn code(text: &str) -> PartnerCode {
    PartnerCode::new(text).unwrap()
}

pub(super) fn partner(text: &str) -> Caller {
    Caller { party: Party::Partner(code(text)), principal: format!("partner/{text}/partner/till-1") }
}

pub(super) fn operator() -> Caller {
    Caller { party: Party::Operator, principal: "operator/wang".to_owned() }
}

fn entered(text: &str) -> Entered {
    Entered::parse(text).unwrap()
}

pub(super) fn seed() -> Seed {
    let mut secret = [0; 32];
    secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    Seed::new(Uuid::now_v7(), secret)
}

pub(super) fn envelope(caller: Caller, command: impl Command + 'static) -> Arc<Envelope> {
    let context = Context { caller, seed: seed() };
    Arc::new(Envelope::new(context, Uuid::new_v4(), false, Box::new(command)).unwrap())
}

/// Runs a batch as the engine does.
pub(super) async fn run(store: &SqliteStore, batch: &[Arc<Envelope>]) -> Result<Vec<Answer>, StoreError> {
    let mut query = FactQuery::default();
    for envelope in batch {
        envelope.command.resolve(&envelope.context, &mut query);
    }
    let facts = store.facts(&query).await?;
    let mut footprint = Footprint::default();
    for envelope in batch {
        envelope.footprint(&facts, &mut footprint);
    }
    store
        .transact(&footprint, |mut world| {
            world.facts = facts.clone();
            decide_batch(&mut world, batch)
        })
        .await
}

/// A pair of partners whose memberships are one member's, ready to exchange.
pub(super) struct Pair {
    pub(super) source: MembershipId,
    pub(super) destination: MembershipId,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let statements: Arc<Mutex<Vec<String>>> = Arc::default();
        let hook = Arc::clone(&statements);
        let options = Options {
            statement_hook: Some(Arc::new(move |text| hook.lock().unwrap().push(text.to_owned()))),
            ..options(folder.path().join("hub.db"), &clock)
        };
        Self { store: SqliteStore::open(options).await.unwrap(), folder, clock, statements }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("hub.db")
    }

    /// Runs one command that must succeed.
    pub(super) async fn done(&self, caller: Caller, command: impl Command + 'static) -> Arc<Record> {
        let answers = run(&self.store, &[envelope(caller, command)]).await.unwrap();
        match answers.as_slice() {
            [Answer::Done(record)] => Arc::clone(record),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn program(&self, owner: &str) -> ProgramId {
        let name = DisplayName::new(owner).unwrap();
        self.done(operator(), CreatePartner { code: code(owner), name: name.clone() }).await;
        let program = CreateProgram {
            partner: code(owner),
            code: pointbridge_core::text::ProgramCode::new("points").unwrap(),
            name,
            scale: Scale::new(0).unwrap(),
            custody: Custody::Hosted,
            points_expiry_months: 12,
        };
        match &self.done(operator(), program).await.body {
            Body::Program(program) => program.program_id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn membership(&self, owner: &str, program: ProgramId, name: &str) -> MembershipId {
        let command =
            RegisterMembership { program_id: program, external_reference: Reference::new(name).unwrap() };
        match &self.done(partner(owner), command).await.body {
            Body::Membership(membership) => membership.membership_id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn accrual(membership: MembershipId, amount: &str) -> Arc<Envelope> {
        envelope(
            partner("airline"),
            AccruePoints {
                membership_id: membership,
                amount: entered(amount),
                reason: ReasonCode::new("FLIGHT").unwrap(),
                reference: Reference::new("flight-1").unwrap(),
                expires_at: None,
            },
        )
    }

    /// Two partners with an agreement in force, two linked memberships with consents, and 1,000 points at the source.
    pub(super) async fn pair(&self) -> Pair {
        let [miles, points] = [self.program("airline").await, self.program("market").await];
        let source = self.membership("airline", miles, "flyer-1").await;
        let destination = self.membership("market", points, "shopper-1").await;
        self.link(source, destination).await;
        for (home, membership, recipient) in
            [("airline", source, "market"), ("market", destination, "airline")]
        {
            self.consent(home, membership, recipient).await;
        }
        self.agree(miles, points).await;
        run(&self.store, &[Self::accrual(source, "1000")]).await.unwrap();
        Pair { source, destination }
    }

    async fn link(&self, source: MembershipId, destination: MembershipId) {
        let code_hash = [7; 32];
        let issue = IssueLinkCode {
            membership_id: source,
            partner: code("market"),
            link_code_id: LinkCodeId::new(Uuid::new_v4()),
            code_hash,
        };
        self.done(partner("airline"), issue).await;
        self.done(partner("market"), MergeMembers { code_hash, membership_id: destination }).await;
    }

    async fn consent(&self, home: &str, membership: MembershipId, recipient: &str) {
        let consent = GrantConsent {
            membership_id: membership,
            recipient: code(recipient),
            scope: ConsentScope::Exchange,
            purpose: ReasonCode::new("LOYALTY").unwrap(),
            notice_version: NoticeVersion::new("2026-11").unwrap(),
            evidence_hash: [9; 32],
            expires_at: None,
        };
        self.done(partner(home), consent).await;
    }

    async fn agree(&self, miles: ProgramId, points: ProgramId) {
        let direction = EnteredDirection {
            source_program: miles,
            destination_program: points,
            rate: Rate::new(3, 2).unwrap(),
            rounding: Rounding::TowardZero,
            residue_owner: ResidueOwner::Nobody,
            minimum: entered("1"),
            maximum: entered("1000"),
            step: entered("1"),
            fee: entered("0"),
            basis: Basis::Credited,
            price_money: entered("111.00"),
            price_points: entered("6666"),
            exposure_limit: entered("1000000"),
            hold_seconds: 300,
            reversal_days: None,
        };
        let proposal = ProposeAgreement {
            partner: code("market"),
            settlement_currency: "CNY".parse().unwrap(),
            directions: vec![direction],
        };
        let record = self.done(partner("airline"), proposal).await;
        let Body::Agreement { version, .. } = &record.body else { panic!("{record:?}") };
        let acceptance = AcceptAgreement {
            agreement_id: version.agreement_id,
            version: version.version,
            terms_hash: version.terms_hash,
        };
        self.done(partner("market"), acceptance).await;
    }

    /// The command that prepares an exchange of these points, by the source's partner.
    pub(super) async fn prepare(&self, pair: &Pair, points: i64) -> PrepareExchange {
        let quote = self.store.quote(&Scope::All, pair.source, pair.destination).await.unwrap();
        let version = quote.version.unwrap();
        let claims = Claims {
            exchange_id: ExchangeId::new(Uuid::now_v7()),
            initiator: code("airline"),
            epoch: quote.epoch,
            agreement_id: version.agreement_id,
            agreement_version: version.version,
            source: pair.source,
            destination: pair.destination,
            source_minor: points,
            expires_at: quote.now.plus_seconds(120),
        };
        PrepareExchange {
            token_hash: *Uuid::new_v4().as_bytes().repeat(2).first_chunk().unwrap(),
            claims: Some(claims),
            references: References {
                order: Reference::new("order-1").unwrap(),
                store: None,
                till: Some(Reference::new("till-1").unwrap()),
            },
        }
    }

    pub(super) async fn prepared(&self, pair: &Pair, points: i64) -> ExchangeId {
        let command = self.prepare(pair, points).await;
        self.done(partner("airline"), command).await.exchange().unwrap().exchange_id
    }

    pub(super) async fn committed(&self, pair: &Pair, points: i64) -> ExchangeId {
        let exchange_id = self.prepared(pair, points).await;
        self.done(partner("airline"), CommitExchange { exchange_id }).await;
        exchange_id
    }

    /// Gives back so many source points of a committed exchange.
    pub(super) async fn reversed(&self, exchange_id: ExchangeId, points: &str) -> Arc<Record> {
        let command = ReverseExchange {
            exchange_id,
            source_points: Some(entered(points)),
            reason: ReasonCode::new("GOODS_RETURNED").unwrap(),
            reference: Reference::new("return-1").unwrap(),
        };
        self.done(partner("market"), command).await
    }

    /// The program of a membership.
    pub(super) async fn program_of(&self, membership: MembershipId) -> ProgramId {
        self.store.balance(&Scope::All, membership).await.unwrap().unwrap().1.program_id
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// The statements since the last call.
    pub(super) fn take_statements(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements.lock().unwrap())
    }
}
