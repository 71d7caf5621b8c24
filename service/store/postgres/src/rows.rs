//! Rows as core's types. What cannot be read as what it should be is a broken invariant, and the text names the column.

use std::sync::Arc;

use pointbridge_core::agreement::{Agreement, AgreementVersion, Pair};
use pointbridge_core::approval::{Approval, Proposal, Verdict};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, Pin, Revocation};
use pointbridge_core::exposure::{Exposure, ExposureKey};
use pointbridge_core::ids::{
    AgreementId, ApprovalId, ConsentId, LinkCodeId, MemberId, MembershipId, ProgramId,
};
use pointbridge_core::ledger::{Account, Lot, LotKey};
use pointbridge_core::member::{Consent, ConsentKey, LinkCode, Membership, Withdrawal};
use pointbridge_core::partner::{Partner, Program};
use pointbridge_core::points::Scale;
use pointbridge_core::record::Record;
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::{Expiry, Month, Timestamp};
use pointbridge_store::StoreError;
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use sqlx::postgres::PgRow;
use sqlx::{Column, Row, TypeInfo};
use uuid::Uuid;

use crate::error;

/// The cells of a row by their columns' names.
pub(crate) trait Cells {
    fn int_or_null(&self, column: &str) -> Result<Option<i64>, StoreError>;
    fn text_or_null(&self, column: &str) -> Result<Option<String>, StoreError>;
    fn bytes_or_null(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError>;
    fn bits_or_null(&self, column: &str) -> Result<Option<Uuid>, StoreError>;

    /// A yes or no.
    fn flag(&self, column: &str) -> Result<bool, StoreError>;

    fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.int_or_null(column)?.ok_or_else(|| unreadable(column))
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        self.text_or_null(column)?.ok_or_else(|| unreadable(column))
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.bytes_or_null(column)?.ok_or_else(|| unreadable(column))
    }

    /// A number that fits a smaller type.
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        T::try_from(self.int(column)?).map_err(|_| unreadable(column))
    }

    fn number_or_null<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let int = self.int_or_null(column)?;
        int.map(|int| T::try_from(int).map_err(|_| unreadable(column))).transpose()
    }

    /// A text with a form: a code, a reference, a currency, an enum's name.
    fn coded<T: for<'de> Deserialize<'de>>(&self, column: &str) -> Result<T, StoreError> {
        decode(&self.text(column)?, column)
    }

    /// A text with a form, or nothing.
    fn coded_or_null<T: for<'de> Deserialize<'de>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.text_or_null(column)?.map(|text| decode(&text, column)).transpose()
    }

    /// 16 bytes, as an id or as they are.
    fn id<T>(&self, column: &str, make: impl FnOnce(Uuid) -> T) -> Result<T, StoreError> {
        self.id_or_null(column, make)?.ok_or_else(|| unreadable(column))
    }

    fn id_or_null<T>(&self, column: &str, make: impl FnOnce(Uuid) -> T) -> Result<Option<T>, StoreError> {
        Ok(self.bits_or_null(column)?.map(make))
    }

    fn hash(&self, column: &str) -> Result<Hash, StoreError> {
        Hash::try_from(self.bytes(column)?).map_err(|_| unreadable(column))
    }

    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.time_or_null(column)?.ok_or_else(|| unreadable(column))
    }

    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let micros = self.int_or_null(column)?;
        micros.map(|micros| Timestamp::from_micros(micros).ok_or_else(|| unreadable(column))).transpose()
    }
}

impl Cells for PgRow {
    /// Whole numbers are as wide as their column needs.
    fn int_or_null(&self, column: &str) -> Result<Option<i64>, StoreError> {
        let place = self.try_column(column).map_err(error::of)?;
        match place.type_info().name() {
            "INT2" => self.try_get::<Option<i16>, _>(column).map(|int| int.map(i64::from)),
            "INT4" => self.try_get::<Option<i32>, _>(column).map(|int| int.map(i64::from)),
            _ => self.try_get(column),
        }
        .map_err(error::of)
    }

    fn text_or_null(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.try_get(column).map_err(error::of)
    }

    fn bytes_or_null(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.try_get(column).map_err(error::of)
    }

    fn bits_or_null(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        self.try_get(column).map_err(error::of)
    }

    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        self.try_get(column).map_err(error::of)
    }
}

fn decode<T: for<'de> Deserialize<'de>>(text: &str, column: &str) -> Result<T, StoreError> {
    T::deserialize(StrDeserializer::<serde::de::value::Error>::new(text)).map_err(|_| unreadable(column))
}

