//! Who is trusted now: the server's own certificate, the clients' authorities and their revocation lists, kept current.
//!
//! ```text
//! files ─► read each, keep the last good one of each ─► State (swapped as a whole) ─┬─► new handshakes: TLS configuration
//!   ▲ looked at twice a second, and at SIGHUP                                       └─► every call: Standing::ask
//! ```
//! A connection outlives what was decided when it was made. Each therefore keeps the chain that its client sent, and every call
//! asks whether that chain would still be taken: by the same verifier that new handshakes meet, so that the two cannot
//! disagree. The answer is kept until the state changes or a certificate or list comes to its end. Absent on purpose: fetching
//! lists or asking responders over the network; a hub decides by what lies in its files.

mod authority;
mod crl;
mod expiry;
mod reload;
mod succession;
mod verifier;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, UnixTime};

pub use self::expiry::End;
pub use self::reload::{POLL_INTERVAL, keep_current};
pub use self::verifier::Distrust;

use self::authority::{Authority, Validity};
use self::crl::Crl;
use self::reload::Prints;
use self::verifier::{ClientVerifier, Material};
use crate::tls::{self, ServerFiles, TlsError};

/// What is trusted now. Shared by the acceptor, by every connection and by what keeps it current.
#[derive(Debug)]
pub struct Trust {
    files: ServerFiles,
    /// What the files held when they were read first.
    first: Prints,
    state: RwLock<Arc<State>>,
    /// Told when somebody asks for the files to be read at once.
    hangup: tokio::sync::Notify,
}

/// Good parts that go together.
#[derive(Clone)]
struct Parts {
    identity: Arc<CertifiedKey>,
    authorities: Arc<Vec<Authority>>,
    lists: Arc<Vec<Crl>>,
}

struct State {
    /// Counts the changes; what was decided under another number is asked again.
    generation: u64,
    tls: Arc<ServerConfig>,
    verifier: Arc<ClientVerifier>,
    parts: Parts,
    /// The authorities that were trusted since the start and are no more.
    retired: Vec<Authority>,
}

impl fmt::Debug for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("State").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl State {
    fn new(
        files: &ServerFiles,
        parts: Parts,
        retired: Vec<Authority>,
        generation: u64,
    ) -> Result<Self, TlsError> {
        let verifier = Arc::new(ClientVerifier::new(&Material {
            authorities: &parts.authorities,
            authorities_path: &files.client_ca_pem,
            lists: &parts.lists,
            lists_path: files.client_crl.path(),
            without_list: &files.authorities_without_crl,
        })?);
        let for_handshakes: Arc<dyn ClientCertVerifier> = Arc::<ClientVerifier>::clone(&verifier);
        let tls = tls::server_config(Arc::clone(&parts.identity), for_handshakes)?;
        Ok(Self { generation, tls, verifier, parts, retired })
    }

    /// The first second after `now` at which something of this state, or of the chain, may have come to its end.
    fn next_end(&self, chain_ends: &[i64], now: i64) -> i64 {
        let authorities = self.parts.authorities.iter().map(|authority| authority.validity.until);
        let lists = self.parts.lists.iter().map(|list| list.validity.until);
        let ends = authorities.chain(lists).chain(chain_ends.iter().copied());
        // The last good second and the one behind it: one kind of end counts the second itself, the other does not.
        ends.flat_map(|end| [end, end.saturating_add(1)]).filter(|end| *end > now).min().unwrap_or(i64::MAX)
    }
}

impl Trust {
    /// Reads all files.
    ///
    /// # Errors
    /// The file at fault and what to do: the authorities, then the lists, then the certificate, then the key. At the start
    /// nothing is tolerated but what is over, which is told in the log and refused to those whom it concerns.
    pub fn load(files: ServerFiles) -> Result<Arc<Self>, TlsError> {
        let first = Prints::of(&files);
        let authorities = Arc::new(authority::read(&files.client_ca_pem)?);
        let lists = Arc::new(crl::read(&files.client_crl)?);
        let identity = tls::identity(&files)?;
        let state = State::new(&files, Parts { identity, authorities, lists }, Vec::new(), 0)?;
        let hangup = tokio::sync::Notify::new();
        Ok(Arc::new(Self { files, first, state: RwLock::new(Arc::new(state)), hangup }))
    }

