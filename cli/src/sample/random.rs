//! Random draws that stay the same across versions of the `rand` crates: only the generator itself comes from them.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A seeded stream of draws.
pub(super) struct Random(Pcg64Mcg);

impl Random {
    /// The stream of this seed for this purpose; streams of other days or purposes are independent of it.
    pub(super) fn new(seed: u64, day: i32, purpose: Purpose) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(&day.to_le_bytes()).update(purpose.name());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(Pcg64Mcg::from_seed(bytes))
    }

    /// A number from 0 up to, not including, `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.0.next_u32()) * u64::from(bound);
        // The upper half of a 64-bit product of two 32-bit numbers fits 32 bits.
        u32::try_from(product >> 32).unwrap_or_default()
    }

    /// A number below `bound`, small ones more often: the product of two even draws.
    pub(super) fn skewed_below(&mut self, bound: u32) -> u32 {
        let first = self.below(bound);
        self.below(first.saturating_add(1))
    }

    /// A number of an inclusive range.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True once in `n` draws.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// True with probability `part / whole`; `whole` is below 2^32.
    pub(super) fn share(&mut self, part: u64, whole: u64) -> bool {
        (u64::from(self.0.next_u32()).saturating_mul(whole) >> 32) < part
    }

    /// An item of the list; the empty text for an empty list.
    pub(super) fn pick(&mut self, items: &[&'static str]) -> &'static str {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let index = self.below(count);
        items.get(index as usize).copied().unwrap_or_default()
    }
}

/// The purposes of draws.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// The products of the shop.
    Catalogue,
    /// What is sold.
    Sales,
    /// What is broken; apart from the sales, so that dirt changes no other line.
    Dirt,
}

impl Purpose {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Catalogue => b"catalogue",
            Self::Sales => b"sales",
            Self::Dirt => b"dirt",
        }
    }
}