fn unreadable(column: &str) -> StoreError {
    StoreError::Broken(format!("the column {column} holds what was never written to it"))
}

pub(crate) fn partner(row: &impl Cells) -> Result<Partner, StoreError> {
    Ok(Partner {
        code: row.coded("partner_code")?,
        name: row.coded("partner_name")?,
        status: row.coded("partner_status")?,
        created_at: row.time("partner_created_at")?,
        updated_at: row.time("partner_updated_at")?,
    })
}

pub(crate) fn program(row: &impl Cells) -> Result<Program, StoreError> {
    let scale = Scale::new(row.number("scale")?).ok_or_else(|| unreadable("scale"))?;
    Ok(Program {
        program_id: row.id("program_id", ProgramId::new)?,
        partner: row.coded("partner_code")?,
        code: row.coded("program_code")?,
        name: row.coded("program_name")?,
        scale,
        custody: row.coded("custody")?,
        points_expiry_months: row.number("points_expiry_months")?,
        created_at: row.time("program_created_at")?,
        updated_at: row.time("program_updated_at")?,
    })
}

pub(crate) fn membership(row: &impl Cells) -> Result<Membership, StoreError> {
    Ok(Membership {
        membership_id: row.id("membership_id", MembershipId::new)?,
        member_id: row.id("member_id", MemberId::new)?,
        program_id: row.id("program_id", ProgramId::new)?,
        partner: row.coded("partner_code")?,
        external_reference: row.coded("external_reference")?,
        reference_salt: row.id("reference_salt", Uuid::into_bytes)?,
        status: row.coded("membership_status")?,
        created_at: row.time("membership_created_at")?,
    })
}

pub(crate) fn link_code(row: &impl Cells) -> Result<LinkCode, StoreError> {
    Ok(LinkCode {
        link_code_id: row.id("link_code_id", LinkCodeId::new)?,
        code_hash: row.hash("code_hash")?,
        membership_id: row.id("membership_id", MembershipId::new)?,
        partner: row.coded("partner_code")?,
        expires_at: row.time("expires_at")?,
        used_by: row.id_or_null("used_by_membership_id", MembershipId::new)?,
    })
}

pub(crate) fn pair(row: &impl Cells) -> Result<Pair, StoreError> {
    let [low, high]: [PartnerCode; 2] = [row.coded("low_code")?, row.coded("high_code")?];
    Pair::new(&low, &high).ok_or_else(|| unreadable("high_code"))
}

pub(crate) fn agreement(row: &impl Cells) -> Result<Agreement, StoreError> {
    Ok(Agreement {
        agreement_id: row.id("agreement_id", AgreementId::new)?,
        pair: pair(row)?,
        latest_version: row.number("latest_version")?,
        active_version: row.number_or_null("active_version")?,
        active_since: row.time_or_null("active_since")?,
        pending_version: row.number_or_null("pending_version")?,
        created_at: row.time("created_at")?,
    })
}

/// A version whose columns have a prefix, so that two of them can stand in one row.
pub(crate) fn version(row: &impl Cells, prefix: &str) -> Result<Option<AgreementVersion>, StoreError> {
    let named = |column: &str| format!("{prefix}{column}");
    let Some(version) = row.number_or_null(&named("version"))? else { return Ok(None) };
    let terms = serde_json::from_slice(&row.bytes(&named("terms"))?).map_err(|_| unreadable("terms"))?;
    Ok(Some(AgreementVersion {
        agreement_id: row.id("agreement_id", AgreementId::new)?,
        version,
        author: row.coded(&named("author_code"))?,
        terms,
        terms_hash: row.hash(&named("terms_hash"))?,
        proposed_at: row.time(&named("proposed_at"))?,
    }))
}

pub(crate) fn consent_key(row: &impl Cells) -> Result<ConsentKey, StoreError> {
    Ok(ConsentKey {
        membership_id: row.id("membership_id", MembershipId::new)?,
        recipient: row.coded("recipient_code")?,
        scope: row.coded("consent_scope")?,
    })
}

pub(crate) fn consent(row: &impl Cells) -> Result<Consent, StoreError> {
    let ConsentKey { membership_id, recipient, scope } = consent_key(row)?;
    Ok(Consent {
        consent_id: row.id("consent_id", ConsentId::new)?,
        membership_id,
        recipient,
        scope,
        purpose: row.coded("purpose")?,
        notice_version: row.coded("notice_version")?,
        evidence_hash: row.hash("evidence_hash")?,
        granted_at: row.time("granted_at")?,
        expires_at: row.time_or_null("expires_at")?,
    })
}

