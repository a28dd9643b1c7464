//! Randomness as a value. One seed makes every draw of a node reproducible; secrets come from a generator of their own.

use core::{fmt, time::Duration};

use blake2::{Blake2s256, Digest as _};
use rand_chacha::{ChaCha8Rng, ChaCha20Rng};
use rand_core::{Rng as _, SeedableRng as _};

/// The seeded generator behind jitter, tie-breaks and sampling. Not for secrets: see [`Secrets`].
///
/// Each machine gets its own by [`Rng::fork`], so a new draw in one shifts no other.
#[derive(Clone, PartialEq, Eq)]
pub struct Rng {
    root: [u8; 32],
    stream: ChaCha8Rng,
}

impl Rng {
    /// A generator whose every draw follows from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { root: seed, stream: ChaCha8Rng::from_seed(seed) }
    }

    /// An independent generator for `label`. Depends on the seed and the label only, not on what was drawn before.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let digest = Blake2s256::new().chain_update(self.root).chain_update(label.as_bytes());
        Self::new(digest.finalize().into())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A number below `bound`; 0 when `bound` is 0. Unbiased to within 2^-64 (multiply and shift).
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < u64::from(per_mille)
    }

    /// A duration between `base - spread` and `base + spread`, where `spread` is `base * per_mille / 1000`.
    pub fn jitter(&mut self, base: Duration, per_mille: u32) -> Duration {
        let base = u64::try_from(base.as_nanos()).unwrap_or(u64::MAX);
        let spread = base / 1_000 * u64::from(per_mille.min(1_000));
        let low = base.saturating_sub(spread);
        Duration::from_nanos(low.saturating_add(self.below(spread.saturating_mul(2).saturating_add(1))))
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

/// The generator of keys and nonces. Seeded from the operating system in production, from the scenario in simulation.
///
/// Its state is never printed, compared or cloned.
pub struct Secrets(ChaCha20Rng);

impl Secrets {
    /// A generator whose every draw follows from `seed`, which must be secret and fresh in production.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// 32 random bytes.
    #[must_use]
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        self.fill(&mut out);
        out
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_depends_on_the_label_and_not_on_earlier_draws() {
        let mut root = Rng::new([7; 32]);
        let before = root.fork("link").next_u64();
        root.next_u64();
        assert_eq!(root.fork("link").next_u64(), before);
        assert_ne!(root.fork("route").next_u64(), before);
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut rng = Rng::new([1; 32]);
        assert_eq!(rng.below(0), 0);
        for _ in 0..1_000 {
            assert!(rng.below(3) < 3);
            let drawn = rng.jitter(Duration::from_millis(100), 300);
            assert!((70..=130).contains(&drawn.as_millis()), "{drawn:?}");
        }
    }

    #[test]
    fn the_stream_is_the_same_for_ever() {
        // First words of ChaCha8 under the zero key, from the eSTREAM test vectors.
        assert_eq!(Rng::new([0; 32]).next_u64(), 0xd640_5f89_2fef_003e);
    }
}
