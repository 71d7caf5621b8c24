//! Promises about approvals: two people, one effect, and nothing that was not agreed to.

use pointbridge_core::approval::ApprovalState;
use pointbridge_core::command::{Answer, Reject};
use pointbridge_core::partner::PartnerStatus;
use pointbridge_core::record::{Body, Outcome, RecordKind};
use pointbridge_core::rejection::Reason;
use pointbridge_store::{AuditRow, Page, Scope, Store};
use pointbridge_tests::hub::{Hub, code, reason};
use pointbridge_tests::script::{operator, second_person, till};
use pointbridge_tests::standing::{agreement_to, approval_of, correction, resumption, suspension};

use crate::bench::count;

promises! {
    nothing_happens_before_a_second_person_agrees
    an_approval_does_once_what_was_asked_for_and_answers_so_for_ever
    of_many_who_agree_at_once_one_has_an_effect
    what_is_asked_for_and_agreed_to_in_one_batch_is_decided_on_a_fresh_load
    approvals_are_listed_newest_first_by_state_and_for_the_operator_only
}

async fn records_of<S: Store>(hub: &Hub<S>, wanted: &str) -> usize {
    let is_of = |row: &AuditRow| matches!(row, AuditRow::Record { kind, .. } if kind == wanted);
    hub.rows().await.iter().filter(|row| is_of(row)).count()
}

async fn nothing_happens_before_a_second_person_agrees<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    hub.suspend(&scene.market).await;
    let status = async || hub.store.partner(&Scope::All, &scene.market).await.unwrap().unwrap().status;
    let posted = async || hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap().0.posted;
    let resume = approval_of(&hub.does(&operator(), resumption(&scene.market)).await);
    let take = approval_of(&hub.does(&operator(), correction(scene.flyer, "-30")).await);
    assert_eq!((status().await, posted().await), (PartnerStatus::Suspended, 100));
    assert_eq!(hub.reason(&operator(), agreement_to(&resume)).await, Reason::SamePerson);
    hub.does(&second_person(), agreement_to(&resume)).await;
    assert_eq!((status().await, posted().await), (PartnerStatus::Active, 100));
    hub.does(&second_person(), agreement_to(&take)).await;
    assert_eq!(posted().await, 70);
    // The program's own partner needs nobody.
    hub.does(&till(&scene.airline), correction(scene.flyer, "-30")).await;
    assert_eq!(posted().await, 40);
}

async fn an_approval_does_once_what_was_asked_for_and_answers_so_for_ever<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let take = approval_of(&hub.does(&operator(), correction(scene.flyer, "30")).await);
    let envelope = hub.script.ask(&second_person(), agreement_to(&take));
    let record = hub.done(envelope.clone()).await;
    assert_eq!(record.kind, RecordKind::ApprovalApproved);
    let Body::Approval(body) = &record.body else { panic!("no approval: {record:?}") };
    assert_eq!(body.approval.state, ApprovalState::Approved);
    let Some(effect) = &body.effect else { panic!("no effect: {record:?}") };
    let Outcome::Points(points) = &effect.outcome else { panic!("no points: {effect:?}") };
    assert_eq!((points.approval_id, points.posted.minor()), (Some(take.approval_id), 30));
    hub.accrue(&scene.airline, scene.flyer, "5").await;
    assert_eq!(hub.done(envelope).await, record, "the same answer as then");
    assert_eq!(hub.reason(&second_person(), agreement_to(&take)).await, Reason::ApprovalNotPending);
    assert_eq!(records_of(hub, "POINTS_ADJUSTED").await, 1);
}

async fn of_many_who_agree_at_once_one_has_an_effect<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let give = approval_of(&hub.does(&operator(), correction(scene.flyer, "30")).await);
    let batch: Vec<_> = (0..64).map(|_| hub.script.ask(&second_person(), agreement_to(&give))).collect();
    let answers = hub.run(&batch).await;
    assert_eq!(count(&answers, Reason::ApprovalNotPending), (1, 63));
    assert_eq!(records_of(hub, "POINTS_ADJUSTED").await, 1);
    assert_eq!(hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap().0.posted, 30);
}

