//! A small generator of repeatable noise.

/// Repeatable noise from a seed (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", 2014).
///
/// A case of a sweep is named by its seed, so the sequence must not change with the version of a
/// library.
#[derive(Clone, Debug)]
pub struct Noise {
    state: u64,
}

impl Noise {
    /// The generator for `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, 0 where that is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        // The bias of the remainder is at most bound / 2^64.
        match self.next_u64().checked_rem(bound) {
            Some(rest) => rest,
            None => 0,
        }
    }

    /// Fills `out` with noise.
    pub fn fill(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(8) {
            for (byte, noise) in piece.iter_mut().zip(self.next_u64().to_le_bytes()) {
                *byte = noise;
            }
        }
    }
}
