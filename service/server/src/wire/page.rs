//! Page tokens: the key of the last row, as opaque text.
//!
//! A token says where to go on, never what may be seen: the scope is the caller's on every page. One that was made for
//! another list is refused.

use data_encoding::BASE64URL_NOPAD;
use pointbridge_core::canonical::{hex, parse_hash};
use pointbridge_core::certificate::CertificateKey;
use pointbridge_core::ids::{AgreementId, ApprovalId, ConsentId, ExchangeId, ProgramId};
use pointbridge_core::ledger::LotKey;
use pointbridge_core::rejection::Rejection;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::{Expiry, Month, Timestamp};
use pointbridge_store::{ConsentListKey, Page};

/// How many rows a page has where the caller does not say.
const SIZE_DEFAULT: u32 = 50;

/// A key that pages of a list go by.
pub trait PageKey: Sized {
    /// Names the list.
    const LIST: &'static str;
    /// The most rows of a page of this list.
    const SIZE_MAX: u32 = 500;
    /// As text.
    fn write(&self) -> String;
    /// Reads what [`PageKey::write`] wrote.
    fn read(text: &str) -> Option<Self>;
}

/// The page that a request asks for.
pub(crate) fn page<K: PageKey>(size: u32, token: &str) -> Result<Page<K>, Rejection> {
    let size = if size == 0 { SIZE_DEFAULT } else { size.min(K::SIZE_MAX) };
    if token.is_empty() {
        return Ok(Page { after: None, size });
    }
    let after = read(token).ok_or_else(|| {
        super::invalid(
            "page_token",
            "is not one that this list gave: begin again without it, and change nothing else between pages",
        )
    })?;
    Ok(Page { after: Some(after), size })
}

/// The token of the page after; empty after the last.
pub(crate) fn next_token<K: PageKey>(next: Option<&K>) -> String {
    next.map(|key| BASE64URL_NOPAD.encode(format!("{}|{}", K::LIST, key.write()).as_bytes()))
        .unwrap_or_default()
}

fn read<K: PageKey>(token: &str) -> Option<K> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (list, key) = text.split_once('|')?;
    if list == K::LIST { K::read(key) } else { None }
}

macro_rules! id_keys {
    ($($id:ty = $list:literal;)*) => {
        $(impl PageKey for $id {
            const LIST: &'static str = $list;

            fn write(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })*
    };
}

id_keys! {
    ProgramId = "programs";
    ExchangeId = "exchanges";
    ApprovalId = "approvals";
}

/// An agreement with two versions of 16 directions has up to 9 KiB: 500 of them would not fit into an answer.
impl PageKey for AgreementId {
    const LIST: &'static str = "agreements";
    const SIZE_MAX: u32 = 100;

    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl PageKey for PartnerCode {
    const LIST: &'static str = "partners";

    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl PageKey for CertificateKey {
    const LIST: &'static str = "certificates";

    fn write(&self) -> String {
        let owner = self.owner.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{}|{owner}", hex(&self.fingerprint))
    }

    fn read(text: &str) -> Option<Self> {
        let (fingerprint, owner) = text.split_once('|')?;
        let owner = if owner.is_empty() { None } else { Some(PartnerCode::new(owner).ok()?) };
        Some(Self { fingerprint: parse_hash(fingerprint)?, owner })
    }
}

/// A posting's number in its account.
impl PageKey for i64 {
    const LIST: &'static str = "postings";

    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl PageKey for ConsentListKey {
    const LIST: &'static str = "consents";

    fn write(&self) -> String {
        format!("{}|{}", self.0.micros(), self.1)
    }

    fn read(text: &str) -> Option<Self> {
        let (granted, id) = text.split_once('|')?;
        Some((Timestamp::from_micros(granted.parse().ok()?)?, id.parse::<ConsentId>().ok()?))
    }
}

impl PageKey for LotKey {
    const LIST: &'static str = "lots";

    fn write(&self) -> String {
        format!("{}|{}|{}", self.expiry.micros(), self.origin.number(), u8::from(self.exchangeable))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '|');
        let expiry = Expiry::from_micros(parts.next()?.parse().ok()?)?;
        let origin = Month::from_number(parts.next()?.parse().ok()?);
        let exchangeable = match parts.next()? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        Some(Self { expiry, origin, exchangeable })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_in_its_own_list_and_nowhere_else() {
        let key = LotKey { expiry: Expiry::Never, origin: Month::from_number(24_322), exchangeable: true };
        let token = next_token(Some(&key));
        assert_eq!(page::<LotKey>(0, &token).unwrap(), Page { after: Some(key), size: SIZE_DEFAULT });
        for foreign in [
            token.as_str(),
            "x",
            "é",
            "====",
            "cG9zdGluZ3N8",
            &next_token(Some(&PartnerCode::new("airline").unwrap())),
        ] {
            assert!(page::<i64>(10, foreign).is_err(), "{foreign}");
        }
        assert_eq!(page::<i64>(9999, "").unwrap(), Page { after: None, size: 500 });
        assert_eq!(next_token::<i64>(None), "");
    }
}
