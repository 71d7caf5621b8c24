//! One unary call as bytes: its request kept so that it can be sent again, its request id filled in, its answer read whole.
//!
//! Why on bytes: one piece of code then serves every method, today's and later ones, and the generated services stay as they
//! are. What is absent: when a call is sent again (`line`), and streams, which are not repeated.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use pointbridge_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::body::Body;
use tonic::{Code, Status};

/// The longest answer that is taken; the hub sends 4 MiB at most.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What stands before a message: whether it is compressed, and its length in four bytes.
const PREFIX_BYTES: usize = 5;
/// The field that names a call, in every request of a writing method.
const REQUEST_ID: &str = "request_id";
/// That field is number 1 and a text: `1 << 3 | 2`.
const REQUEST_ID_TAG: u8 = 0x0a;

const TIMEOUT: &str = "grpc-timeout";
const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The paths of the methods whose requests carry a request id.
static WRITING: LazyLock<BTreeSet<String>> = LazyLock::new(|| writing(FILE_DESCRIPTOR_SET));

fn writing(descriptors: &[u8]) -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(descriptors).unwrap_or_default();
    let with_id: BTreeSet<String> = set
        .file
        .iter()
        .flat_map(|file| file.message_type.iter().map(move |message| (file.package(), message)))
        .filter(|(_, message)| {
            message.field.iter().any(|field| field.name() == REQUEST_ID && field.number() == 1)
        })
        .map(|(package, message)| format!(".{package}.{}", message.name()))
        .collect();
    set.file
        .iter()
        .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
        .flat_map(|(package, service)| {
            service.method.iter().map(move |method| (package, service.name(), method))
        })
        .filter(|(_, _, method)| with_id.contains(method.input_type()))
        .map(|(package, service, method)| format!("/{package}.{service}/{}", method.name()))
        .collect()
}

/// A call that can be sent more than once.
pub(crate) struct Unary {
    parts: Parts,
    /// Prefix and message.
    frame: Bytes,
    /// The request id, where the caller had left it out.
    pub(crate) request_id: Option<String>,
}

/// How an attempt ended.
pub(crate) enum Attempt {
    /// With an answer, for the generated code to read.
    Answered(Response<Body>),
    /// With a refusal by the hub, and how long it asked to wait before the next attempt.
    Refused(Status, Pushback),
    /// Without an answer: what happened to the call is not known.
    Lost(Status),
}

/// What the hub said about the next attempt beside its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// Nothing.
    Unsaid,
    /// After exactly this time.
    After(Duration),
    /// There shall be none.
    Never,
}

impl Unary {
    /// Reads a request whole and fills its request id in.
    ///
    /// # Errors
    /// The message could not be encoded.
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, Status> {
        let (parts, body) = request.into_parts();
        let frame = body.collect().await?.to_bytes();
        let is_nameless =
            WRITING.contains(parts.uri.path()) && frame.get(PREFIX_BYTES) != Some(&REQUEST_ID_TAG);
        let request_id = is_nameless.then(crate::request_id);
        let frame = match &request_id {
            Some(id) => named(&frame, id)?,
            None => frame,
        };
        Ok(Self { parts, frame, request_id })
    }

    /// The deadline that the caller gave to this call; `None` where it gave none.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        parse_timeout(self.parts.headers.get(TIMEOUT)?.to_str().ok()?)
    }

    /// The request as it goes out, after so many attempts and with so much time left.
    pub(crate) fn request(&self, attempts: u32, left: Duration) -> Request<Body> {
        let mut parts = self.parts.clone();
        if let Ok(value) = HeaderValue::from_str(&timeout_text(left)) {
            parts.headers.insert(TIMEOUT, value);
        }
        if attempts > 0 {
            parts.headers.insert(PREVIOUS_ATTEMPTS, attempts.into());
        }
        Request::from_parts(parts, Body::new(Full::new(self.frame.clone())))
    }
}

/// The frame with a request id before everything else. Messages are written in the order of their fields, so that one that
/// has an id begins with it; and fields may come in any order.
fn named(frame: &Bytes, id: &str) -> Result<Bytes, Status> {
    let too_long = || Status::invalid_argument("the request is too long for a message");
    let message = frame.get(PREFIX_BYTES..).ok_or_else(too_long)?;
    let id_bytes = u8::try_from(id.len()).map_err(|_| too_long())?;
    let length = message.len().saturating_add(id.len()).saturating_add(2);
    let mut renamed = BytesMut::with_capacity(length.saturating_add(PREFIX_BYTES));
    // Not compressed: the client never compresses.
    renamed.put_u8(0);
    renamed.put_u32(u32::try_from(length).map_err(|_| too_long())?);
    renamed.put_u8(REQUEST_ID_TAG);
    renamed.put_u8(id_bytes);
    renamed.put_slice(id.as_bytes());
    renamed.put_slice(message);
    Ok(renamed.freeze())
}

/// Reads an answer whole: only then is it known how the call ended.
pub(crate) async fn read_answer(response: Response<Body>) -> Attempt {
    let (parts, body) = response.into_parts();
    if let Some(refused) = refusal(&parts.headers) {
        return refused;
    }
    if is_gateways(parts.status) {
        return Attempt::Lost(Status::unavailable(format!(
            "something before the hub answered {}",
            parts.status
        )));
    }
    let Ok(collected) = Limited::new(body, ANSWER_BYTES_MAX).collect().await else {
        return Attempt::Lost(Status::unavailable("the connection ended in the middle of the answer"));
    };
    if let Some(refused) = collected.trailers().and_then(refusal) {
        return refused;
    }
    Attempt::Answered(Response::from_parts(parts, Body::new(collected)))
}

