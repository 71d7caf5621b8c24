//! The scenario: an airline, a supermarket and a baby-goods chain let their members exchange points.
//!
//! Read it from the top: each step says who does it, what happens in plain words, the call, and what the hub must
//! answer or why it must refuse. All expected values are written out here, none is computed: whoever changes a rate
//! changes what the hub answers, and the demo then ends with the step, what was expected and what came.
//! To add something, add a step with a call that `script` knows; `calls` is where a new kind of call is made.

mod returns;

use pointbridge_client::v1::{Custody, ResidueOwner, Rounding, SettlementBasis};

use super::script::{
    Actor, Call, Chapter, Direction, NewProgram, Step, Worth, abort, accept, accrue, at_till, balance,
    commit, consent, link_code, merge, online, prepare, prepare_tampered, quote, register, step,
};

// Who acts, each with a certificate of their own.
const OPERATOR: Actor = Actor { name: "operator", principal: "operator/ops-1" };
pub(super) const AIRLINE: Actor = Actor { name: "airline web", principal: "partner/airline/partner/web-1" };
const FINANCE: Actor = Actor { name: "airline finance", principal: "partner/airline/finance/chen" };
pub(super) const MARKET: Actor =
    Actor { name: "supermarket till", principal: "partner/supermarket/partner/till-7" };
const BABYCARE: Actor = Actor { name: "babycare app", principal: "partner/babycare/partner/app-1" };
const CINEMA: Actor = Actor { name: "cinema (no partner)", principal: "partner/cinema/partner/box-office" };
const ALL: Actor = Actor { name: "each partner", principal: "" };

// Programs, by their codes.
const MILES: &str = "miles";
const POINTS: &str = "points";
const STARS: &str = "stars";

// Memberships: Ms Li has three, Mr Wang two.
pub(super) const LI_MILES: &str = "Li's miles";
pub(super) const LI_POINTS: &str = "Li's points";
const LI_STARS: &str = "Li's stars";
const WANG_MILES: &str = "Wang's miles";
const WANG_POINTS: &str = "Wang's points";

// Answers that many steps expect.
const ACTIVE: &[(&str, &str)] = &[("status", "ACTIVE")];
const GIVEN: &[(&str, &str)] = &[("scope", "EXCHANGE"), ("state", "given")];
const PREPARED: &[(&str, &str)] = &[("state", "PREPARED")];

/// 6666 points of the supermarket are worth 111 yuan.
const WORTH_OF_POINTS: Worth = Worth { money: "111.00", points: "6666" };
/// Two stars are worth one yuan.
const WORTH_OF_STARS: Worth = Worth { money: "1.00", points: "2.00" };

/// What most directions have in common.
const USUAL: Direction = Direction {
    from: POINTS,
    to: MILES,
    give: 3,
    get: 2,
    rounding: Rounding::TowardZero,
    residue_owner: ResidueOwner::Nobody,
    minimum: "3",
    maximum: "50000",
    step: "1",
    fee: "0",
    basis: SettlementBasis::Source,
    price: WORTH_OF_POINTS,
    exposure_limit: "5000.00",
    hold_seconds: 300,
};

/// 3 points give 2 miles. The supermarket pays for the points that it gets rid of.
const POINTS_TO_MILES: Direction = USUAL;

/// 4 miles give 5 points, of which the supermarket keeps 10. The airline pays for what is credited.
const MILES_TO_POINTS: Direction = Direction {
    from: MILES,
    to: POINTS,
    give: 4,
    get: 5,
    rounding: Rounding::HalfEven,
    residue_owner: ResidueOwner::Destination,
    fee: "10",
    basis: SettlementBasis::Credited,
    ..USUAL
};

/// 7 points give 0.23 stars. Rates count the smallest amounts: hundredths of a star.
const POINTS_TO_STARS: Direction = Direction {
    from: POINTS,
    to: STARS,
    give: 7,
    get: 23,
    rounding: Rounding::HalfEven,
    basis: SettlementBasis::Credited,
    price: WORTH_OF_STARS,
    ..USUAL
};

