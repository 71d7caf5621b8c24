//! Makes the calls that the scenario names: its names become the hub's ids, the answer becomes facts and a phrase.
//!
//! One file per service of the API. What is absent: expectations, and any value that the hub did not say.

mod alliance;
mod exchanges;
mod members;
mod points;

use pointbridge_client::Client;

pub(super) use points::read_balance;

use super::answer::{Answer, Stop};
use super::book::Book;
use super::script::{Actor, Call};

/// One call about to be made.
pub(super) struct Asking<'a> {
    pub(super) client: &'a Client,
    pub(super) actor: Actor,
    pub(super) book: &'a mut Book,
    pub(super) writing: Writing,
}

/// What every writing call carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writing {
    pub(super) request_id: String,
    pub(super) validate_only: bool,
}

/// Makes a call of one actor.
///
/// # Errors
/// The hub refused, or the scenario names something that is not there.
pub(super) async fn perform(asking: Asking<'_>, call: &Call) -> Result<Answer, Stop> {
    match call.clone() {
        Call::CreatePartner { code, name } => alliance::create_partner(asking, code, name).await,
        Call::CreateProgram(program) => alliance::create_program(asking, program).await,
        Call::Propose { with, currency, directions } => {
            alliance::propose(asking, with, currency, &directions).await
        }
        Call::Accept { with } => alliance::accept(asking, with).await,
        Call::Register { membership, program, reference } => {
            members::register(asking, membership, program, reference).await
        }
        Call::IssueLinkCode { membership, bringer } => {
            members::issue_link_code(asking, membership, bringer).await
        }
        Call::Merge { of, membership } => members::merge(asking, of, membership).await,
        Call::Consent { membership, to } => members::consent(asking, membership, to).await,
        Call::Withdraw { membership, to } => members::withdraw(asking, membership, to).await,
        Call::Accrue { membership, points, reference } => {
            points::accrue(asking, membership, points, reference).await
        }
        Call::Adjust { membership, points, reference } => {
            points::adjust(asking, membership, points, reference).await
        }
        Call::Balance { membership } => points::balance(asking, membership).await,
        Call::Quote { quote, from, to, points } => exchanges::quote(asking, quote, (from, to), points).await,
        Call::Prepare { quote, token, references } => {
            exchanges::prepare(asking, quote, token, references).await
        }
        Call::Commit { order } => exchanges::commit(asking, order).await,
        Call::Abort { order, reason } => exchanges::abort(asking, order, reason).await,
        Call::Reverse { order, points, reference } => {
            exchanges::reverse(asking, order, points, reference).await
        }
        Call::AwaitEnd { order } => exchanges::await_end(asking, order).await,
        Call::Balances(_) | Call::Obligations => {
            Err(Stop::Broken(anyhow::anyhow!("{call:?} is asked by several actors, not by one")))
        }
    }
}

/// An enum's value name without the enum's own name in front.
fn short_name(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}
