//! The chapter in which goods come back: an exchange is reversed in parts, and another one too late.
//!
//! Ms Li ends with what she had before it. Its exchanges stand in the list at the end, its debts in the sums.

use super::{AIRLINE, GIVEN, LI_MILES, LI_POINTS, MARKET, PREPARED, WANG_MILES, WANG_POINTS};
use crate::demo::script::{Call, Step, at_till, commit, consent, prepare, quote, reverse, step};

pub(super) fn steps() -> Vec<Step> {
    let to_miles = (WANG_POINTS, WANG_MILES);
    let exceeds = "REVERSAL_EXCEEDS";
    vec![
        step(MARKET, "asks for 900 points of Ms Li in miles", quote("Q11", (LI_POINTS, LI_MILES), "900"))
            .answers(&[("credits", "600"), ("debt", "supermarket owes airline 14.986499 CNY")]),
        step(MARKET, "prepares it", prepare("Q11", at_till("SM-1008", "store-12", "till-7")))
            .answers(PREPARED),
        step(MARKET, "commits", commit("SM-1008")).answers(&[("state", "COMMITTED")]),
        step(MARKET, "gives a third back with returned goods", reverse("SM-1008", Some("300"), "return/8"))
            .answers(&[
                ("part", "1"),
                ("gives back", "300"),
                ("takes back", "200"),
                ("debt", "airline owes supermarket 4.995500 CNY"),
            ]),
        step(MARKET, "wants to give back more than is left", reverse("SM-1008", Some("601"), "return/9"))
            .refused(exceeds),
        step(
            AIRLINE,
            "gives back the rest: the destination always may",
            reverse("SM-1008", None, "refund/1"),
        )
        .answers(&[
            ("part", "2"),
            ("gives back", "600"),
            ("takes back", "400"),
            ("in all", "900"),
            ("debt", "airline owes supermarket 9.990999 CNY"),
        ]),
        step(AIRLINE, "gives back what is given back", reverse("SM-1008", None, "refund/2")).refused(exceeds),
        step(AIRLINE, "takes down Mr Wang's consent anew", consent(WANG_MILES, "supermarket")).answers(GIVEN),
        step(MARKET, "asks for 48 points of Mr Wang in miles", quote("Q12", to_miles, "48"))
            .answers(&[("credits", "32"), ("debt", "supermarket owes airline 0.799280 CNY")]),
        step(MARKET, "prepares it", prepare("Q12", at_till("SM-1009", "store-12", "till-7")))
            .answers(PREPARED),
        step(MARKET, "commits", commit("SM-1009")).answers(&[("state", "COMMITTED")]),
        step(
            AIRLINE,
            "takes 30 of the 32 miles for an upgrade",
            Call::Adjust { membership: WANG_MILES, points: "-30", reference: "upgrade/5" },
        )
        .answers(&[("available", "2")]),
        step(MARKET, "wants to give all of it back, too late", reverse("SM-1009", None, "return/10"))
            .refused("POINTS_SPENT"),
    ]
}
