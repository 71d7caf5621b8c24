//! The promise that a batch takes the same number of statements whatever its size. Only a database has statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pointbridge_core::command::{Answer, CommitExchange, Envelope, MergeMembers, RegisterMembership};
use pointbridge_core::ids::MembershipId;
use pointbridge_core::quote::Claims;
use pointbridge_core::record::Body;
use pointbridge_store::Store;
use pointbridge_store_sqlite::StatementHook;
use pointbridge_tests::hub::{Hub, Wish, accrual, preparation, reference, reversal};
use pointbridge_tests::scene::{Scene, consent};
use pointbridge_tests::script::{run_once, till};

/// How many commands a first batch has, which reads what is kept from then on, and the small and the large one after it.
const SIZES: [usize; 3] = [2, 10, 1000];

#[tokio::test]
async fn a_batch_takes_as_many_statements_whatever_its_size() {
    let (counter, hook) = counted();
    let (hub, _folder) = crate::bench::sqlite_seen_by(Some(hook)).await;
    hold(hub, &counter).await;
}

#[tokio::test]
async fn a_batch_takes_as_many_statements_whatever_its_size_on_postgres() {
    let (counter, hook) = counted();
    let (hub, _database) = crate::bench::postgres_seen_by(Some(hook)).await;
    hold(hub, &counter).await;
}

fn counted() -> (Arc<AtomicUsize>, StatementHook) {
    let counter = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&counter);
    // Numbers of records are taken by some thousands: a statement of many batches, and of no one.
    let hook = Arc::new(move |sql: &str| {
        seen.fetch_add(usize::from(!sql.contains("nextval('record_number')")), Ordering::SeqCst);
    });
    (counter, hook)
}

async fn hold<S: Store>(hub: Hub<S>, counter: &AtomicUsize) {
    let scene = hub.scene().await;
    let members = members(&hub, &scene, SIZES[2]).await;
    let mut counts = Vec::new();
    for size in SIZES {
        let accruals: Vec<Arc<Envelope>> = members[..size]
            .iter()
            .map(|(source, _)| hub.script.ask(&till(&scene.airline), accrual(*source, "20")))
            .collect();
        let for_accruals = statements(&hub, counter, &accruals).await;
        let mut claims: Vec<Claims> = Vec::new();
        for (source, destination) in &members[..size] {
            let wish = Wish { source: *source, destination: *destination, points: "3" };
            claims.push(hub.quote(&scene.airline, wish).await.unwrap());
        }
        let prepares: Vec<Arc<Envelope>> = claims
            .iter()
            .map(|claims| hub.script.ask(&till(&scene.airline), preparation(claims.clone())))
            .collect();
        let for_prepares = statements(&hub, counter, &prepares).await;
        let commits: Vec<Arc<Envelope>> = claims
            .iter()
            .map(|claims| CommitExchange { exchange_id: claims.exchange_id })
            .map(|commit| hub.script.ask(&till(&scene.airline), commit))
            .collect();
        let for_commits = statements(&hub, counter, &commits).await;
        let reversals: Vec<Arc<Envelope>> = claims
            .iter()
            .map(|claims| hub.script.ask(&till(&scene.market), reversal(claims.exchange_id, Some("1"))))
            .collect();
        let for_reversals = statements(&hub, counter, &reversals).await;
        counts.push((for_accruals, for_prepares, for_commits, for_reversals));
    }
    assert_eq!(counts[1], counts[2], "accruals, prepares, commits and reversals of {SIZES:?} commands");
    crate::bench::settle(&hub).await;
}

/// A source and a destination membership for each of many members, linked and with both consents.
async fn members<S: Store>(hub: &Hub<S>, scene: &Scene, count: usize) -> Vec<(MembershipId, MembershipId)> {
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let enrol = |program_id, number| RegisterMembership {
        program_id,
        external_reference: reference(&format!("member-{number}")),
    };
    let flyers = (0..count).map(|number| hub.script.ask(&airline, enrol(scene.miles, number)));
    let flyers = registered(hub, flyers.collect()).await;
    let shoppers = (0..count).map(|number| hub.script.ask(&market, enrol(scene.stars, number)));
    let shoppers = registered(hub, shoppers.collect()).await;
    let members: Vec<_> = flyers.into_iter().zip(shoppers).collect();
    let (mut issued, mut brought, mut consents) = (Vec::new(), Vec::new(), Vec::new());
    for (flyer, shopper) in &members {
        let code = hub.link_code(*flyer, &scene.market);
        let merge = MergeMembers { code_hash: code.code_hash, membership_id: *shopper };
        issued.push(hub.script.ask(&airline, code));
        brought.push(hub.script.ask(&market, merge));
        consents.push(hub.script.ask(&airline, consent(*flyer, &scene.market)));
        consents.push(hub.script.ask(&market, consent(*shopper, &scene.airline)));
    }
    for batch in [issued, brought, consents] {
        assert!(hub.run(&batch).await.iter().all(|answer| matches!(answer, Answer::Done(_))));
    }
    members
}

async fn registered<S: Store>(hub: &Hub<S>, batch: Vec<Arc<Envelope>>) -> Vec<MembershipId> {
    let answers = hub.run(&batch).await;
    let ids = answers.iter().filter_map(|answer| match answer {
        Answer::Done(record) => match &record.body {
            Body::Membership(membership) => Some(membership.membership_id),
            _ => None,
        },
        _ => None,
    });
    ids.collect()
}

/// How many statements a batch takes, all of whose commands are done.
async fn statements<S: Store>(hub: &Hub<S>, counter: &AtomicUsize, batch: &[Arc<Envelope>]) -> usize {
    let before = counter.load(Ordering::SeqCst);
    let answers = run_once(&hub.store, batch).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))));
    let taken = counter.load(Ordering::SeqCst) - before;
    assert!(taken > 0, "the hook is shown statements");
    taken
}
