//! A change of authority with overlap: a new one signs from now on, the old one is taken until it is removed.
//!
//! The old authority goes to `retired/` and keeps signing its revocation list, so that nobody who holds an old
//! certificate notices. `hub-ca.pem` holds both, for clients: with it they know the hub before and after its own
//! certificate is renewed. Absent: signing the new authority by the old one, which clients would have to look through
//! as a chain.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ca::{Ca, New};
use super::certificate::{Certificate, plain_hex, read_certificates};
use super::folder::{self, CA_KEY, CA_PEM, HUB_CA_PEM, Locked, RETIRED, Staged};
use super::{PkiError, trusted};
use crate::secret_file;

/// Most authorities that may sign revocation lists beside the one that signs certificates.
const RETIRED_MAX: usize = 4;
/// Digits of the fingerprint that name a retired authority's files.
const NAME_DIGITS: usize = 16;

/// A change of authority that has begun.
#[derive(Debug)]
pub struct Rotated {
    /// The authority that signs from now on.
    pub new: Certificate,
    /// The one before it.
    pub old: Certificate,
    /// Both, for the hub's clients.
    pub hub_ca_pem: PathBuf,
}

/// An authority that is no longer taken.
#[derive(Debug)]
pub struct Removed {
    /// The authority.
    pub authority: Certificate,
    /// The file of its key, which was deleted with it.
    pub deleted_key: Option<PathBuf>,
}

impl Ca {
    /// Makes a new authority that signs from now on, and keeps the old one among those that the hub takes.
    ///
    /// # Errors
    /// In this order: somebody else changed the authority meanwhile, too many changes are under way already, or the
    /// folder cannot be written.
    pub fn rotate(self) -> Result<(Self, Rotated), PkiError> {
        let folder = self.folder().to_owned();
        let locked = folder::lock(&folder)?;
        // What is retired is the key that lies there: it must be this one's.
        self.is_still_there(&locked)?;
        if self.retired()?.len() >= RETIRED_MAX {
            let said = format!(
                "{RETIRED_MAX} older authorities are there still: end those changes first with `pointbridge pki remove`"
            );
            return Err(PkiError::RequestRefused(said));
        }
        let old = self.certificate().clone();
        let (changed, staged) = self.prepare(&locked)?;
        staged.settle()?;
        let new = changed.certificate().clone();
        Ok((changed, Rotated { new, old, hub_ca_pem: folder.join(HUB_CA_PEM) }))
    }

    /// Makes the new authority and lets the hub and its clients know it, before it can sign for anybody.
    fn prepare(&self, locked: &Locked) -> Result<(Self, New), PkiError> {
        let folder = self.folder();
        let mut taken = trusted::authorities(folder)?;
        // A new authority that was left by a change that was cut off never signed for anybody.
        let left = read_certificates(Staged::left_beside(&folder.join(CA_PEM)).beside()).unwrap_or_default();
        taken.retain(|one| !left.contains(one));
        self.retire()?;
        let staged = New::stage(folder, self.trust_domain())?;
        let changed = Self::of(folder, staged.open()?)?;
        changed.write_hub_ca()?;
        taken.insert(0, changed.certificate().clone());
        changed.publish(locked, &taken, None)?;
        trusted::write_authorities(folder, &taken)?;
        Ok((changed, staged))
    }

    /// Copies the authority to where the retired ones are.
    fn retire(&self) -> Result<(), PkiError> {
        let folder = self.folder().join(RETIRED);
        secret_file::create_folder(&folder)?;
        let path = retired_pem(&folder, self.certificate());
        let key: Zeroizing<String> = secret_file::read(&self.folder().join(CA_KEY))?;
        folder::stage_secret(&path.with_extension("key"), &key)?.settle()?;
        folder::replace_public(&path, &self.certificate().pem())
    }

    fn write_hub_ca(&self) -> Result<(), PkiError> {
        let text: String = self.own_certificates()?.iter().map(Certificate::pem).collect();
        folder::replace_public(&self.folder().join(HUB_CA_PEM), &text)
    }
}

/// Takes an authority, named by its file or by the beginning of its fingerprint, and its revocation list away from
/// those of the folder. A retired authority's key is deleted.
///
/// # Errors
/// In this order: nothing or several authorities are named, it is the only one, or the folder cannot be written.
pub fn remove(folder: &Path, authority: &str) -> Result<Removed, PkiError> {
    let locked = folder::lock(folder)?;
    let own = if folder.join(CA_PEM).exists() && folder.join(CA_KEY).exists() {
        Some(Ca::open_locked(folder, &locked)?)
    } else {
        None
    };
    let mut taken = trusted::authorities(folder)?;
    let digits = match read_certificates(Path::new(authority)) {
        Ok(certificates) => certificates.first().map(|first| first.fingerprint.clone()).unwrap_or_default(),
        // What is no file is a fingerprint.
        Err(PkiError::Unreadable { .. }) => plain_hex(authority)?,
        Err(error) => return Err(error),
    };
    let authority = trusted::named(&taken, &digits)?;
    if taken.len() == 1 {
        let said = "it is the only authority: nobody could call the hub without it; import another one first";
        return Err(PkiError::RequestRefused(said.to_owned()));
    }
    taken.retain(|one| *one != authority);
    trusted::write_authorities(folder, &taken)?;
    let mut lists = trusted::lists(folder)?;
    lists.retain(|list| !list.is_signed_by(&authority));
    trusted::write_lists(folder, &lists)?;
    let mut deleted_key = None;
    if let Some(ca) = own {
        let path = retired_pem(&folder.join(RETIRED), &authority);
        let key = path.with_extension("key");
        if *ca.certificate() != authority && key.exists() {
            fs::remove_file(&key).map_err(|source| PkiError::Unwritable { path: key.clone(), source })?;
            ca.write_hub_ca()?;
            deleted_key = Some(key);
        }
    }
    Ok(Removed { authority, deleted_key })
}

fn retired_pem(folder: &Path, authority: &Certificate) -> PathBuf {
    let name = authority.fingerprint.get(..NAME_DIGITS).unwrap_or(&authority.fingerprint);
    folder.join(format!("{name}.pem"))
}

#[cfg(test)]
mod tests;
