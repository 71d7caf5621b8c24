//! The connection that is used now, and the next one when the PEM files have changed.
//!
//! A connection's certificate is fixed at its handshake. So the files are looked at before a call, at most once a second;
//! where they hold something else that fits together, calls go to a new connection from then on, and the old one ends
//! when its last call is answered. What does not fit together, as while files are being replaced, is left for the next
//! look. What is absent: a task of its own; a client that makes no calls does nothing.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::config::{Config, ConnectError, Pem, Target};
use crate::connector::Connector;

/// How long opening a connection may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle connection is tried, and how long the answer may take: a dead one is found within 40 s.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How far apart two looks at the files are at least.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("pointbridge-rust/", env!("CARGO_PKG_VERSION")));

/// One client's way to the hub.
pub(crate) struct Connection {
    config: Config,
    now: Mutex<Now>,
}

struct Now {
    channel: Channel,
    /// What the files held when they were last looked at, whether or not it was any good.
    pem: Pem,
    looked: Instant,
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without what the files hold: a key is among it.
        out.debug_struct("Connection").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Connection {
    /// Reads the files and connects.
    ///
    /// # Errors
    /// The configuration cannot be used, or the hub is not there.
    pub(crate) async fn open(config: &Config) -> Result<Self, ConnectError> {
        let pem = config.read()?;
        let target = config.target(&pem)?;
        let connector = Connector::new(&target);
        let channel = endpoint(target)
            .connect_with_connector(service_fn(move |_| connector.clone().open()))
            .await
            .map_err(|error| ConnectError::Unreachable {
                endpoint: config.endpoint.clone(),
                reason: innermost(&error),
            })?;
        let now = Now { channel, pem, looked: Instant::now() };
        Ok(Self { config: config.clone(), now: Mutex::new(now) })
    }

    /// What is used now, without a look at the files.
    pub(crate) fn present(&self) -> Channel {
        self.now().channel.clone()
    }

    /// What to make the next call on, after a look at the files where one is due.
    pub(crate) async fn current(&self) -> Channel {
        if self.is_due() {
            let config = self.config.clone();
            if let Ok(read) = tokio::task::spawn_blocking(move || config.read()).await {
                self.take(read);
            }
        }
        self.present()
    }

    /// Whether it is time for a look; the one who is told so takes it.
    fn is_due(&self) -> bool {
        let mut now = self.now();
        let is_due = now.looked.elapsed() >= LOOK_INTERVAL;
        if is_due {
            now.looked = Instant::now();
        }
        is_due
    }

    /// Goes over to what was read; whether calls go to a new connection from now on.
    fn take(&self, read: Result<Pem, ConnectError>) -> bool {
        let mut now = self.now();
        let pem = match read {
            Ok(pem) if pem == now.pem => return false,
            Ok(pem) => pem,
            Err(error) => {
                tracing::debug!(%error, "the files cannot be read; the connection stays");
                return false;
            }
        };
        let target = self.config.target(&pem);
        now.pem = pem;
        match target {
            Ok(target) => {
                now.channel = lazy(target);
                tracing::info!("the files have changed; calls go to a new connection");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the files have changed and cannot be used; the connection stays");
                false
            }
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is opened by the first call on it.
fn lazy(target: Target) -> Channel {
    let connector = Connector::new(&target);
    endpoint(target).connect_with_connector_lazy(service_fn(move |_| connector.clone().open()))
}

fn endpoint(target: Target) -> Endpoint {
    let endpoint = Endpoint::from(target.uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let plain = endpoint.clone();
    endpoint.user_agent(USER_AGENT).unwrap_or(plain)
}

/// The cause at the bottom: the layers above it only say that something below failed.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    /// A pair of its own: what the files hold after a renewal.
    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["hub.test".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[tokio::test]
    async fn files_are_followed_when_they_fit_together_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::in_folder("https://127.0.0.1:7443", folder.path(), "till");
        let ((old_certificate, old_key), (new_certificate, new_key)) = (pair(), pair());
        fs::write(&config.ca_pem, &old_certificate).unwrap();
        fs::write(&config.certificate_pem, &old_certificate).unwrap();
        fs::write(&config.key_pem, &old_key).unwrap();
        let pem = config.read().unwrap();
        let channel = lazy(config.target(&pem).unwrap());
        let now = Mutex::new(Now { channel, pem, looked: Instant::now() });
        let connection = Connection { config: config.clone(), now };

        assert!(!connection.take(config.read()), "nothing has changed");
        fs::write(&config.key_pem, &new_key).unwrap();
        assert!(!connection.take(config.read()), "a key that is not the certificate's");
        fs::write(&config.certificate_pem, "half").unwrap();
        assert!(!connection.take(config.read()), "half a file");
        fs::remove_file(&config.certificate_pem).unwrap();
        assert!(!connection.take(config.read()), "no file");
        fs::write(&config.certificate_pem, &new_certificate).unwrap();
        assert!(connection.take(config.read()), "the new pair");
        assert!(!connection.take(config.read()), "which is followed once");
        assert!(!format!("{connection:?}").contains("PRIVATE"), "a key never shows");
    }
}
