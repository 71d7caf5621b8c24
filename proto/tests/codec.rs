//! Promises of the codec: bytes that are no message and messages that break their rules are the caller's fault, said
//! in the rich error model; answers are taken as they come.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::Full;
use pointbridge_proto::codec::{CheckedCodec, CheckedDecoder, decode_request};
use pointbridge_proto::v1::{GetPartnerRequest, GetPartnerResponse, Partner};
use prost::{Message, Name};
use tonic::codec::{Codec, Streaming};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The flag and length that stand before a message on the wire.
fn frame(message: &[u8]) -> Full<Bytes> {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    Full::new(framed.freeze())
}

/// Sends bytes through the decoder as a server does.
async fn receive<M: Message + Name + Default + 'static>(message: &[u8]) -> Result<Option<M>, Status> {
    let decoder: CheckedDecoder<M> = CheckedCodec::<M, M>::default().decoder();
    Streaming::new_request(decoder, frame(message), None, None).message().await
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().expect("every refusal has an ErrorInfo");
    assert_eq!(info.domain, "pointbridge");
    info.reason
}

#[tokio::test]
async fn a_good_request_passes() {
    let request = GetPartnerRequest { code: "airline".into() };
    assert_eq!(receive::<GetPartnerRequest>(&request.encode_to_vec()).await.unwrap(), Some(request));
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let not_utf8 = [0x0a, 0x02, 0xc3, 0x28];
    let cut_short = [0x0a, 0x20, b'a'];
    let wrong_type = [0x08, 0x01];
    let groups_without_end = [0x0b; 300];
    for bytes in [not_utf8.as_slice(), &cut_short, &wrong_type, &groups_without_end] {
        let status = receive::<GetPartnerRequest>(bytes).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{bytes:?}");
        assert_eq!(reason(&status), "MALFORMED_MESSAGE", "{bytes:?}");
    }
}

#[tokio::test]
async fn broken_rules_are_named_in_a_bad_request() {
    let status =
        receive::<GetPartnerRequest>(&GetPartnerRequest::default().encode_to_vec()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason(&status), "VALIDATION_FAILED");
    assert_eq!(status.message(), "code is required; correct it and send the request again");
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields.len(), 1);
    assert_eq!((fields[0].field.as_str(), fields[0].description.as_str()), ("code", "is required"));
}

#[tokio::test]
async fn answers_are_not_checked() {
    let answer =
        GetPartnerResponse { partner: Some(Partner { code: "NEW FORM".into(), ..Partner::default() }) };
    assert_eq!(receive::<GetPartnerResponse>(&answer.encode_to_vec()).await.unwrap(), Some(answer));
    let status = receive::<GetPartnerResponse>(&[0x0a, 0x20]).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

#[test]
fn the_worst_refusal_fits_into_trailers() {
    use pointbridge_proto::v1::{AgreementTerms, DirectionTerms, ProposeAgreementRequest};
    let broken = ProposeAgreementRequest {
        terms: Some(AgreementTerms {
            directions: vec![DirectionTerms::default(); 16],
            ..AgreementTerms::default()
        }),
        ..ProposeAgreementRequest::default()
    };
    let status = decode_request::<ProposeAgreementRequest>(&broken.encode_to_vec()).unwrap_err();
    let on_the_wire = status.details().len().div_ceil(3) * 4 + status.message().len();
    assert!(on_the_wire < 8_192 - 512, "{on_the_wire} bytes");
    assert_eq!(status.get_details_error_info().unwrap().metadata["violations"], "195");
}
