//! What the dialect's own ways of reading could get wrong: keys of pages, both ends of a list, snapshots of the check.

use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::ExchangeId;
use pointbridge_core::text::{PartnerCode, Reference};
use pointbridge_store::{AuditRow, ExchangeFilter, Page, Paged, Scope, Store, Views};

use super::fixture::{Fixture, code};

async fn walk(fixture: &Fixture, scope: &Scope, filter: &ExchangeFilter, size: u32) -> Vec<ExchangeId> {
    let mut after = None;
    let mut ids = Vec::new();
    for _ in 0..100 {
        let Paged { rows, next } =
            fixture.store.exchanges(scope, filter, &Page { after, size }).await.unwrap();
        ids.extend(rows.into_iter().map(|view| view.exchange.exchange_id));
        match next {
            Some(key) => after = Some(key),
            None => return ids,
        }
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn exchanges_are_listed_newest_first_from_either_end_in_pages_of_any_size() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fixture.committed(&pair, 30).await);
        ids.push(fixture.prepared(&pair, 3).await);
    }
    ids.reverse();
    let of = |text| Scope::Partner(code(text));
    let all = ExchangeFilter::default();
    let at = |id| ExchangeFilter { membership_id: Some(id), ..ExchangeFilter::default() };
    let order =
        |text| ExchangeFilter { order: Some(Reference::new(text).unwrap()), ..ExchangeFilter::default() };
    for size in [1, 2, 5, 6, 500] {
        for scope in [Scope::All, of("airline"), of("market")] {
            for filter in [all.clone(), at(pair.source), at(pair.destination), order("order-1")] {
                assert_eq!(walk(&fixture, &scope, &filter, size).await, ids, "{scope:?} {filter:?} {size}");
            }
            let prepared =
                ExchangeFilter { state: Some(ReservationState::Prepared), ..ExchangeFilter::default() };
            assert_eq!(walk(&fixture, &scope, &prepared, size).await.len(), 3);
            assert!(walk(&fixture, &scope, &order("order-2"), size).await.is_empty());
        }
        for filter in [all.clone(), at(pair.source), order("order-1")] {
            assert!(walk(&fixture, &of("cinema"), &filter, size).await.is_empty(), "another's are missing");
        }
    }
    assert_eq!(fixture.store.exchange(&of("cinema"), ids[0]).await, Ok(None));
}

#[tokio::test]
async fn a_quote_sees_both_ends_of_one_member_and_nothing_of_another() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let scope = Scope::Partner(code("airline"));
    let quote = fixture.store.quote(&scope, pair.source, pair.destination).await.unwrap();
    let ends = quote.source.zip(quote.destination).unwrap();
    let recipients: Vec<PartnerCode> =
        [ends.0.consent, ends.1.consent].into_iter().flatten().map(|consent| consent.recipient).collect();
    assert_eq!(recipients, [code("market"), code("airline")]);
    assert_eq!(quote.version.map(|version| version.version), Some(1));

    let program = ends.0.program.program_id;
    let stranger = fixture.membership("airline", program, "flyer-2").await;
    let quote = fixture.store.quote(&scope, stranger, pair.destination).await.unwrap();
    assert!(quote.source.is_some() && quote.destination.is_none() && quote.version.is_none());
    let quote = fixture.store.quote(&scope, pair.destination, pair.source).await.unwrap();
    assert!(quote.source.is_none() && quote.destination.is_none() && quote.version.is_none());
}

#[tokio::test]
async fn the_check_is_shown_every_table_and_each_once() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    fixture.committed(&pair, 30).await;
    fixture.prepared(&pair, 3).await;
    let mut seen: Vec<(String, usize)> = Vec::new();
    let mut visit = |row: AuditRow| {
        let text = format!("{row:?}");
        let name = text.split(' ').next().unwrap_or_default().to_owned();
        match seen.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => seen.push((name, 1)),
        }
    };
    fixture.store.audit(&mut visit).await.unwrap();
    let expected = [
        ("Window", 1),
        // Two partners, two programs, two memberships, code, merge, two consents, proposal, acceptance, accrual, two
        // prepares, commit.
        ("Record", 16),
        // The accrual's two; the commit's two per program.
        ("Posting", 6),
        // The accrual's, the prepares', the commit's two.
        ("LotMovement", 5),
        ("Obligation", 1),
        ("Request", 16),
        ("Partner", 2),
        ("Program", 2),
        ("Membership", 2),
        ("LinkCode", 1),
        ("Agreement", 1),
        ("AgreementVersion", 1),
        ("Consent", 2),
        ("ConsentInForce", 2),
        ("Reservation", 2),
        ("Leg(AuditLeg", 2),
        ("Account", 2),
        ("Lot", 2),
        ("Exposure", 1),
        ("Initiator", 1),
    ];
    assert_eq!(seen, expected.map(|(name, count)| (name.to_owned(), count)));
}
