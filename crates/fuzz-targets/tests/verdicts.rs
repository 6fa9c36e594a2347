//! What is called safe is safe, over random migrations and devices; `examples/long.rs` is the long
//! form of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use fuzz_targets::desk::{VerdictKind, verdict};
use nor_sim::Noise;

/// How many inputs are tried.
const CASES: u32 = 150;

#[test]
fn what_is_called_safe_is_safe() {
    let mut noise = Noise::new(0x5afe);
    let mut kinds: BTreeMap<VerdictKind, u32> = BTreeMap::new();
    for _ in 0..CASES {
        let mut input = vec![0; noise.below(400) as usize];
        noise.fill(&mut input);
        *kinds.entry(verdict(&input)).or_default() += 1;
    }
    // Each verdict comes about, so that none of what holds for it holds for lack of cases.
    for (kind, least) in [
        (VerdictKind::Planned, 15),
        (VerdictKind::Refused, 30),
        (VerdictKind::Contradicted, 3),
        (VerdictKind::Undeliverable, 3),
    ] {
        let count = kinds.get(&kind).copied().unwrap_or_default();
        assert!(count >= least, "{kind:?}: {count} of {CASES}, {kinds:?}");
    }
}