/// 1.00 star gives 28 hundredths of a point, and only quarter stars can be exchanged.
const STARS_TO_POINTS: Direction = Direction {
    from: STARS,
    to: POINTS,
    give: 100,
    get: 28,
    minimum: "2.50",
    maximum: "1000.00",
    step: "0.25",
    price: WORTH_OF_STARS,
    ..USUAL
};

/// 1 mile gives 4 hundredths of a star. The airline may owe 100 yuan at most.
const MILES_TO_STARS: Direction = Direction {
    from: MILES,
    to: STARS,
    give: 1,
    get: 4,
    basis: SettlementBasis::Credited,
    price: WORTH_OF_STARS,
    exposure_limit: "100.00",
    ..USUAL
};

/// 1.00 star gives 18 hundredths of a mile. A prepared exchange has one second to be committed.
const STARS_TO_MILES: Direction = Direction {
    from: STARS,
    to: MILES,
    give: 100,
    get: 18,
    minimum: "5.00",
    maximum: "1000.00",
    step: "0.01",
    price: WORTH_OF_STARS,
    hold_seconds: 1,
    ..USUAL
};

/// The whole scenario.
pub(super) fn chapters() -> Vec<Chapter> {
    vec![
        Chapter { title: "The alliance: partners and their programs", steps: partners() },
        Chapter { title: "Agreements: what is exchanged, at which rate, at whose cost", steps: agreements() },
        Chapter {
            title: "Members: registered, linked by a code that they carry, asked for consent",
            steps: members(),
        },
        Chapter { title: "Earning", steps: earning() },
        Chapter { title: "An exchange at the till: quote, prepare, commit, and again", steps: exchange() },
        Chapter { title: "Exchanges in other directions", steps: more_exchanges() },
        Chapter { title: "Exchanges that do not come about", steps: endings() },
        Chapter { title: "Refusals: what the hub does not let happen", steps: refusals() },
        Chapter {
            title: "Refusals: a member who is not linked, has not consented, has too little",
            steps: strangers(),
        },
        Chapter { title: "Goods come back: an exchange is reversed in parts", steps: returns::steps() },
        Chapter { title: "Where it ends", steps: ending() },
    ]
}

fn partner(code: &'static str, name: &'static str) -> Call {
    Call::CreatePartner { code, name }
}

fn program(
    code: &'static str,
    partner: &'static str,
    name: &'static str,
    scale: u32,
    expiry_months: u32,
) -> Call {
    Call::CreateProgram(NewProgram { code, partner, name, scale, custody: Custody::Hosted, expiry_months })
}

fn partners() -> Vec<Step> {
    let held_elsewhere = NewProgram {
        code: "tickets",
        partner: "airline",
        name: "Ticket points",
        scale: 0,
        custody: Custody::PartnerHeld,
        expiry_months: 0,
    };
    vec![
        step(OPERATOR, "takes in an airline", partner("airline", "Cloud Crane Airlines")).answers(ACTIVE),
        step(OPERATOR, "takes in a supermarket", partner("supermarket", "Morning Market")).answers(ACTIVE),
        step(OPERATOR, "takes in a baby-goods chain", partner("babycare", "Little Panda")).answers(ACTIVE),
        step(AIRLINE, "opens a program without decimals", program(MILES, "airline", "Crane Miles", 0, 36))
            .answers(&[("decimals", "0"), ("custody", "HOSTED")]),
        step(
            MARKET,
            "opens a program without decimals",
            program(POINTS, "supermarket", "Market Points", 0, 24),
        )
        .answers(&[("decimals", "0"), ("custody", "HOSTED")]),
        step(BABYCARE, "opens a program with two decimals", program(STARS, "babycare", "Panda Stars", 2, 0))
            .answers(&[("decimals", "2"), ("custody", "HOSTED")]),
        step(AIRLINE, "asks for a program that it keeps itself", Call::CreateProgram(held_elsewhere))
            .refused("NOT_SERVED"),
        step(CINEMA, "calls, and is no partner", program(MILES, "cinema", "Reels", 0, 0))
            .refused("CERTIFICATE_UNKNOWN"),
    ]
}

