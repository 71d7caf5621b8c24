//! Refusals about partners, programs and agreements.

use pointbridge_core::command::{
    AcceptAgreement, CreateProgram, EnteredDirection, ProposeAgreement, UpdatePartner, UpdateProgram,
};
use pointbridge_core::ids::{AgreementId, ProgramId};
use pointbridge_core::partner::Custody;
use pointbridge_core::rejection::Reason;
use pointbridge_core::text::PartnerCode;
use pointbridge_store::Store;
use pointbridge_tests::hub::{Hub, code, entered};
use pointbridge_tests::scene::{company, direction, hosted};
use pointbridge_tests::script::{operator, till};

use super::{Seen, refuse};

promises! {
    partners_and_programs
    agreements
}

pub(super) async fn partners_and_programs<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (operator, airline) = (operator(), till(&scene.airline));
    let update = |id| UpdateProgram { program_id: id, name: None, points_expiry_months: None };
    let rename = |code: &PartnerCode| UpdatePartner { code: code.clone(), name: None };
    let held = CreateProgram { custody: Custody::PartnerHeld, ..hosted(&scene.airline, "club", 0, 0) };
    let nowhere = ProgramId::new(hub.script.id());
    let ask = &hub.script;
    let lines = [
        ("the code is taken", ask.ask(&operator, company("airline")), Reason::PartnerExists),
        ("no such partner", ask.ask(&operator, rename(&code("nobody"))), Reason::PartnerNotFound),
        ("another partner", ask.ask(&airline, rename(&scene.market)), Reason::PartnerNotFound),
        ("no partner", ask.ask(&operator, hosted(&code("nobody"), "x1", 0, 0)), Reason::PartnerNotFound),
        ("another's", ask.ask(&airline, hosted(&scene.market, "x1", 0, 0)), Reason::PartnerNotFound),
        ("custody", ask.ask(&airline, held), Reason::NotServed),
        ("code is taken", ask.ask(&airline, hosted(&scene.airline, "miles", 0, 0)), Reason::ProgramExists),
        ("no such program", ask.ask(&operator, update(nowhere)), Reason::ProgramNotFound),
        ("another's program", ask.ask(&airline, update(scene.stars)), Reason::ProgramNotFound),
    ];
    refuse(hub, lines).await
}

pub(super) async fn agreements<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let cinema = hub.partner("cinema").await;
    let seats = hub.program(hosted(&cinema, "seats", 0, 0)).await;
    let pending = hub.propose(&scene.airline, &scene.market, vec![scene.direction()]).await;
    let waiting = hub.propose(&cinema, &scene.airline, vec![direction(seats, scene.miles)]).await;
    hub.suspend(&cinema).await;
    let propose = |partner: &PartnerCode, directions: Vec<EnteredDirection>| ProposeAgreement {
        partner: partner.clone(),
        settlement_currency: "CNY".parse().unwrap(),
        directions,
    };
    let flawed = |change: fn(&mut EnteredDirection)| {
        let mut direction = scene.direction();
        change(&mut direction);
        propose(&scene.market, vec![direction])
    };
    let nobody = code("nobody");
    let ask = &hub.script;
    let none = AcceptAgreement { agreement_id: AgreementId::new(ask.id()), ..pending.clone() };
    let old = AcceptAgreement { version: 1, ..pending.clone() };
    let other_terms = AcceptAgreement { terms_hash: [0; 32], ..pending.clone() };
    let twice = propose(&scene.market, vec![scene.direction(), scene.direction()]);
    let same_side = propose(&scene.market, vec![direction(scene.miles, scene.miles)]);
    let foreign = propose(&scene.market, vec![direction(seats, scene.miles)]);
    let invalid = Reason::TermsInvalid;
    let lines = [
        ("with itself", ask.ask(&airline, propose(&scene.airline, vec![])), Reason::SamePartner),
        ("no such partner", ask.ask(&airline, propose(&nobody, vec![])), Reason::PartnerNotFound),
        ("suspended", ask.ask(&airline, propose(&cinema, vec![])), Reason::PartnerInactive),
        ("a direction twice", ask.ask(&airline, twice), invalid),
        ("within one partner", ask.ask(&airline, same_side), invalid),
        ("a third party's program", ask.ask(&airline, foreign), invalid),
        ("minimum", ask.ask(&airline, flawed(|d| d.minimum = entered("0"))), invalid),
        ("maximum", ask.ask(&airline, flawed(|d| d.maximum = entered("0.5"))), invalid),
        ("below minimum", ask.ask(&airline, flawed(|d| d.minimum = entered("1000001"))), invalid),
        ("step", ask.ask(&airline, flawed(|d| d.step = entered("0"))), invalid),
        ("price", ask.ask(&airline, flawed(|d| d.price_money = entered("0.0000001"))), invalid),
        ("priced points", ask.ask(&airline, flawed(|d| d.price_points = entered("0"))), invalid),
        ("limit", ask.ask(&airline, flawed(|d| d.exposure_limit = entered("0"))), invalid),
        ("hold", ask.ask(&airline, flawed(|d| d.hold_seconds = 3601)), invalid),
        ("no such agreement", ask.ask(&market, none), Reason::AgreementNotFound),
        ("another pair's", ask.ask(&market, waiting.clone()), Reason::AgreementNotFound),
        ("a version in force", ask.ask(&market, old), Reason::AgreementNotPending),
        ("one's own", ask.ask(&airline, pending), Reason::OwnProposal),
        ("other terms", ask.ask(&market, other_terms), Reason::TermsChanged),
        ("suspended", ask.ask(&airline, waiting), Reason::PartnerInactive),
    ];
    refuse(hub, lines).await
}
