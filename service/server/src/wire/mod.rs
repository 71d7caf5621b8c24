//! Between protobuf and the rules: requests are parsed once into commands and queries, records and views become answers.
//!
//! Nothing is decided here. What a message's own rules promise (forms, lengths, ranges) was checked when it was decoded;
//! parsing into types checks it again for free, and names the field.
//!
//! Parsing functions take their message whole even where they only read it: handlers hand it over and are done with it.
#![allow(clippy::needless_pass_by_value)]

pub mod agreement;
pub mod approval;
pub mod credential;
pub mod exchange;
pub mod ledger;
pub mod member;
pub mod page;
pub mod partner;

use std::fmt::Display;
use std::str::FromStr;

use pointbridge_core::points::{AmountError, Entered};
use pointbridge_core::quote::refuse_amount;
use pointbridge_core::record::Record;
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::time::Timestamp;
use tonic::Status;

use crate::hub::Mutation;

/// A field that is not of its form.
pub(crate) fn invalid(field: &str, what: impl Display) -> Rejection {
    Rejection::new(Reason::ValidationFailed, format!("{field} {what}")).at(field)
}

/// Parses an id.
pub(crate) fn id<T: FromStr<Err: Display>>(text: &str, field: &str) -> Result<T, Rejection> {
    text.parse().map_err(|error| invalid(field, format_args!("is {error}")))
}

/// Parses one of the short texts.
pub(crate) fn text<T, E: Display>(value: Result<T, E>, field: &str) -> Result<T, Rejection> {
    value.map_err(|error| invalid(field, error))
}

/// Parses an amount without a sign.
pub(crate) fn amount(text: &str, field: &str) -> Result<Entered, Rejection> {
    Entered::parse(text).map_err(|error| refuse_amount(error, field))
}

/// Parses an amount that may have a sign.
pub(crate) fn signed_amount(text: &str, field: &str) -> Result<Entered, Rejection> {
    Entered::parse_signed(text).map_err(|error: AmountError| refuse_amount(error, field))
}

/// Parses a moment: microseconds are kept, what is finer is cut off.
pub(crate) fn moment(time: prost_types::Timestamp, field: &str) -> Result<Timestamp, Rejection> {
    let micros = i64::from(time.nanos)
        .checked_div(1000)
        .and_then(|micros| time.seconds.checked_mul(1_000_000)?.checked_add(micros));
    micros
        .and_then(Timestamp::from_micros)
        .ok_or_else(|| invalid(field, "must lie between the years 1970 and 9999"))
}

/// A moment on the wire.
pub(crate) fn time(moment: Timestamp) -> Option<prost_types::Timestamp> {
    let micros = moment.micros();
    let nanos = micros.rem_euclid(1_000_000).checked_mul(1000).and_then(|nanos| i32::try_from(nanos).ok())?;
    Some(prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos })
}

/// A record that is not what its method makes: a fault of the hub.
pub(crate) fn unexpected(record: &Record) -> Status {
    tracing::error!(record_id = %record.record_id, kind = record.kind.as_str(), "a request was answered by another's record");
    crate::status::of_fault("the hub found an unexpected record")
}

macro_rules! mutations {
    ($($message:ident)*) => {
        $(impl Mutation for pointbridge_proto::v1::$message {
            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn validate_only(&self) -> bool {
                self.validate_only
            }
        })*
    };
}

mutations! {
    CreatePartnerRequest UpdatePartnerRequest SuspendPartnerRequest ResumePartnerRequest
    AddCertificateRequest RevokeCertificateRequest RegisterSigningKeyRequest ApproveRequest RejectRequest
    CreateProgramRequest UpdateProgramRequest
    ProposeAgreementRequest AcceptAgreementRequest
    RegisterMembershipRequest IssueLinkCodeRequest MergeMembersRequest GrantConsentRequest WithdrawConsentRequest
    AccruePointsRequest AdjustPointsRequest
    PrepareExchangeRequest CommitExchangeRequest AbortExchangeRequest ReverseExchangeRequest
}
