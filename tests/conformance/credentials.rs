//! Promises about certificates and signing keys: who is let in, and whose word counts for whom.

use pointbridge_core::certificate::CertificateKey;
use pointbridge_core::command::{AddCertificate, Answer, RevokeCertificate};
use pointbridge_store::{Admission, Page, Scope, Store};
use pointbridge_tests::hub::{Hub, reason};
use pointbridge_tests::script::{operator, till};
use pointbridge_tests::standing::{certificate, signing_key};

promises! {
    from_the_first_pin_on_only_pinned_certificates_count_until_the_last_is_revoked
    a_partners_word_counts_for_its_own_certificates_only
    a_pin_that_is_revoked_in_its_own_batch_shuts_nobody_out
    certificates_and_keys_are_listed_in_scope
}

fn revoke(number: u8) -> RevokeCertificate {
    RevokeCertificate { fingerprint: [number; 32], reason: reason("KEY_LOST") }
}

/// Whether a certificate is revoked and pinned, and whether its partner pins.
const fn flags(admission: &Admission) -> (bool, bool, bool) {
    (admission.is_revoked, admission.is_pinned, admission.has_pins)
}

async fn from_the_first_pin_on_only_pinned_certificates_count_until_the_last_is_revoked<S: Store>(
    hub: &Hub<S>,
) {
    let scene = hub.scene().await;
    let (airline, caller) = (&scene.airline, till(&scene.airline));
    let seen = async |number: u8| hub.store.admission(Some(airline), &[number; 32]).await.unwrap();
    let before = seen(7).await;
    assert_eq!(before.partner.as_ref().map(|partner| &partner.code), Some(airline));
    assert_eq!((flags(&before), before.now), ((false, false, false), hub.clock.now()));
    let nobody = pointbridge_tests::hub::code("nobody");
    assert_eq!(hub.store.admission(Some(&nobody), &[7; 32]).await.unwrap().partner, None);

    hub.does(&caller, certificate(airline, 7, hub.clock.now())).await;
    assert_eq!(flags(&seen(7).await), (false, true, true));
    assert_eq!(flags(&seen(8).await), (false, false, true));
    // A pin outlives the certificate's own time: pinning does not end by itself.
    hub.clock.move_by(86_400);
    assert_eq!(flags(&seen(8).await), (false, false, true));
    let more = AddCertificate { calling_with: Some([7; 32]), ..certificate(airline, 8, hub.clock.now()) };
    hub.does(&caller, more).await;
    hub.does(&caller, revoke(7)).await;
    assert_eq!(flags(&seen(7).await), (true, false, true));
    hub.does(&caller, revoke(8)).await;
    assert_eq!((flags(&seen(8).await), flags(&seen(9).await)), ((true, false, false), (false, false, false)));
    // Nobody else is concerned.
    assert_eq!(
        flags(&hub.store.admission(Some(&scene.market), &[7; 32]).await.unwrap()),
        (false, false, false)
    );
}

/// Whose a certificate is, is read before the batch: the operator's word still reaches what was pinned in it.
async fn a_pin_that_is_revoked_in_its_own_batch_shuts_nobody_out<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let pin = hub.script.ask(&till(&scene.airline), certificate(&scene.airline, 7, hub.clock.now()));
    let answers = hub.run(&[pin, hub.script.ask(&operator(), revoke(7))]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))), "{answers:?}");
    let seen = async |number: u8| hub.store.admission(Some(&scene.airline), &[number; 32]).await.unwrap();
    assert_eq!((flags(&seen(7).await), flags(&seen(8).await)), ((true, false, false), (false, false, false)));
}

async fn a_partners_word_counts_for_its_own_certificates_only<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let now = hub.clock.now();
    hub.does(&till(&scene.airline), certificate(&scene.airline, 7, now)).await;
    // The market names the airline's certificate, and one that nobody pinned.
    hub.does(&till(&scene.market), revoke(7)).await;
    hub.does(&till(&scene.market), revoke(9)).await;
    let of = async |partner, number: u8| flags(&hub.store.admission(partner, &[number; 32]).await.unwrap());
    assert_eq!(of(Some(&scene.airline), 7).await, (false, true, true));
    assert_eq!(of(Some(&scene.airline), 9).await, (false, false, true));
    assert_eq!(of(Some(&scene.market), 7).await, (true, false, false));
    assert_eq!(of(None, 9).await, (false, false, false));
    // The operator's word counts for whosever it is pinned for, else for whoever shows it, its own people too.
    hub.does(&operator(), revoke(7)).await;
    hub.does(&operator(), revoke(10)).await;
    assert_eq!(of(Some(&scene.airline), 7).await, (true, false, false));
    for partner in [Some(&scene.airline), Some(&scene.market), None] {
        assert!(of(partner, 10).await.0, "{partner:?}");
    }
}

async fn certificates_and_keys_are_listed_in_scope<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let now = hub.clock.now();
    hub.does(&till(&scene.airline), certificate(&scene.airline, 9, now)).await;
    hub.does(&till(&scene.market), certificate(&scene.market, 7, now)).await;
    hub.does(&till(&scene.airline), revoke(8)).await;
    hub.does(&operator(), revoke(6)).await;
    let list = async |scope: &Scope, partner, after, size| {
        let page = Page { after, size };
        let paged = hub.store.certificates(scope, partner, &page).await.unwrap();
        (paged.rows.iter().map(|row| row.fingerprint[0]).collect::<Vec<_>>(), paged.next)
    };
    let key = |number: u8, owner| CertificateKey { fingerprint: [number; 32], owner };
    assert_eq!(list(&Scope::All, None, None, 10).await, (vec![6, 7, 8, 9], None));
    assert_eq!(list(&Scope::All, None, None, 1).await, (vec![6], Some(key(6, None))));
    let market = Some(scene.market.clone());
    assert_eq!(list(&Scope::All, None, Some(key(7, market)), 10).await, (vec![8, 9], None));
    assert_eq!(list(&Scope::All, Some(&scene.airline), None, 10).await, (vec![8, 9], None));
    let airline = Scope::Partner(scene.airline.clone());
    assert_eq!(list(&airline, None, None, 10).await, (vec![8, 9], None));
    let eight = key(8, Some(scene.airline.clone()));
    for (scope, partner) in
        [(&Scope::All, Some(&scene.airline)), (&airline, None), (&airline, Some(&scene.airline))]
    {
        assert_eq!(list(scope, partner, None, 1).await, (vec![8], Some(eight.clone())));
        assert_eq!(list(scope, partner, Some(eight.clone()), 1).await, (vec![9], None));
    }
    assert_eq!(list(&airline, Some(&scene.market), None, 10).await, (vec![], None));

    for name in ["b", "a"] {
        hub.does(&till(&scene.airline), signing_key(scene.miles, name)).await;
    }
    let keys = async |scope: &Scope, program| hub.store.signing_keys(scope, program).await.unwrap();
    let names = keys(&airline, scene.miles).await.unwrap();
    assert_eq!(names.iter().map(|key| key.key_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(keys(&airline, scene.stars).await, None);
    assert_eq!(keys(&Scope::All, scene.stars).await, Some(Vec::new()));
}
