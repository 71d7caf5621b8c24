//! From an address to an encrypted stream: TCP, then mutual TLS, then HTTP/2 agreed on.
//!
//! The gRPC library is built without TLS of its own, so that one configuration, the client's, is all there is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Target;

/// How long the hub's first word is waited for. The hub speaks at once; what stands between may wait for the client.
const FIRST_WORD_WAIT: Duration = Duration::from_secs(1);

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
    /// The hub cannot be reached, its certificate is not by a trusted authority or for another name, it does not speak
    /// HTTP/2, or it refuses the caller's certificate.
    pub(crate) async fn open(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let mut stream = TlsConnector::from(self.tls).connect(self.server_name, tcp).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not speak HTTP/2"));
        }
        hear(&mut stream).await?;
        Ok(TokioIo::new(stream))
    }
}

/// Waits for the hub's first word, and leaves it to be read.
///
/// With TLS 1.3 the hub judges the caller's certificate after the caller's handshake. Who writes at once is cut off while
/// it writes, and mostly never reads the alert that says why.
async fn hear(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    match timeout(FIRST_WORD_WAIT, stream.fill_buf()).await {
        Ok(heard) => heard.map(|_| ()),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::aws_lc_rs;
    use rustls::server::WebPkiClientVerifier;
    use rustls::version::TLS13;
    use rustls::{RootCertStore, ServerConfig};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::config::Config;

    /// A hub that trusts nobody but itself, and where it listens.
    async fn strict(own: &CertifiedKey<rcgen::KeyPair>) -> (TlsAcceptor, TcpListener) {
        let mut trusted = RootCertStore::empty();
        trusted.add(own.cert.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider));
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(judge.build().unwrap())
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// A client of the hub, with this certificate.
    fn client(hub: &str, own: &CertifiedKey<rcgen::KeyPair>, port: u16) -> Connector {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::in_folder(format!("https://127.0.0.1:{port}"), folder.path(), "till");
        config.server_name = Some("hub.test".to_owned());
        fs::write(&config.ca_pem, hub).unwrap();
        fs::write(&config.certificate_pem, own.cert.pem()).unwrap();
        fs::write(&config.key_pem, own.signing_key.serialize_pem()).unwrap();
        Connector::new(&config.target(&config.read().unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_hub_that_refuses_the_certificate_is_heard_each_time() {
        let own = generate_simple_self_signed(vec!["hub.test".to_owned()]).unwrap();
        let (acceptor, listener) = strict(&own).await;
        let stranger = generate_simple_self_signed(vec!["till.test".to_owned()]).unwrap();
        let connector = client(&own.cert.pem(), &stranger, listener.local_addr().unwrap().port());
        for _ in 0..10 {
            let answer = async {
                let (tcp, _) = listener.accept().await.unwrap();
                assert!(acceptor.accept(tcp).await.is_err(), "a stranger's certificate");
            };
            let (opened, ()) = tokio::join!(connector.clone().open(), answer);
            let why = opened.map(|_| ()).unwrap_err().to_string();
            assert!(why.contains("received fatal alert"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_hub_that_waits_for_the_first_word_is_given_it() {
        let own = generate_simple_self_signed(vec!["hub.test".to_owned()]).unwrap();
        let (acceptor, listener) = strict(&own).await;
        let connector = client(&own.cert.pem(), &own, listener.local_addr().unwrap().port());
        let silent = async { acceptor.accept(listener.accept().await.unwrap().0).await };
        let (opened, held) = tokio::join!(connector.open(), silent);
        assert!(held.is_ok(), "{held:?}");
        assert!(opened.is_ok(), "{:?}", opened.err());
    }
}