/// The refusal that headers or trailers carry; `None` where they carry none, or say that all went well.
fn refusal(headers: &HeaderMap) -> Option<Attempt> {
    let status = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)?;
    let pushback = headers.get(PUSHBACK).map_or(Pushback::Unsaid, |value| {
        let millis = value.to_str().ok().and_then(|text| text.parse().ok());
        millis.map_or(Pushback::Never, |millis| Pushback::After(Duration::from_millis(millis)))
    });
    Some(Attempt::Refused(status, pushback))
}

/// Whether something on the way answered in place of the hub, which never got the call or whose answer it did not get.
fn is_gateways(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// At most eight digits and a unit: whole microseconds as long as they fit, which is a minute and a half.
fn timeout_text(left: Duration) -> String {
    const DIGITS_MAX: u128 = 99_999_999;
    match (left.as_micros(), left.as_millis()) {
        (micros, _) if micros <= DIGITS_MAX => format!("{micros}u"),
        (_, millis) if millis <= DIGITS_MAX => format!("{millis}m"),
        _ => format!("{}S", u128::from(left.as_secs()).min(DIGITS_MAX)),
    }
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => count.checked_mul(3600).map(Duration::from_secs),
        "M" => count.checked_mul(60).map(Duration::from_secs),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pointbridge_proto::v1;

    use super::*;

    fn request(path: &str, message: &impl Message) -> Request<Body> {
        let bytes = message.encode_to_vec();
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(bytes.len()).unwrap());
        frame.put_slice(&bytes);
        let uri = format!("https://hub.test{path}");
        Request::post(uri).body(Body::new(Full::new(frame.freeze()))).unwrap()
    }

    async fn sent(unary: &Unary) -> v1::CommitExchangeRequest {
        let body = unary.request(0, Duration::from_secs(1)).into_body().collect().await.unwrap().to_bytes();
        let length = u32::from_be_bytes(body[1..PREFIX_BYTES].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), body.len() - PREFIX_BYTES);
        v1::CommitExchangeRequest::decode(&body[PREFIX_BYTES..]).unwrap()
    }

    const COMMIT: &str = "/pointbridge.v1.ExchangeService/CommitExchange";

    #[tokio::test]
    async fn a_request_id_is_filled_in_once_and_kept() {
        let commit = v1::CommitExchangeRequest { exchange_id: "exc_1".to_owned(), ..Default::default() };
        let unary = Unary::read(request(COMMIT, &commit)).await.unwrap();
        let (first, second) = (sent(&unary).await, sent(&unary).await);
        assert_eq!(Some(&first.request_id), unary.request_id.as_ref());
        assert_eq!(first.request_id.len(), 36);
        assert_eq!(first, second);
        assert_eq!(first.exchange_id, "exc_1");
        let empty = Unary::read(request(COMMIT, &v1::CommitExchangeRequest::default())).await.unwrap();
        assert_eq!(sent(&empty).await.request_id.len(), 36, "a message without any field");
    }

    #[tokio::test]
    async fn what_the_caller_named_and_what_has_no_name_stays_as_it_is() {
        let commit = v1::CommitExchangeRequest { request_id: "mine".to_owned(), ..Default::default() };
        let unary = Unary::read(request(COMMIT, &commit)).await.unwrap();
        assert_eq!(unary.request_id, None);
        assert_eq!(sent(&unary).await, commit);
        let read = v1::GetExchangeRequest { exchange_id: "exc_1".to_owned() };
        let unary = Unary::read(request("/pointbridge.v1.ExchangeService/GetExchange", &read)).await.unwrap();
        assert_eq!(unary.request_id, None);
    }

    #[test]
    fn writing_methods_are_found_in_the_descriptors() {
        let writing = writing(FILE_DESCRIPTOR_SET);
        assert!(writing.contains(COMMIT) && writing.contains("/pointbridge.v1.PartnerService/CreatePartner"));
        assert!(!writing.contains("/pointbridge.v1.ExchangeService/QuoteExchange"));
        assert!(writing.len() > 20, "{}", writing.len());
    }

    #[test]
    fn times_are_written_so_that_they_can_be_read() {
        for (time, text) in [
            (Duration::from_micros(1500), "1500u"),
            (Duration::from_secs(10), "10000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(200_000), "200000S"),
        ] {
            assert_eq!(timeout_text(time), text);
            assert_eq!(parse_timeout(text), Some(time));
        }
        for text in ["", "S", "1x", "-1S"] {
            assert_eq!(parse_timeout(text), None, "{text}");
        }
    }

    #[test]
    fn a_pushback_is_a_time_or_the_end() {
        let said = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("14"));
            headers.insert(PUSHBACK, HeaderValue::from_static(value));
            match refusal(&headers) {
                Some(Attempt::Refused(status, pushback)) => (status.code(), pushback),
                _ => panic!("no refusal"),
            }
        };
        assert_eq!(said("250"), (Code::Unavailable, Pushback::After(Duration::from_millis(250))));
        assert_eq!(said("-1").1, Pushback::Never);
        assert_eq!(said("soon").1, Pushback::Never);
        let mut fine = HeaderMap::new();
        fine.insert("grpc-status", HeaderValue::from_static("0"));
        assert!(refusal(&fine).is_none());
    }
}