fn propose(with: &'static str, directions: &[Direction]) -> Call {
    Call::Propose { with, currency: "CNY", directions: directions.to_vec() }
}

fn agreements() -> Vec<Step> {
    vec![
        step(
            MARKET,
            "proposes terms to the airline",
            propose("airline", &[POINTS_TO_MILES, MILES_TO_POINTS]),
        )
        .answers(&[("state", "PROPOSED"), ("points → miles", "3:2"), ("miles → points", "4:5")]),
        step(MARKET, "tries to accept its own proposal", accept("airline")).refused("OWN_PROPOSAL"),
        step(AIRLINE, "accepts what it has read, by its hash", accept("supermarket")).answers(&[
            ("state", "ACTIVE"),
            ("version", "1"),
            ("points → miles", "3:2"),
        ]),
        step(
            BABYCARE,
            "proposes terms to the supermarket",
            propose("supermarket", &[POINTS_TO_STARS, STARS_TO_POINTS]),
        )
        .answers(&[("state", "PROPOSED"), ("points → stars", "7:23"), ("stars → points", "100:28")]),
        step(MARKET, "accepts", accept("babycare")).answers(&[("state", "ACTIVE"), ("version", "1")]),
        step(AIRLINE, "proposes terms to babycare", propose("babycare", &[MILES_TO_STARS, STARS_TO_MILES]))
            .answers(&[("state", "PROPOSED"), ("miles → stars", "1:4"), ("stars → miles", "100:18")]),
        step(BABYCARE, "accepts", accept("airline")).answers(&[("state", "ACTIVE"), ("version", "1")]),
    ]
}

fn members() -> Vec<Step> {
    vec![
        step(AIRLINE, "registers Ms Li", register(LI_MILES, MILES, "crane/li")).answers(ACTIVE),
        step(MARKET, "registers Ms Li", register(LI_POINTS, POINTS, "market/li")).answers(ACTIVE),
        step(BABYCARE, "registers Ms Li", register(LI_STARS, STARS, "panda/li")).answers(ACTIVE),
        step(AIRLINE, "gives Ms Li a code for the supermarket", link_code(LI_MILES, "supermarket"))
            .answers(&[]),
        step(MARKET, "takes the code from Ms Li at the till", merge(LI_MILES, LI_POINTS))
            .answers(&[("linked", "miles of airline")]),
        step(MARKET, "gives Ms Li a code for the baby-goods chain", link_code(LI_POINTS, "babycare"))
            .answers(&[]),
        step(BABYCARE, "takes the code from Ms Li in its app", merge(LI_POINTS, LI_STARS))
            .answers(&[("linked", "points of supermarket")]),
        step(MARKET, "takes down a consent", consent(LI_POINTS, "airline")).answers(GIVEN),
        step(AIRLINE, "takes down the other one", consent(LI_MILES, "supermarket")).answers(GIVEN),
        step(MARKET, "takes down a consent", consent(LI_POINTS, "babycare")).answers(GIVEN),
        step(BABYCARE, "takes down the other one", consent(LI_STARS, "supermarket")).answers(GIVEN),
        step(AIRLINE, "takes down a consent", consent(LI_MILES, "babycare")).answers(GIVEN),
        step(BABYCARE, "takes down the other one", consent(LI_STARS, "airline")).answers(GIVEN),
    ]
}

