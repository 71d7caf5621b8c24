//! Calls as bytes: what goes over the wire and what comes back, without the generated messages between.
//!
//! For what no well-behaved client sends, and for comparing answers to the byte.

use std::error::Error;

use pointbridge_client::{Client, Refusal};
use prost::Message;
use prost::bytes::{Buf, BufMut};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::{self, wrappers::ReceiverStream};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// Names and values of headers and trailers.
pub(crate) type Metadata = Vec<(String, Vec<u8>)>;

/// A message is its bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

async fn ready(client: &Client, method: &str) -> Result<(Grpc<Channel>, PathAndQuery), Status> {
    let mut grpc = Grpc::new(client.channel());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok((grpc, method.parse().unwrap()))
}

/// Sends bytes to a method, named as `/package.Service/Method`.
pub(crate) async fn send(client: &Client, method: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
    let (mut grpc, path) = ready(client, method).await?;
    grpc.unary(Request::new(bytes), path, Bytes).await.map(Response::into_inner)
}

/// Sends a message to a method of `pointbridge.v1`, named as `Service/Method`, and answers with the answer's bytes.
pub(crate) async fn ask(client: &Client, method: &str, message: &impl Message) -> Result<Vec<u8>, Status> {
    send(client, &full(method), message.encode_to_vec()).await
}

/// Sends bytes to a method, and answers with its only or, where it `streams`, its first message, and with the metadata.
/// A connection that cannot be made is a status whose message is what its ends said of it.
pub(crate) async fn first(
    channel: Channel,
    method: &str,
    bytes: Vec<u8>,
    streams: bool,
) -> Result<(Vec<u8>, Metadata), Status> {
    first_of(channel, method, Request::new(bytes), streams).await
}

/// The same, of a request with headers of its own.
pub(crate) async fn first_of(
    channel: Channel,
    method: &str,
    request: Request<Vec<u8>>,
    streams: bool,
) -> Result<(Vec<u8>, Metadata), Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(chain(&error)))?;
    let path: PathAndQuery = method.parse().unwrap();
    let explained = |status: Status| match status.source() {
        Some(error) => Status::unavailable(chain(error)),
        None => status,
    };
    if !streams {
        let answer = grpc.unary(request, path, Bytes).await.map_err(explained)?;
        let seen = metadata(answer.metadata());
        return Ok((answer.into_inner(), seen));
    }
    let answer = grpc.server_streaming(request, path, Bytes).await.map_err(explained)?;
    let seen = metadata(answer.metadata());
    let message = answer.into_inner().message().await.map_err(explained)?;
    Ok((message.expect("a stream begins with a message"), seen))
}

/// Headers and trailers but for the date, in order.
pub(crate) fn metadata(map: &MetadataMap) -> Metadata {
    let headers = map.clone().into_headers();
    let mut all: Metadata = headers
        .iter()
        .filter(|(name, _)| name.as_str() != "date")
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    all.sort();
    all
}

/// An error and what caused it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Calls a method without sending any message.
pub(crate) async fn send_nothing(client: &Client, method: &str) -> Result<Vec<u8>, Status> {
    let (mut grpc, path) = ready(client, method).await?;
    let nothing = Request::new(tokio_stream::empty());
    grpc.client_streaming(nothing, path, Bytes).await.map(Response::into_inner)
}

/// Begins a call whose only message comes when `message` is sent; the call's headers are on their way before that.
pub(crate) async fn begin(
    client: &Client,
    method: &str,
    message: oneshot::Receiver<Vec<u8>>,
) -> JoinHandle<Result<Vec<u8>, Status>> {
    let (mut grpc, path) = ready(client, method).await.unwrap();
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Ok(message) = message.await {
            let _ = sender.send(message).await;
        }
    });
    let messages = Request::new(ReceiverStream::new(receiver));
    tokio::spawn(async move { grpc.client_streaming(messages, path, Bytes).await.map(Response::into_inner) })
}

/// The path of a method of `pointbridge.v1`.
pub(crate) fn full(method: &str) -> String {
    format!("/pointbridge.v1.{method}")
}

/// The refusal of a call that must be refused with this code and reason.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> Refusal {
    let status = answer.expect_err("the call must be refused");
    let refusal = Refusal::from(&status);
    assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{status:?}");
    assert!(!refusal.message.is_empty(), "a refusal without a sentence: {status:?}");
    refusal
}

/// The same, where one field of the request is to blame and named.
pub(crate) fn refused_at<T: std::fmt::Debug>(answer: Result<T, Status>, reason: &str, field: &str) {
    let status = answer.expect_err("the call must be refused");
    let refusal = Refusal::from(&status);
    assert_eq!(refusal.reason, reason, "{status:?}");
    let fields: Vec<&str> = refusal.violations.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(fields, [field], "{status:?}");
}

/// Holds that two refusals are the same to the byte, but for the id that each caller sent.
pub(crate) fn assert_alike(what: &str, (one, of): (&Status, &str), (other, of_other): (&Status, &str)) {
    assert_eq!(of.len(), of_other.len(), "{what}: ids of one length are needed to compare details");
    assert_eq!(one.code(), other.code(), "{what}: {one:?} {other:?}");
    assert_eq!(one.message().replace(of, of_other), other.message(), "{what}");
    assert_eq!(replaced(one.details(), of, of_other), other.details(), "{what}: {one:?} {other:?}");
    assert!(!other.details().is_empty(), "{what}: a refusal without details");
}

/// Bytes with one text replaced by another of the same length.
pub(crate) fn replaced(bytes: &[u8], of: &str, by: &str) -> Vec<u8> {
    let mut answer = bytes.to_vec();
    for start in 0..bytes.len().saturating_sub(of.len() - 1) {
        if bytes[start..].starts_with(of.as_bytes()) {
            answer[start..start + of.len()].copy_from_slice(by.as_bytes());
        }
    }
    answer
}
