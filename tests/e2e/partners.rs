//! PartnerService: who is in the alliance, and their programs.

use pointbridge_client::v1;
use tonic::Code;

use crate::asks;
use crate::harness::Hub;
use crate::raw::{refused, refused_at};
use crate::scene::program;

fn get(code: &str) -> v1::GetPartnerRequest {
    v1::GetPartnerRequest { code: code.to_owned() }
}

fn get_program(id: &str) -> v1::GetProgramRequest {
    v1::GetProgramRequest { program_id: id.to_owned() }
}

#[tokio::test]
async fn a_partner_is_created_once_read_and_renamed() {
    let hub = Hub::start().await;
    let operator = hub.operator().await;
    let created = operator.partners().create_partner(asks::create_partner("airline")).await.unwrap();
    let created = created.into_inner().partner.unwrap();
    assert_eq!((created.code.as_str(), created.name.as_str()), ("airline", "The airline"));
    assert_eq!(created.status(), v1::PartnerStatus::Active);
    assert_eq!(created.create_time, created.update_time);

    let airline = hub.partner("airline").await;
    let read = airline.partners().get_partner(get("airline")).await.unwrap().into_inner().partner.unwrap();
    assert_eq!(read, created);
    let renamed = asks::update_partner("airline", "南方 Crane Air");
    let renamed = airline.partners().update_partner(renamed).await.unwrap().into_inner().partner.unwrap();
    assert_eq!(renamed.name, "南方 Crane Air");
    assert_eq!(renamed.create_time, created.create_time);
    let as_it_is = v1::UpdatePartnerRequest { name: None, ..asks::update_partner("airline", "") };
    let kept = operator.partners().update_partner(as_it_is).await.unwrap().into_inner().partner.unwrap();
    assert_eq!(kept.name, "南方 Crane Air");

    let again = operator.partners().create_partner(asks::create_partner("airline")).await;
    refused(again, Code::AlreadyExists, "PARTNER_EXISTS");
    let missing = operator.partners().get_partner(get("nobody")).await;
    refused(missing, Code::NotFound, "PARTNER_NOT_FOUND");
    let missing = operator.partners().update_partner(asks::update_partner("nobody", "Nobody")).await;
    refused(missing, Code::NotFound, "PARTNER_NOT_FOUND");
    hub.settle().await;
}

#[tokio::test]
async fn a_program_is_created_once_read_and_changed() {
    let hub = Hub::start().await;
    let operator = hub.operator().await;
    operator.partners().create_partner(asks::create_partner("airline")).await.unwrap();
    let airline = hub.partner("airline").await;
    let id = program(&airline, asks::create_program("airline", "miles", 2)).await;
    let read = airline.partners().get_program(get_program(&id)).await.unwrap().into_inner().program.unwrap();
    assert_eq!((read.partner_code.as_str(), read.code.as_str(), read.scale), ("airline", "miles", 2));
    assert_eq!((read.custody(), read.points_expiry_months), (v1::Custody::Hosted, 0));

    let changed = airline.partners().update_program(asks::update_program(&id)).await.unwrap();
    let changed = changed.into_inner().program.unwrap();
    assert_eq!((changed.name.as_str(), changed.points_expiry_months), ("New name", 12));
    assert_eq!((changed.code.as_str(), changed.scale), ("miles", 2));
    let read = operator.partners().get_program(get_program(&id)).await.unwrap().into_inner().program;
    assert_eq!(read, Some(changed));

    let again = airline.partners().create_program(asks::create_program("airline", "miles", 2)).await;
    refused(again, Code::AlreadyExists, "PROGRAM_EXISTS");
    let held = v1::CreateProgramRequest {
        custody: v1::Custody::PartnerHeld.into(),
        ..asks::create_program("airline", "held", 0)
    };
    let held = airline.partners().create_program(held).await;
    refused(held, Code::Unimplemented, "NOT_SERVED");
    let orphan = operator.partners().create_program(asks::create_program("nobody", "miles", 0)).await;
    refused(orphan, Code::NotFound, "PARTNER_NOT_FOUND");
    let missing = operator.partners().get_program(get_program(&format!("prg_{}", "0".repeat(32)))).await;
    refused(missing, Code::NotFound, "PROGRAM_NOT_FOUND");
    hub.settle().await;
}

#[tokio::test]
async fn forms_of_partners_and_programs_are_held_and_the_field_is_named() {
    let hub = Hub::start().await;
    let operator = hub.operator().await;
    let mut partners = operator.partners();
    for code in ["", "A", "a", "9lives", "under_score", "spa ce", &"a".repeat(32), "café"] {
        let request = v1::CreatePartnerRequest { name: "A company".to_owned(), ..asks::create_partner(code) };
        refused_at(partners.create_partner(request).await, "VALIDATION_FAILED", "code");
    }
    for name in ["", " leading", "trailing ", "two\nlines", "nul\0", &"n".repeat(81)] {
        let request = v1::CreatePartnerRequest { name: name.to_owned(), ..asks::create_partner("airline") };
        refused_at(partners.create_partner(request).await, "VALIDATION_FAILED", "name");
    }
    let request = asks::create_program("airline", "miles", 5);
    refused_at(partners.create_program(request).await, "VALIDATION_FAILED", "scale");
    let request = v1::CreateProgramRequest { custody: 0, ..asks::create_program("airline", "miles", 0) };
    refused_at(partners.create_program(request).await, "VALIDATION_FAILED", "custody");
    let request =
        v1::CreateProgramRequest { points_expiry_months: 121, ..asks::create_program("airline", "miles", 0) };
    refused_at(partners.create_program(request).await, "VALIDATION_FAILED", "points_expiry_months");
    let listed = partners.list_partners(v1::ListPartnersRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().partners, []);
    hub.settle().await;
}
