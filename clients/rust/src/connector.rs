//! From an address to an encrypted stream: TCP, then mutual TLS, then HTTP/2 agreed on.
//!
//! The gRPC library is built without TLS of its own, so that one configuration, the client's, is all there is.

use std::io;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Target;

/// Opens connections to one hub.
#[derive(Clone)]
pub(crate) struct Connector {
    host: String,
    port: u16,
    server_name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

impl Connector {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            host: target.host.clone(),
            port: target.port,
            server_name: target.server_name.clone(),
            tls: Arc::clone(&target.tls),
        }
    }

    /// Opens one connection.
    ///
    /// # Errors
    /// The hub cannot be reached, its certificate is not by a trusted authority or for another name, or it does not
    /// speak HTTP/2.
    pub(crate) async fn open(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let stream = TlsConnector::from(self.tls).connect(self.server_name, tcp).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Ok(TokioIo::new(stream)),
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not speak HTTP/2")),
        }
    }
}
