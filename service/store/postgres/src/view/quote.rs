//! What a quote is decided on. The statements are the same whatever is found.

use pointbridge_core::agreement::{AgreementVersion, Pair};
use pointbridge_core::ids::MembershipId;
use pointbridge_core::text::PartnerCode;
use pointbridge_store::{EndView, QuoteView, Scope, StoreError};
use sqlx::postgres::PgRow;

use crate::columns;
use crate::due;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};
use crate::time::Time;

/// The two memberships of a quote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) source: MembershipId,
    pub(super) destination: MembershipId,
}

pub(super) async fn read(
    session: &mut Session<'_>,
    time: &Time,
    scope: &Scope,
    ends: Ends,
) -> Result<QuoteView, StoreError> {
    let (now, epoch) = due::now(session, time).await?;
    let found = ends_of(session, ends).await?;
    let find = |id: MembershipId| found.iter().find(|end| end.membership.membership_id == id).cloned();
    let source = find(ends.source).filter(|end| scope.covers(&end.partner.code));
    let member = source.as_ref().map(|end| end.membership.member_id);
    let destination = find(ends.destination).filter(|end| Some(end.membership.member_id) == member);
    // Without a destination there is no partner that a consent could name.
    let source = source.map(|end| match destination {
        Some(_) => end,
        None => EndView { consent: None, ..end },
    });
    let partners = source.as_ref().zip(destination.as_ref());
    let pair = partners.and_then(|(source, other)| Pair::new(&source.partner.code, &other.partner.code));
    Ok(QuoteView { version: version_of(session, pair.as_ref()).await?, source, destination, now, epoch })
}

/// The memberships with program and partner, each with its consent EXCHANGE for the other's partner.
async fn ends_of(session: &mut Session<'_>, ends: Ends) -> Result<Vec<EndView>, StoreError> {
    let sql = concat!(
        "select ",
        columns::membership!(),
        ", ",
        columns::program!(),
        ", ",
        columns::partner!(),
        ", consent.consent_id, consent.recipient_code, consent.consent_scope, consent.purpose,
         consent.notice_version, consent.evidence_hash, consent.granted_at, consent.expires_at
         from membership
         join program on program.program_id = membership.program_id
         join partner on partner.partner_code = program.partner_code
         left join membership as other on other.membership_id = case when membership.membership_id = $1 then $2 else $1 end
         left join program as other_program on other_program.program_id = other.program_id
         left join consent_in_force on consent_in_force.membership_id = membership.membership_id
             and consent_in_force.recipient_code = other_program.partner_code
             and consent_in_force.consent_scope = 'EXCHANGE'
         left join consent on consent.consent_id = consent_in_force.consent_id
         where membership.membership_id in ($1, $2)"
    );
    let binds = vec![Bind::id(ends.source.uuid()), Bind::id(ends.destination.uuid())];
    session.rows(sql, binds).await?.iter().map(end).collect()
}

fn end(row: &PgRow) -> Result<EndView, StoreError> {
    let has_consent = row.bits_or_null("consent_id")?.is_some();
    Ok(EndView {
        membership: rows::membership(row)?,
        program: rows::program(row)?,
        partner: rows::partner(row)?,
        consent: if has_consent { Some(rows::consent(row)?) } else { None },
    })
}

async fn version_of(
    session: &mut Session<'_>,
    pair: Option<&Pair>,
) -> Result<Option<AgreementVersion>, StoreError> {
    let sql = "select agreement_version.* from agreement
         join agreement_version on agreement_version.agreement_id = agreement.agreement_id
             and agreement_version.version = agreement.active_version
         where agreement.low_code = $1 and agreement.high_code = $2";
    // Without a pair, the statement runs all the same and finds nothing.
    let code = |code: Option<&PartnerCode>| Bind::text_or_null(code.map(PartnerCode::as_str));
    let row = session.row(sql, vec![code(pair.map(Pair::low)), code(pair.map(Pair::high))]).await?;
    row.map_or(Ok(None), |row| rows::version(&row, ""))
}