fn earning() -> Vec<Step> {
    vec![
        step(MARKET, "asks what an accrual would give", accrue(LI_POINTS, "20000", "sale/100"))
            .dry_run()
            .answers(&[("available", "20000")]),
        step(MARKET, "gives Ms Li points", accrue(LI_POINTS, "20000", "sale/100"))
            .answers(&[("posted", "20000"), ("available", "20000")]),
        step(
            MARKET,
            "takes points back with returned goods",
            Call::Adjust { membership: LI_POINTS, points: "-100", reference: "return/7" },
        )
        .answers(&[("posted", "19900"), ("available", "19900")]),
        step(AIRLINE, "gives Ms Li miles", accrue(LI_MILES, "8000", "flight/CC1802"))
            .answers(&[("available", "8000")]),
        step(BABYCARE, "gives Ms Li stars", accrue(LI_STARS, "150.5", "order/55"))
            .answers(&[("available", "150.50")]),
        step(AIRLINE, "tries to give half a mile", accrue(LI_MILES, "0.5", "flight/CC1803"))
            .refused("AMOUNT_SCALE"),
    ]
}

fn exchange() -> Vec<Step> {
    let to_miles = (LI_POINTS, LI_MILES);
    let at_counter = at_till("SM-1001", "store-12", "till-7");
    vec![
        step(MARKET, "asks what 6666 points of Ms Li would become", quote("Q1", to_miles, "6666")).answers(
            &[("credits", "4444"), ("fee", "0"), ("debt", "supermarket owes airline 111.000000 CNY")],
        ),
        step(MARKET, "asks whether it could be prepared", prepare("Q1", at_counter))
            .dry_run()
            .answers(&[("state", "PREPARED"), ("credits", "4444")]),
        step(MARKET, "prepares it: the points are held", prepare("Q1", at_counter)).answers(&[
            ("state", "PREPARED"),
            ("order", "SM-1001"),
            ("store", "store-12"),
            ("till", "till-7"),
            ("by", "supermarket"),
        ]),
        step(MARKET, "looks at Ms Li's points", balance(LI_POINTS)).answers(&[
            ("posted", "19900"),
            ("held", "6666"),
            ("available", "13234"),
        ]),
        step(MARKET, "commits: the points become miles", commit("SM-1001")).answers(&[
            ("state", "COMMITTED"),
            ("takes", "6666"),
            ("credits", "4444"),
            ("debt", "supermarket owes airline 111.000000 CNY"),
        ]),
        step(MARKET, "got no answer and sends the commit once more", commit("SM-1001"))
            .again()
            .answers(&[("same answer", "yes"), ("state", "COMMITTED")]),
        step(MARKET, "sends the prepare once more, too", prepare("Q1", at_counter))
            .again()
            .answers(&[("same answer", "yes"), ("state", "PREPARED")]),
    ]
}

fn more_exchanges() -> Vec<Step> {
    vec![
        step(AIRLINE, "asks for 1001 miles in points", quote("Q2", (LI_MILES, LI_POINTS), "1001")).answers(
            &[
                ("gross", "1251"),
                ("fee", "10"),
                ("credits", "1241"),
                ("residue", "1/4"),
                ("debt", "airline owes supermarket 20.664716 CNY"),
            ],
        ),
        step(AIRLINE, "prepares it", prepare("Q2", online("WEB-2001")))
            .answers(&[("state", "PREPARED"), ("by", "airline")]),
        step(AIRLINE, "commits", commit("WEB-2001")).answers(&[("state", "COMMITTED"), ("credits", "1241")]),
        step(MARKET, "asks for 1000 points in stars", quote("Q3", (LI_POINTS, LI_STARS), "1000")).answers(&[
            ("credits", "32.86"),
            ("residue", "-2/7"),
            ("debt", "supermarket owes babycare 16.430000 CNY"),
        ]),
        step(MARKET, "prepares it", prepare("Q3", at_till("SM-1002", "store-12", "till-7")))
            .answers(PREPARED),
        step(MARKET, "commits", commit("SM-1002")).answers(&[("state", "COMMITTED"), ("credits", "32.86")]),
        step(AIRLINE, "asks for 500 miles in stars", quote("Q4", (LI_MILES, LI_STARS), "500"))
            .answers(&[("credits", "20.00"), ("debt", "airline owes babycare 10.000000 CNY")]),
        step(AIRLINE, "prepares it", prepare("Q4", online("WEB-2002"))).answers(PREPARED),
        step(AIRLINE, "commits", commit("WEB-2002")).answers(&[("state", "COMMITTED")]),
        step(ALL, "reads the balances", Call::Balances(vec![LI_POINTS, LI_MILES, LI_STARS])).answers(&[
            (LI_POINTS, "13475 points"),
            (LI_MILES, "10943 miles"),
            (LI_STARS, "203.36 stars"),
        ]),
    ]
}

