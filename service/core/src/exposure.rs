//! Exposure: what the partners of a pair owe each other, prepared and committed, not yet confirmed as paid.

use serde::{Deserialize, Serialize};

use crate::agreement::Pair;
use crate::money::{Currency, Money};
use crate::text::PartnerCode;

/// Money that one partner owes another because of a record. The fields stand in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// To whom it is owed.
    pub creditor: PartnerCode,
    /// In which currency.
    pub currency: Currency,
    /// Who owes.
    pub debtor: PartnerCode,
    /// How much.
    pub money: Money,
}

/// Names an exposure: a pair and a currency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExposureKey {
    /// The pair.
    pub pair: Pair,
    /// The currency.
    pub currency: Currency,
}

impl ExposureKey {
    /// The exposure that an obligation counts towards; `None` where a partner would owe itself.
    #[must_use]
    pub fn of(obligation: &Obligation) -> Option<Self> {
        let pair = Pair::new(&obligation.debtor, &obligation.creditor)?;
        Some(Self { pair, currency: obligation.currency })
    }
}

/// What a pair owes in one currency, in millionths of its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// Which one.
    pub key: ExposureKey,
    /// What the low partner owes the high one by what is committed; negative where the high one owes.
    pub committed_low: i64,
    /// What the low partner would owe more if all its prepared exchanges were committed.
    pub prepared_low: i64,
    /// What the high partner would owe more.
    pub prepared_high: i64,
}

/// A step of an obligation's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExposureStep {
    /// It may come about.
    Prepare,
    /// It came about.
    Commit,
    /// It will not come about.
    Release,
    /// It came about at once: nothing was prepared.
    Book,
}

impl Exposure {
    /// Nothing owed.
    #[must_use]
    pub const fn none(key: ExposureKey) -> Self {
        Self { key, committed_low: 0, prepared_low: 0, prepared_high: 0 }
    }

    /// What `debtor` owes net, with all that it has prepared and nothing that the other side has only prepared: the most
    /// that it can come to. Negative where the other side owes. `None` on overflow.
    #[must_use]
    pub fn owed_by(&self, debtor: &PartnerCode) -> Option<Money> {
        let owed = if debtor == self.key.pair.low() {
            self.committed_low.checked_add(self.prepared_low)?
        } else {
            self.prepared_high.checked_sub(self.committed_low)?
        };
        Some(Money::from_millionths(owed))
    }

    /// The exposure after a step of an obligation of `debtor`. `None` on overflow, and where what was never prepared
    /// would be taken back.
    #[must_use]
    pub fn after(mut self, step: ExposureStep, debtor: &PartnerCode, money: Money) -> Option<Self> {
        let millionths = money.millionths();
        let is_low = debtor == self.key.pair.low();
        let prepared = if is_low { &mut self.prepared_low } else { &mut self.prepared_high };
        *prepared = match step {
            ExposureStep::Prepare => prepared.checked_add(millionths)?,
            ExposureStep::Book => *prepared,
            ExposureStep::Commit | ExposureStep::Release => prepared.checked_sub(millionths)?,
        };
        if *prepared < 0 {
            return None;
        }
        if matches!(step, ExposureStep::Commit | ExposureStep::Book) {
            let signed = if is_low { millionths } else { millionths.checked_neg()? };
            self.committed_low = self.committed_low.checked_add(signed)?;
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_only_prepared_does_not_lower_the_debt() {
        let [low, high] = ["airline", "market"].map(|c| PartnerCode::new(c).unwrap());
        let key = ExposureKey { pair: Pair::new(&high, &low).unwrap(), currency: "CNY".parse().unwrap() };
        let step = |e: Exposure, s, who: &PartnerCode, m| e.after(s, who, Money::from_millionths(m)).unwrap();
        let e = step(Exposure::none(key), ExposureStep::Prepare, &low, 70);
        let e = step(e, ExposureStep::Prepare, &high, 50);
        assert_eq!(e.owed_by(&low), Some(Money::from_millionths(70)));
        let e = step(e, ExposureStep::Commit, &high, 50);
        assert_eq!(e.owed_by(&low), Some(Money::from_millionths(20)), "committed debts net out");
        assert_eq!(e.owed_by(&high), Some(Money::from_millionths(50)));
        let e = step(e, ExposureStep::Release, &low, 70);
        assert_eq!(e.owed_by(&low), Some(Money::from_millionths(-50)));
        assert_eq!(e.clone().after(ExposureStep::Release, &low, Money::from_millionths(1)), None);
        let e = step(e, ExposureStep::Book, &low, 60);
        assert_eq!(e.owed_by(&low), Some(Money::from_millionths(10)), "what is booked was never prepared");
    }
}
