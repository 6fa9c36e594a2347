//! Which cases of many are tried.

use std::collections::BTreeSet;

use nor_sim::Noise;

/// How many cases are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// None.
    None,
    /// All.
    All,
    /// This many, picked at random, or all if there are no more.
    Some(u64),
}

impl Amount {
    /// Picks from `total` cases; ascending, without duplicates, and always the same for a seed.
    #[must_use]
    pub fn pick(self, total: u64, seed: u64) -> Vec<u64> {
        match self {
            Self::None => Vec::new(),
            Self::Some(wanted) if wanted < total => sample(wanted, total, seed),
            Self::All | Self::Some(_) => (0..total).collect(),
        }
    }
}

impl std::str::FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            _ => match text.parse() {
                Ok(count) if count > 0 => Ok(Self::Some(count)),
                _ => Err(format!("{text:?} is neither none, nor all, nor a number of cases")),
            },
        }
    }
}

/// A random subset (R. W. Floyd, in J. Bentley, "Programming pearls: a sample of brilliance",
/// 1987).
fn sample(wanted: u64, total: u64, seed: u64) -> Vec<u64> {
    let mut noise = Noise::new(seed);
    let mut picked = BTreeSet::new();
    for last in total - wanted..total {
        let any = noise.below(last + 1);
        if !picked.insert(any) {
            picked.insert(last);
        }
    }
    picked.into_iter().collect()
}

/// The seed of case `index` of a sweep: short, since people type it.
#[must_use]
pub fn seed_of(sweep: u64, index: u64) -> u64 {
    Noise::new(sweep.wrapping_mul(0x0001_0000_0001) ^ index).next_u64() >> 48
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sample_has_what_was_asked_for(wanted in 0..500u64, total in 0..2000u64, seed: u64) {
            let picked = Amount::Some(wanted).pick(total, seed);
            prop_assert_eq!(picked.len() as u64, wanted.min(total));
            prop_assert!(picked.is_sorted_by(|a, b| a < b));
            prop_assert!(picked.last().is_none_or(|last| *last < total));
            prop_assert_eq!(Amount::Some(wanted).pick(total, seed), picked);
        }
    }

    #[test]
    fn another_seed_picks_others() {
        assert_ne!(Amount::Some(10).pick(1000, 1), Amount::Some(10).pick(1000, 2));
        assert_eq!(Amount::All.pick(3, 1), [0, 1, 2]);
        assert!(Amount::None.pick(3, 1).is_empty());
    }

    #[test]
    fn amounts_are_typed_in_words_or_numbers() {
        assert_eq!("all".parse(), Ok(Amount::All));
        assert_eq!("none".parse(), Ok(Amount::None));
        assert_eq!("12".parse(), Ok(Amount::Some(12)));
        for text in ["", "0", "-1", "every", "1.5"] {
            assert!(text.parse::<Amount>().unwrap_err().contains("number of cases"), "{text}");
        }
    }
}
