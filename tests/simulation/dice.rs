//! Dice that fall the same way for the same seed.

/// The state of a splitmix64 generator.
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is above zero.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.throw() % limit
    }

    /// Whether one case in so many came up.
    pub(crate) fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    /// One of some things, of which there is at least one.
    pub(crate) fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let place = self.below(u64::try_from(things.len()).unwrap());
        &things[usize::try_from(place).unwrap()]
    }
}

#[test]
fn a_seed_always_falls_the_same_way() {
    let throws = |seed| {
        let mut dice = Dice::new(seed);
        [(); 8].map(|()| dice.below(1000))
    };
    assert_eq!(throws(7), throws(7));
    assert_ne!(throws(7), throws(8));
}
