//! Loading accounts, their lots, live holds and exposures.

use std::collections::BTreeSet;

use pointbridge_core::ids::MembershipId;
use pointbridge_core::ledger::{LOTS_PER_COMMAND_MAX, LotSet};
use pointbridge_core::world::World;
use pointbridge_store::StoreError;

use crate::error;
use crate::kept::Missing;
use crate::keys;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};

pub(super) async fn load(
    session: &mut Session<'_>,
    missing: &Missing,
    world: &mut World,
) -> Result<(), StoreError> {
    accounts(session, missing, world).await?;
    lots(session, &missing.lots, world).await?;
    sums(session, missing, world).await
}

/// Live holds and exposures.
pub(super) async fn sums(
    session: &mut Session<'_>,
    missing: &Missing,
    world: &mut World,
) -> Result<(), StoreError> {
    let sql = "select initiator.partner_code, initiator.live_holds from jsonb_each(?1) as asked
         join initiator on initiator.partner_code = asked.value";
    for row in session.found(sql, missing.initiators.iter().collect()).await? {
        world.live_holds.insert(row.coded("partner_code")?, row.int("live_holds")?);
    }
    let asked = missing.exposures.iter().map(|key| (key.pair.low(), key.pair.high(), key.currency));
    let sql = "select exposure.* from jsonb_each(?1) as asked
         join exposure on exposure.low_code = asked.value ->> 0 and exposure.high_code = asked.value ->> 1
             and exposure.currency = asked.value ->> 2";
    for row in session.found(sql, asked.collect()).await? {
        let exposure = rows::exposure(&row)?;
        world.exposures.insert(exposure.key.clone(), exposure);
    }
    Ok(())
}

async fn accounts(session: &mut Session<'_>, missing: &Missing, world: &mut World) -> Result<(), StoreError> {
    let sql = "select account.* from jsonb_each(?1) as asked
         join account on account.membership_id = unhex(asked.value)";
    let asked = missing.accounts.iter().map(|id| keys::id!(id)).collect();
    for row in session.found(sql, asked).await? {
        let account = rows::account(&row)?;
        world.accounts.insert(account.membership_id, account);
    }
    Ok(())
}

/// The lots with something free, the first to be spent first, and one more than a command may touch: it only tells that
/// there are more.
async fn lots(
    session: &mut Session<'_>,
    memberships: &BTreeSet<MembershipId>,
    world: &mut World,
) -> Result<(), StoreError> {
    if memberships.is_empty() {
        return Ok(());
    }
    let most = i64::try_from(LOTS_PER_COMMAND_MAX).map_err(|_| error::broken("a bound beyond 64 bits"))?;
    let asked: Vec<_> = memberships.iter().map(|id| keys::id!(id)).collect();
    let rows = session
        .rows(
            "select * from (
                 select lot.*, row_number() over (
                     partition by lot.membership_id order by lot.expires_at, lot.origin_month, lot.exchangeable
                 ) as turn
                 from jsonb_each(?1) as asked join lot on lot.membership_id = unhex(asked.value)
                 where lot.remaining > lot.held
             ) where turn <= ?2",
            vec![keys::array(&asked)?, Bind::Int(most.saturating_add(1))],
        )
        .await?;
    for membership in memberships {
        // Said of what is only noted as well, and again of what was read.
        world.lots.insert(*membership, LotSet { complete: true, ..LotSet::default() });
    }
    for row in rows {
        let membership = row.id("membership_id", MembershipId::new)?;
        let set = world.lots.entry(membership).or_default();
        if row.int("turn")? > most {
            set.complete = false;
        } else {
            let (key, lot) = rows::lot(&row)?;
            set.lots.insert(key, lot);
        }
    }
    Ok(())
}
