//! The echo: the hub's own way in, with nothing behind it. What it does is the most that the transport can.
//!
//! Connections are accepted, TLS is shaken and HTTP/2 is served by the hub's own code with its own limits; each call is
//! answered at once with the bytes of an answer that a hub gave. Absent: the gate, validation, decoding, rules, store.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use data_encoding::HEXLOWER;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tower::Service;

use super::order::Samples;
use crate::acceptor::{self, Limits};
use crate::config::ConfigFile;
use crate::transport;
use crate::trust::Trust;

/// Serves echoes with the certificates of a hub's data folder until it is told to end. `listening` is shown the address.
///
/// # Errors
/// The certificates or the answers cannot be read, or there is no free port.
pub async fn run(data: &Path, answers: &Path, listening: impl FnOnce(&str)) -> anyhow::Result<()> {
    let config = ConfigFile::read(data)?.resolve(data)?;
    let samples: Samples = serde_json::from_str(&std::fs::read_to_string(answers)?)?;
    let decode = |hex: &str| HEXLOWER.decode(hex.as_bytes()).map(Bytes::from);
    let echo = Echo { prepare: decode(&samples.prepare_answer)?, commit: decode(&samples.commit_answer)? };
    let options = acceptor::Options {
        trust: Trust::load(config.tls)?,
        trust_domain: config.trust_domain,
        limits: Limits::default(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    listening(&listener.local_addr()?.to_string());
    let (_go_down, going_down) = watch::channel(false);
    let incoming = acceptor::incoming(listener, options, going_down.clone());
    tokio::select! {
        () = transport::serve(incoming, echo, transport::Options::default(), going_down) => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Answers each of the two methods with the same bytes every time.
#[derive(Clone)]
struct Echo {
    prepare: Bytes,
    commit: Bytes,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let is_prepare = request.uri().path().ends_with("/PrepareExchange");
        let answer = if is_prepare { self.prepare.clone() } else { self.commit.clone() };
        Box::pin(async move { Ok(Grpc::new(Plain).unary(Always(answer), request).await) })
    }
}

/// One answer to everything.
struct Always(Bytes);

impl UnaryService<Bytes> for Always {
    type Response = Bytes;
    type Future = Ready<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, _: tonic::Request<Bytes>) -> Self::Future {
        ready(Ok(tonic::Response::new(self.0.clone())))
    }
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