async fn what_is_asked_for_and_agreed_to_in_one_batch_is_decided_on_a_fresh_load<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let ask = hub.script.ask(&operator(), correction(scene.flyer, "30"));
    // A dry run tells the id that the request would make, as the seed is the envelope's.
    let foreseen = pointbridge_core::ids::ApprovalId::new(ask.context.seed.id());
    let (_, content_hash) =
        pointbridge_core::approval::Proposal::AdjustPoints(correction(scene.flyer, "30")).seal().unwrap();
    let agree = pointbridge_core::command::Approve { approval_id: foreseen, content_hash };
    let answers = hub.run(&[ask, hub.script.ask(&second_person(), agree)]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))), "{answers:?}");
    assert_eq!(hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap().0.posted, 30);
}

async fn approvals_are_listed_newest_first_by_state_and_for_the_operator_only<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.does(&operator(), suspension(&code("market"))).await;
    let old = approval_of(&hub.does(&operator(), resumption(&scene.market)).await);
    hub.clock.move_by(8 * 24 * 3600);
    let mut asked = Vec::new();
    for points in ["1", "2", "3"] {
        asked.push(approval_of(&hub.does(&operator(), correction(scene.flyer, points)).await));
    }
    hub.does(&second_person(), agreement_to(&asked[0])).await;
    let no = Reject { approval_id: asked[1].approval_id, content_hash: None, reason: reason("NO") };
    hub.does(&operator(), no).await;
    let list = async |scope: &Scope, state, after, size| {
        let (paged, now) = hub.store.approvals(scope, state, &Page { after, size }).await.unwrap();
        assert_eq!(now, hub.clock.now());
        let states: Vec<_> = paged.rows.iter().map(|row| row.state_at(now)).collect();
        assert!(states.iter().all(|found| state.is_none_or(|wanted| wanted == *found)), "{states:?}");
        (paged.rows.iter().map(|row| row.approval_id).collect::<Vec<_>>(), paged.next)
    };
    let all = [asked[2].approval_id, asked[1].approval_id, asked[0].approval_id, old.approval_id];
    assert_eq!(list(&Scope::All, None, None, 10).await, (all.to_vec(), None));
    assert_eq!(list(&Scope::All, None, None, 2).await, (all[..2].to_vec(), Some(all[1])));
    assert_eq!(list(&Scope::All, None, Some(all[1]), 2).await, (all[2..].to_vec(), None));
    for (state, expected) in [
        (ApprovalState::Pending, all[0]),
        (ApprovalState::Rejected, all[1]),
        (ApprovalState::Approved, all[2]),
        (ApprovalState::Expired, all[3]),
    ] {
        assert_eq!(list(&Scope::All, Some(state), None, 10).await, (vec![expected], None));
    }
    let airline = Scope::Partner(scene.airline.clone());
    assert_eq!(list(&airline, None, None, 10).await, (Vec::new(), None));
    assert_eq!(list(&airline, Some(ApprovalState::Pending), None, 10).await, (Vec::new(), None));
    // A part is walked in pages too, past what is stored alike.
    let newest = approval_of(&hub.does(&operator(), correction(scene.flyer, "4")).await).approval_id;
    let pending = Some(ApprovalState::Pending);
    assert_eq!(list(&Scope::All, pending, None, 1).await, (vec![newest], Some(newest)));
    assert_eq!(list(&Scope::All, pending, Some(newest), 1).await, (vec![all[0]], None));
    hub.clock.move_by(8 * 24 * 3600);
    let over = Some(ApprovalState::Expired);
    assert_eq!(list(&Scope::All, over, None, 2).await, (vec![newest, all[0]], Some(all[0])));
    assert_eq!(list(&Scope::All, over, Some(all[0]), 2).await, (vec![all[3]], None));
    assert_eq!(list(&Scope::All, pending, None, 2).await, (Vec::new(), None));
}
