//! Keeping trust current: the files are looked at twice a second, and at once when somebody asks.
//!
//! What counts is what the files hold, by hash, so that a replaced file, a rewritten one and a swapped symbolic link are all
//! the same. A change is taken once two looks in a row have found it alike: a file that is being written, or a certificate
//! whose key is yet to come, is not read half-way. What is at fault is told once and tried again with every look, for its
//! remedy may be a mode and not a byte.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;

use super::Trust;
use super::expiry::Notices;
use crate::tls::ServerFiles;

/// How often the files are looked at. A change is taken within two looks, so within a second.
pub const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What the four files hold, by hash; nothing of one that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prints([Option<Vec<u8>>; 4]);

impl Prints {
    pub(super) fn of(files: &ServerFiles) -> Self {
        let paths = [&files.certificate_pem, &files.key_pem, &files.client_ca_pem, files.client_crl.path()];
        Self(paths.map(|path| {
            let bytes = zeroize::Zeroizing::new(std::fs::read(path).ok()?);
            Some(digest::digest(&digest::SHA256, &bytes).as_ref().to_vec())
        }))
    }
}

/// Looks at the files for ever, and tells in the log what changed, what is at fault, and what is coming to its end.
pub async fn keep_current(trust: Arc<Trust>) {
    let mut watch = Watch::new(Arc::clone(&trust));
    loop {
        let ask = tokio::select! {
            () = trust.hangup.notified() => Ask::Now,
            () = tokio::time::sleep(POLL_INTERVAL) => Ask::IfSettled,
        };
        // Files may lie on a slow disk.
        let looked = tokio::task::spawn_blocking(move || {
            watch.look(ask);
            watch
        });
        match looked.await {
            Ok(back) => watch = back,
            // The runtime goes down.
            Err(_) => return,
        }
    }
}

/// When to read the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Once a change has settled.
    IfSettled,
    /// Whatever is there.
    Now,
}

/// What was seen and told so far.
pub(super) struct Watch {
    trust: Arc<Trust>,
    taken: Prints,
    seen: Prints,
    pub(super) told: BTreeSet<String>,
    notices: Notices,
}

impl Watch {
    pub(super) fn new(trust: Arc<Trust>) -> Self {
        let taken = trust.first.clone();
        let mut notices = Notices::default();
        notices.tell(&trust);
        Self { trust, seen: taken.clone(), taken, told: BTreeSet::new(), notices }
    }

    pub(super) fn look(&mut self, ask: Ask) {
        let found = Prints::of(&self.trust.files);
        let is_settled = found == self.seen;
        let is_wanted = found != self.taken || !self.told.is_empty();
        self.seen.clone_from(&found);
        if ask == Ask::Now || (is_settled && is_wanted) {
            if ask == Ask::Now {
                tracing::info!("certificates and revocation lists are read, as asked");
            }
            self.taken = found;
            let faults = self.trust.reload().iter().map(ToString::to_string).collect();
            self.tell(faults);
        }
        self.notices.tell(&self.trust);
    }

    /// Each fault once, and its end.
    fn tell(&mut self, faults: BTreeSet<String>) {
        for fault in faults.difference(&self.told) {
            tracing::error!(%fault, "certificates cannot be reloaded: the last good ones stay in force");
        }
        if faults.is_empty() && !self.told.is_empty() {
            tracing::info!("certificates and revocation lists are in order again");
        }
        self.told = faults;
    }
}
