//! Promises about refusals: every command, every reason, a line per event; and no refusal changes a value.
//!
//! That the lines cover every reason of every method is a test of its own, against the list that the proto prints.

mod approvals;
mod exchanges;
mod parties;
mod people;
mod points;
mod reversals;
mod standing;

use std::collections::BTreeSet;
use std::sync::Arc;

use pointbridge_core::command::{Envelope, PRECEDENCE, RequestRejection, StandingRejection, decide_batch};
use pointbridge_core::record::{Body, SealedRecord};
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::{Changes, Facts, Footprint, Lock};
use pointbridge_store::Store;
use pointbridge_tests::hub::Hub;

/// Which method was refused for which reason.
type Seen = BTreeSet<(&'static str, Reason)>;

/// One event: what makes it, the command, and why it is refused.
type Line = (&'static str, Arc<Envelope>, Reason);

/// Runs the lines and checks reasons and that nothing changes.
async fn refuse<S: Store>(hub: &Hub<S>, lines: impl IntoIterator<Item = Line>) -> Seen {
    let mut seen = Seen::new();
    for (event, envelope, reason) in lines {
        let before = hub.rows().await;
        let method = envelope.command.method();
        let refusal = hub.refused(envelope).await;
        assert_eq!(refusal.reason, reason, "{method}, {event}: {refusal}");
        assert!(!refusal.message.is_empty());
        assert_eq!(hub.rows().await, before, "{method}, {event}: a refusal changes no value");
        seen.insert((method, reason));
    }
    seen
}

/// Does what a command asks for and makes something else of it, in its record and in its rows: what no command of today
/// can make.
async fn bend<S: Store, T: Send + 'static>(
    hub: &Hub<S>,
    envelope: Arc<Envelope>,
    change: impl Fn(&mut Body, &mut Changes) -> T + Send + Sync,
) -> T {
    let mut footprint = Footprint::default();
    envelope.footprint(&Facts::default(), &mut footprint);
    let batch = [envelope];
    let decide = |mut world| {
        let (mut changes, _) = decide_batch(&mut world, &batch);
        let mut record = (*changes.records[0].record).clone();
        let answer = change(&mut record.body, &mut changes);
        changes.records[0] = SealedRecord::seal(record, changes.records[0].salt).unwrap();
        (changes, answer)
    };
    hub.store.transact(&footprint, decide).await.unwrap()
}

/// Writes what no record can tell today, a frozen membership: to be undone before the check looks at it.
async fn force<S: Store>(hub: &Hub<S>, changes: Changes) {
    let mut footprint = Footprint::default();
    changes.memberships.keys().for_each(|id| footprint.membership(*id, Lock::Update));
    footprint.initiators.extend(changes.live_holds.keys().cloned());
    hub.store.transact(&footprint, |_| (changes.clone(), ())).await.unwrap();
}

/// Reasons that are no method's own, and are held for all methods together by [`standing`] and by the request ids' promises.
fn is_common(reason: Reason) -> bool {
    RequestRejection::ORDER.contains(&reason) || StandingRejection::ORDER.contains(&reason)
}

/// Either party may abort, so that nobody who may know of the exchange is in the wrong role. The list that is printed names
/// both ends of an exchange together. And as long as only the source's partner prepares, a party that may not reverse is
/// neither end.
const NEVER: [(&str, Reason); 2] =
    [("AbortExchange", Reason::RoleNotAllowed), ("ReverseExchange", Reason::ReversalNotAllowed)];

#[tokio::test]
async fn the_lines_cover_every_reason_of_every_method() {
    let mut seen = Seen::new();
    seen.extend(parties::partners_and_programs(&crate::bench::memory()).await);
    seen.extend(parties::agreements(&crate::bench::memory()).await);
    seen.extend(approvals::two_people(&crate::bench::memory()).await);
    seen.extend(approvals::credentials(&crate::bench::memory()).await);
    seen.extend(people::memberships_and_links(&crate::bench::memory()).await);
    seen.extend(people::consents(&crate::bench::memory()).await);
    seen.extend(points::accruals(&crate::bench::memory()).await);
    seen.extend(points::adjustments(&crate::bench::memory()).await);
    seen.extend(exchanges::quotes(&crate::bench::memory()).await);
    seen.extend(exchanges::ends(&crate::bench::memory()).await);
    seen.extend(exchanges::custody(&crate::bench::memory()).await);
    seen.extend(exchanges::amounts(&crate::bench::memory()).await);
    seen.extend(exchanges::limits(&crate::bench::memory()).await);
    seen.extend(exchanges::second_phases(&crate::bench::memory()).await);
    seen.extend(reversals::reversals(&crate::bench::memory()).await);
    seen.extend(reversals::parts(&crate::bench::memory()).await);
    let printed = PRECEDENCE.iter().flat_map(|(method, orders)| {
        orders.iter().flat_map(|order| order.iter()).map(move |reason| (*method, *reason))
    });
    let expected = printed.filter(|line| !is_common(line.1) && !NEVER.contains(line));
    let missing: Vec<_> = expected.filter(|line| !seen.contains(line)).collect();
    assert_eq!(missing, []);
}