    /// The configuration of the next handshake.
    #[must_use]
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.state().tls)
    }

    /// Has the files read at once, as SIGHUP asks: whoever sends it says that they are whole.
    pub fn read_now(&self) {
        self.hangup.notify_one();
    }

    /// Reads the files here and now.
    #[cfg(test)]
    pub(crate) fn reload_now(&self) {
        assert_eq!(self.reload().iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads all files and takes what is good of them; answers with what was not.
    fn reload(&self) -> Vec<TlsError> {
        let (old, files) = (self.state(), &self.files);
        let mut faults = Vec::new();
        let identity = tls::identity(files).and_then(|new| in_force(files, new, &old.parts.identity));
        let identity = keep(identity, &old.parts.identity, &mut faults);
        let authorities = authority::read(&files.client_ca_pem).map(Arc::new);
        let authorities = keep(authorities, &old.parts.authorities, &mut faults);
        let lists = keep(crl::read(&files.client_crl).map(Arc::new), &old.parts.lists, &mut faults);
        // A revocation must not wait for a bundle that is at fault, nor an authority's end for a list.
        let pairs = [
            (&authorities, &lists),
            (&old.parts.authorities, &lists),
            (&authorities, &old.parts.lists),
            (&old.parts.authorities, &old.parts.lists),
        ];
        for (authorities, lists) in pairs {
            let identity = Arc::clone(&identity);
            let parts = Parts { identity, authorities: Arc::clone(authorities), lists: Arc::clone(lists) };
            match self.successor(&old, parts) {
                Ok(next) => {
                    self.put(next);
                    break;
                }
                Err(fault) => faults.push(fault),
            }
        }
        faults
    }

    /// The state that follows with these parts; `None` where they are those that it has.
    fn successor(&self, old: &State, parts: Parts) -> Result<Option<State>, TlsError> {
        let same = parts.identity.cert == old.parts.identity.cert
            && parts.authorities == old.parts.authorities
            && parts.lists == old.parts.lists;
        if same {
            return Ok(None);
        }
        let retired = succession::retired(old, &parts.authorities);
        succession::no_step_back(self.files.client_crl.path(), &old.parts.lists, &parts, &retired)?;
        State::new(&self.files, parts, retired, old.generation.wrapping_add(1)).map(Some)
    }

    fn put(&self, next: Option<State>) {
        let Some(next) = next else { return };
        let revoked: usize = next.parts.lists.iter().map(|list| list.revoked).sum();
        tracing::info!(
            authorities = next.parts.authorities.len(),
            lists = next.parts.lists.len(),
            revoked,
            "certificates and revocation lists taken"
        );
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}

/// The new part, or the old one and a fault.
fn keep<T>(new: Result<Arc<T>, TlsError>, old: &Arc<T>, faults: &mut Vec<TlsError>) -> Arc<T> {
    new.unwrap_or_else(|fault| {
        faults.push(fault);
        Arc::clone(old)
    })
}

/// A certificate that is not in force takes the place of none that is.
fn in_force(
    files: &ServerFiles,
    new: Arc<CertifiedKey>,
    old: &CertifiedKey,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let now = seconds(UnixTime::now());
    let amiss = |one: &CertifiedKey| one.cert.first().and_then(|leaf| Validity::of(leaf)?.amiss(now));
    match amiss(&new) {
        Some(state) if amiss(old).is_none() => {
            Err(TlsError::CertificateNotInForce { path: files.certificate_pem.clone(), state })
        }
        _ => Ok(new),
    }
}

/// Whether a client's chain is still trusted. Made once per connection and asked with every call.
#[derive(Debug)]
pub struct Standing {
    trust: Arc<Trust>,
    chain: Vec<CertificateDer<'static>>,
    /// When the chain's certificates are over.
    ends: Vec<i64>,
    verdict: Mutex<Option<Verdict>>,
}

#[derive(Debug, Clone, Copy)]
struct Verdict {
    generation: u64,
    from: i64,
    before: i64,
    found: Result<(), Distrust>,
}

impl Standing {
    /// Of a chain, leaf first, as the client sent it.
    #[must_use]
    pub fn new(trust: Arc<Trust>, chain: &[CertificateDer<'_>]) -> Self {
        let chain: Vec<_> = chain.iter().map(|one| one.clone().into_owned()).collect();
        let ends = chain.iter().filter_map(|one| Some(Validity::of(one)?.until)).collect();
        Self { trust, chain, ends, verdict: Mutex::new(None) }
    }

    /// Whether the chain is trusted at this moment.
    ///
    /// # Errors
    /// Why it no longer is.
    pub fn ask(&self) -> Result<(), Distrust> {
        self.ask_at(UnixTime::now())
    }

    fn ask_at(&self, time: UnixTime) -> Result<(), Distrust> {
        let now = seconds(time);
        let state = self.trust.state();
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let holds =
            |one: &&Verdict| one.generation == state.generation && (one.from..one.before).contains(&now);
        if let Some(kept) = verdict.as_ref().filter(holds) {
            return kept.found;
        }
        let found = state.verifier.vouch(&self.chain, time);
        let before = state.next_end(&self.ends, now);
        *verdict = Some(Verdict { generation: state.generation, from: now, before, found });
        found
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