/// The end of the row's consent, where it has one.
pub(crate) fn withdrawal(row: &impl Cells) -> Result<Option<Withdrawal>, StoreError> {
    let Some(withdrawn_at) = row.time_or_null("withdrawn_at")? else { return Ok(None) };
    let consent_id = row.id("consent_id", ConsentId::new)?;
    Ok(Some(Withdrawal { consent_id, reason: row.coded("reason")?, withdrawn_at }))
}

pub(crate) fn account(row: &impl Cells) -> Result<Account, StoreError> {
    Ok(Account {
        membership_id: row.id("membership_id", MembershipId::new)?,
        posted: row.int("posted")?,
        held: row.int("held")?,
        postings: row.int("postings")?,
        live_holds: row.number("live_holds")?,
    })
}

pub(crate) fn lot(row: &impl Cells) -> Result<(LotKey, Lot), StoreError> {
    let expiry = Expiry::from_micros(row.int("expires_at")?).ok_or_else(|| unreadable("expires_at"))?;
    let origin = Month::from_number(row.number("origin_month")?);
    let key = LotKey { expiry, origin, exchangeable: row.flag("exchangeable")? };
    Ok((key, Lot { remaining: row.int("remaining")?, held: row.int("held")? }))
}

pub(crate) fn exposure(row: &impl Cells) -> Result<Exposure, StoreError> {
    Ok(Exposure {
        key: ExposureKey { pair: pair(row)?, currency: row.coded("currency")? },
        committed_low: row.int("committed_low")?,
        prepared_low: row.int("prepared_low")?,
        prepared_high: row.int("prepared_high")?,
    })
}

pub(crate) fn proposal(row: &impl Cells) -> Result<Proposal, StoreError> {
    serde_json::from_slice(&row.bytes("proposal")?).map_err(|_| unreadable("proposal"))
}

pub(crate) fn approval(row: &impl Cells) -> Result<Approval, StoreError> {
    let verdict = match row.time_or_null("decided_at")? {
        Some(at) => Some(Verdict { by: row.text("decided_by")?, at, reason: row.coded_or_null("reason")? }),
        None => None,
    };
    Ok(Approval {
        approval_id: row.id("approval_id", ApprovalId::new)?,
        proposal: proposal(row)?,
        content_hash: row.hash("content_hash")?,
        subject_changed_at: row.time("subject_changed_at")?,
        requested_by: row.text("requested_by")?,
        requested_at: row.time("requested_at")?,
        expires_at: row.time("expires_at")?,
        state: row.coded("state")?,
        verdict,
    })
}

pub(crate) fn certificate(row: &impl Cells) -> Result<Certificate, StoreError> {
    let pin = match row.time_or_null("pinned_at")? {
        Some(at) => Some(Pin {
            principal: row.text("principal")?,
            serial: row.text("serial")?,
            not_before: row.time("not_before")?,
            not_after: row.time("not_after")?,
            by: row.text("pinned_by")?,
            at,
        }),
        None => None,
    };
    let revocation = match row.time_or_null("revoked_at")? {
        Some(at) => {
            Some(Revocation { by: row.text("revoked_by")?, at, reason: row.coded("revocation_reason")? })
        }
        None => None,
    };
    let owner = row.text("owner")?;
    let owner = if owner.is_empty() { None } else { Some(decode(&owner, "owner")?) };
    Ok(Certificate { fingerprint: row.hash("fingerprint")?, owner, pin, revocation })
}

pub(crate) fn signing_key(row: &impl Cells) -> Result<SigningKey, StoreError> {
    Ok(SigningKey {
        program_id: row.id("program_id", ProgramId::new)?,
        key_id: row.coded("key_id")?,
        public_key: row.hash("public_key")?,
        by: row.text("registered_by")?,
        at: row.time("registered_at")?,
    })
}

/// A record by its canonical bytes.
pub(crate) fn record(row: &impl Cells) -> Result<Arc<Record>, StoreError> {
    record_of(&row.bytes("bytes")?)
}

/// A record by its canonical bytes, which a row had.
pub(crate) fn record_of(bytes: &[u8]) -> Result<Arc<Record>, StoreError> {
    Record::from_bytes(bytes).map(Arc::new).map_err(|_| unreadable("bytes"))
}
