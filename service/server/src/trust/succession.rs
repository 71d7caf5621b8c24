//! Which lists may follow which: what was revoked stays so, whatever is restored from a backup or left out.
//!
//! A list that was in force is followed by one of the same authority that is not older. It may only go with its authority. One
//! of an authority between has none in the bundle that could go; the hub cannot know whether chains still come by its way, and
//! holds on to it until a start, at which nothing is compared. Absent: whether a list is in force; the verifier asks that.

use std::path::Path;

use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};

use super::authority::Authority;
use super::crl::{self, Crl};
use super::{Parts, State};
use crate::tls::TlsError;

/// The authorities that are trusted no more once these are all.
pub(super) fn retired(old: &State, authorities: &[Authority]) -> Vec<Authority> {
    let mut retired = old.retired.clone();
    retired.extend(old.parts.authorities.iter().filter(|one| !old.retired.contains(one)).cloned());
    retired.retain(|one| !authorities.contains(one));
    retired
}

/// Refuses lists that would bring somebody back.
pub(super) fn no_step_back(
    path: &Path,
    old: &[Crl],
    new: &Parts,
    retired: &[Authority],
) -> Result<(), TlsError> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let refused = |reason: String| Err(TlsError::CrlRefused { path: path.to_owned(), reason });
    let own = crl::assign(path, &new.authorities, &new.lists, &algorithms)?;
    for (authority, list) in new.authorities.iter().zip(own) {
        let of_authority =
            |old: &&Crl| old.issuer == authority.subject && old.is_signed_by(authority, &algorithms);
        let Some(before) = old.iter().find(of_authority) else { continue };
        match list {
            None => {
                return refused(format!("the one of {} is gone, and its authority is not", authority.name));
            }
            Some(list) if list.is_older_than(before) => return refused(older(before)),
            Some(_) => {}
        }
    }
    let is_between = |old: &&Crl| new.authorities.iter().all(|one| one.subject != old.issuer);
    for before in old.iter().filter(is_between).filter(|old| !may_go(old, retired, &algorithms)) {
        match new.lists.iter().find(|list| list.issuer == before.issuer) {
            None => {
                let name = &before.name;
                return refused(format!(
                    "the one of {name} is gone, an authority between: put it back, or restart the hub if no client needs it"
                ));
            }
            Some(list) if list.is_older_than(before) => return refused(older(before)),
            Some(_) => {}
        }
    }
    Ok(())
}

fn older(before: &Crl) -> String {
    format!("the one of {} is older than the one in force", before.name)
}

/// Whether a list went out with its authority. One that another authority signed may stand between from now on.
fn may_go(list: &Crl, retired: &[Authority], algorithms: &WebPkiSupportedAlgorithms) -> bool {
    let made_it = |one: &Authority| one.subject == list.issuer && list.is_signed_by(one, algorithms);
    retired.iter().any(|one| one.is_self_issued && made_it(one))
}
