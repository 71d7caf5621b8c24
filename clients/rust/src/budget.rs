//! The budget of retries: while most calls fail, calls are made once, so that clients do not keep a sick hub sick.
//!
//! As gRPC defines it: a failure costs one token, a success earns a part of one, and calls are sent again only while
//! more than half of all tokens are there. What is absent: time; only calls change it.

use std::sync::{Mutex, PoisonError};

use crate::policy::Throttling;

/// One token, in the units that are counted.
const TOKEN: u64 = 1000;

/// The tokens of one client and its copies.
#[derive(Debug)]
pub(crate) struct Budget {
    rules: Throttling,
    /// Thousandths.
    left: Mutex<u64>,
}

impl Budget {
    /// All tokens are there.
    pub(crate) fn new(rules: Throttling) -> Self {
        Self { rules, left: Mutex::new(rules.max_tokens) }
    }

    /// A call succeeded.
    pub(crate) fn earn(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_add(self.rules.token_ratio).min(self.rules.max_tokens);
    }

    /// An attempt failed that could be repeated; whether it may be.
    pub(crate) fn spend(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(TOKEN);
        *left > self.rules.max_tokens / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_tokens_can_be_spent_and_successes_earn_them_back() {
        let budget = Budget::new(Throttling { max_tokens: 10 * TOKEN, token_ratio: 500 });
        let spent = (0..20).take_while(|_| budget.spend()).count();
        assert_eq!(spent, 4, "the fifth failure leaves half, which is not more than half");
        budget.earn();
        assert!(!budget.spend(), "half a token earned, a whole one spent");
        (0..100).for_each(|_| budget.earn());
        assert_eq!((0..20).take_while(|_| budget.spend()).count(), 4, "no more than all tokens are earned");
    }
}