fn endings() -> Vec<Step> {
    vec![
        step(MARKET, "asks the same again", quote("Q5", (LI_POINTS, LI_STARS), "1000"))
            .answers(&[("credits", "32.86")]),
        step(MARKET, "prepares it", prepare("Q5", at_till("SM-1003", "store-12", "till-9")))
            .answers(PREPARED),
        step(BABYCARE, "aborts it: either side may", abort("SM-1003", "GOODS_SOLD_OUT"))
            .answers(&[("state", "ABORTED"), ("order", "SM-1003")]),
        step(MARKET, "commits too late", commit("SM-1003")).refused("RESERVATION_ABORTED"),
        step(BABYCARE, "asks for 25 stars in miles", quote("Q6", (LI_STARS, LI_MILES), "25"))
            .answers(&[("credits", "450"), ("hold", "1")]),
        step(BABYCARE, "prepares it", prepare("Q6", online("APP-3001")))
            .answers(&[("state", "PREPARED"), ("takes", "25.00")]),
        step(BABYCARE, "waits until the hold is over", Call::AwaitEnd { order: "APP-3001" })
            .answers(&[("state", "EXPIRED")]),
        step(BABYCARE, "commits too late", commit("APP-3001")).refused("HOLD_EXPIRED"),
        step(ALL, "finds the balances as they were", Call::Balances(vec![LI_POINTS, LI_MILES, LI_STARS]))
            .answers(&[(LI_POINTS, "13475 points"), (LI_MILES, "10943 miles"), (LI_STARS, "203.36 stars")]),
    ]
}

fn refusals() -> Vec<Step> {
    vec![
        step(MARKET, "asks for 900 points in miles", quote("Q7", (LI_POINTS, LI_MILES), "900"))
            .answers(&[("credits", "600")]),
        step(
            MARKET,
            "prepares from a quote with one character changed",
            prepare_tampered("Q7", online("SM-1004")),
        )
        .refused("QUOTE_INVALID"),
        step(AIRLINE, "prepares with the supermarket's quote", prepare("Q7", online("WEB-2003")))
            .refused("QUOTE_INVALID"),
        step(FINANCE, "prepares, which finance may not", prepare("Q7", online("FIN-1")))
            .refused("ROLE_NOT_ALLOWED"),
        step(MARKET, "prepares from a quote that made its exchange", prepare("Q1", online("SM-1005")))
            .refused("QUOTE_USED"),
        step(MARKET, "uses a request id again for something else", prepare("Q7", online("SM-1006")))
            .with_id_of(prepare("Q1", at_till("SM-1001", "store-12", "till-7")))
            .refused("REQUEST_ID_REUSED"),
        step(MARKET, "aborts what is committed", abort("SM-1001", "CHANGED_MIND"))
            .refused("RESERVATION_COMMITTED"),
        step(AIRLINE, "reads a balance of the supermarket's program", balance(LI_POINTS))
            .refused("MEMBERSHIP_NOT_FOUND"),
        step(AIRLINE, "asks for 6000 miles in stars", quote("Q8", (LI_MILES, LI_STARS), "6000"))
            .answers(&[("credits", "240.00"), ("debt", "airline owes babycare 120.000000 CNY")]),
        step(AIRLINE, "prepares more debt than agreed", prepare("Q8", online("WEB-2004")))
            .refused("EXPOSURE_LIMIT"),
    ]
}

