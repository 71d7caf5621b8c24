//! The codec of every generated service: prost, and on the way in the rules beside the fields.
//!
//! Why here and not in the handlers: a handler then sees well-formed requests only, and none can forget to look. It
//! also gives bytes that are no message the answer that they deserve; prost's own codec blames the server. Requests
//! are checked, answers are not: a client that checked them would break when a newer hub sends more. Size limits and
//! compression are absent; tonic keeps them.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use prost::bytes::Buf;
use prost::{Message, Name};
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic::{Code, Status};
use tonic_prost::ProstEncoder;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::reason::ERROR_DOMAIN;
use crate::v1::ErrorReason;
use crate::validate::{ValidateError, Violations, violations};

/// What the names of the messages end with that are checked.
const REQUEST_SUFFIX: &str = "Request";

/// When to come back where the hub cannot check requests: as after its other faults.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Encodes `T`; decodes `U`, and checks it if it is a request.
pub struct CheckedCodec<T, U>(PhantomData<(T, U)>);

/// Decodes `U`, and checks it if it is a request.
pub struct CheckedDecoder<U>(PhantomData<U>);

// Written by hand, because deriving them would ask the same of `T` and `U`, which are never held.
impl<T, U> Default for CheckedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Clone for CheckedCodec<T, U> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<T, U> fmt::Debug for CheckedCodec<T, U> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CheckedCodec")
    }
}

impl<U> Default for CheckedDecoder<U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<U> fmt::Debug for CheckedDecoder<U> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CheckedDecoder")
    }
}

impl<T, U> Codec for CheckedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CheckedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckedDecoder::default()
    }
}

impl<U: Message + Name + Default> Decoder for CheckedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        if U::NAME.ends_with(REQUEST_SUFFIX) {
            decode_request(&bytes).map(Some)
        } else {
            U::decode(bytes)
                .map(Some)
                .map_err(|_| Status::internal("the answer is not the message it should be"))
        }
    }
}

/// Decodes a request and checks it by the rules beside its fields.
///
/// # Errors
/// In this order: `INVALID_ARGUMENT` with reason `MALFORMED_MESSAGE` for bytes that are not the message; `INTERNAL` if
/// the rules cannot be used; `INVALID_ARGUMENT` with reason `VALIDATION_FAILED` and a `BadRequest` that names the
/// fields.
pub fn decode_request<U: Message + Name + Default>(bytes: &[u8]) -> Result<U, Status> {
    let message = U::decode(bytes).map_err(|_| malformed())?;
    match violations(&U::full_name(), bytes) {
        Ok(found) if found.is_empty() => Ok(message),
        Ok(found) => Err(invalid(&found)),
        Err(ValidateError::Malformed) => Err(malformed()),
        Err(ValidateError::Rules(_)) => Err(unusable()),
    }
}

fn malformed() -> Status {
    let details =
        ErrorDetails::with_error_info(ErrorReason::MalformedMessage.info_reason(), ERROR_DOMAIN, []);
    let message =
        "the bytes are not the message that this method takes; generate the client from this API's files";
    Status::with_error_details(Code::InvalidArgument, message, details)
}

fn unusable() -> Status {
    let mut details = ErrorDetails::with_error_info(ErrorReason::Internal.info_reason(), ERROR_DOMAIN, []);
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Internal, "the hub cannot check requests; tell its operator", details)
}

fn invalid(found: &Violations) -> Status {
    let total = [("violations".to_owned(), found.total.to_string())];
    let mut details =
        ErrorDetails::with_error_info(ErrorReason::ValidationFailed.info_reason(), ERROR_DOMAIN, total);
    let named: Vec<FieldViolation> = found
        .named
        .iter()
        .map(|violation| FieldViolation::new(violation.field.clone(), violation.description.clone()))
        .collect();
    details.set_bad_request(named);
    Status::with_error_details(Code::InvalidArgument, found.sentence(), details)
}