fn strangers() -> Vec<Step> {
    let to_miles = (WANG_POINTS, WANG_MILES);
    vec![
        step(MARKET, "registers Mr Wang", register(WANG_POINTS, POINTS, "market/wang")).answers(ACTIVE),
        step(AIRLINE, "registers Mr Wang", register(WANG_MILES, MILES, "crane/wang")).answers(ACTIVE),
        step(MARKET, "gives Mr Wang points", accrue(WANG_POINTS, "50", "sale/101"))
            .answers(&[("available", "50")]),
        step(MARKET, "asks for an exchange with somebody else", quote("Q9", to_miles, "48"))
            .refused("MEMBERSHIP_NOT_FOUND"),
        step(AIRLINE, "gives Mr Wang a code for the supermarket", link_code(WANG_MILES, "supermarket"))
            .answers(&[]),
        step(MARKET, "takes the code from Mr Wang", merge(WANG_MILES, WANG_POINTS))
            .answers(&[("linked", "miles of airline")]),
        step(MARKET, "takes down one consent of two", consent(WANG_POINTS, "airline")).answers(GIVEN),
        step(MARKET, "asks without the other consent", quote("Q9", to_miles, "48"))
            .refused("CONSENT_MISSING"),
        step(AIRLINE, "takes down the other one", consent(WANG_MILES, "supermarket")).answers(GIVEN),
        step(
            MARKET,
            "asks for more than there is, for a quote promises nothing",
            quote("Q9", to_miles, "3000"),
        )
        .answers(&[("credits", "2000")]),
        step(
            MARKET,
            "prepares more than Mr Wang has",
            prepare("Q9", at_till("SM-1007", "store-12", "till-7")),
        )
        .refused("INSUFFICIENT_POINTS"),
        step(
            AIRLINE,
            "withdraws the consent when Mr Wang asks",
            Call::Withdraw { membership: WANG_MILES, to: "supermarket" },
        )
        .answers(&[("state", "withdrawn")]),
        step(MARKET, "asks after the withdrawal", quote("Q9", to_miles, "48")).refused("CONSENT_MISSING"),
        step(ALL, "reads Mr Wang's balances", Call::Balances(vec![WANG_POINTS, WANG_MILES]))
            .answers(&[(WANG_POINTS, "50 points"), (WANG_MILES, "0 miles")]),
    ]
}

fn ending() -> Vec<Step> {
    vec![
        step(BABYCARE, "asks for 12.50 stars in points", quote("Q10", (LI_STARS, LI_POINTS), "12.5"))
            .answers(&[("credits", "350"), ("debt", "babycare owes supermarket 6.250000 CNY")]),
        step(BABYCARE, "prepares it and leaves it open", prepare("Q10", online("APP-3002")))
            .answers(PREPARED),
        step(MARKET, "commits what the other side prepared", commit("APP-3002")).refused("ROLE_NOT_ALLOWED"),
        step(ALL, "reads the balances", Call::Balances(vec![LI_POINTS, LI_MILES, LI_STARS])).answers(&[
            (LI_POINTS, "13475 points"),
            (LI_MILES, "10943 miles"),
            (LI_STARS, "203.36 stars (12.50 held)"),
        ]),
        step(ALL, "adds up the debts in the list", Call::Obligations).answers(&[
            ("supermarket owes airline", "126.785779 CNY"),
            ("airline owes supermarket", "35.651215 CNY"),
            ("supermarket owes babycare", "16.430000 CNY"),
            ("babycare owes supermarket", "0.000000 CNY"),
            ("airline owes babycare", "10.000000 CNY"),
            ("babycare owes airline", "0.000000 CNY"),
        ]),
    ]
}
