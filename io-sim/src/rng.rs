//! The world's randomness: every decision has its own draws.
//!
//! A decision is named by what it is about (a [`Label`]), the two hosts and a number that counts such decisions between
//! them. Its draws follow from the world's seed and that name alone. So a host that sends one packet more shifts the
//! fate of no other host's packets, and a scenario with one fault less stays close to the original, which is what makes
//! shrinking work. The arithmetic is that of SplitMix64, fixed here: the same on every platform and in every release.

use core::time::Duration;

use crate::time::nanos;

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Label {
    /// What happens to a packet on its way.
    Packet = 1,
    /// Where a stream is cut into chunks.
    Chop = 2,
    /// Which chunks of a stream are joined again.
    Join = 3,
    /// How long a local operation takes.
    Local = 4,
    /// Which bit is flipped.
    Flip = 5,
    /// Wake-ups that nobody asked for.
    Spurious = 6,
    /// How much of what was not yet durable survives a crash.
    Torn = 7,
    /// The seed of a node's generator.
    NodeSeed = 8,
    /// The seed of a node's secrets.
    SecretSeed = 9,
    /// A host's key pair.
    Identity = 10,
}

/// The source of all draws of a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    seed: u64,
}

impl Dice {
    /// The dice of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draws of one decision.
    pub(crate) const fn draws(self, label: Label, src: u32, dst: u32, n: u64) -> Draws {
        let pair = (src as u64) << 32 | dst as u64;
        let state = mix(self.seed ^ mix(label as u64));
        Draws { state: mix(state ^ mix(pair ^ mix(n))) }
    }

    /// 32 bytes that follow from the name of a decision.
    pub(crate) fn bytes32(self, label: Label, src: u32, n: u64) -> [u8; 32] {
        let mut draws = self.draws(label, src, 0, n);
        let mut out = [0; 32];
        for word in out.chunks_exact_mut(8) {
            word.copy_from_slice(&draws.next_u64().to_le_bytes());
        }
        out
    }
}

/// The draws of one decision, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    state: u64,
}

impl Draws {
    /// The next 64 random bits.
    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// True `per_mille` times in a thousand. Draws nothing when the answer is certain.
    pub(crate) const fn chance(&mut self, per_mille: u32) -> bool {
        per_mille != 0 && (per_mille >= 1_000 || self.below(1_000) < per_mille as u64)
    }

    /// A duration of at most `most`. Draws nothing when that is zero.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return most;
        }
        Duration::from_nanos(self.below(nanos(most).saturating_add(1)))
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64.
const fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(GAMMA);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_from_their_name_alone() {
        let dice = Dice::new(7);
        let mut once = dice.draws(Label::Packet, 1, 2, 3);
        let mut again = dice.draws(Label::Packet, 1, 2, 3);
        assert_eq!([once.next_u64(), once.next_u64()], [again.next_u64(), again.next_u64()]);
        for mut other in [
            Dice::new(8).draws(Label::Packet, 1, 2, 3),
            dice.draws(Label::Chop, 1, 2, 3),
            dice.draws(Label::Packet, 2, 1, 3),
            dice.draws(Label::Packet, 1, 2, 4),
        ] {
            assert_ne!(other.next_u64(), dice.draws(Label::Packet, 1, 2, 3).next_u64());
        }
    }

    #[test]
    fn the_stream_is_the_same_for_ever() {
        // The first output of SplitMix64 from state zero, by its reference implementation.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(Dice::new(1).draws(Label::Packet, 0, 1, 0).next_u64(), 13_933_865_357_103_560_254);
    }

    #[test]
    fn chances_come_out_as_often_as_they_say() {
        let dice = Dice::new(1);
        let hits = (0..100_000).filter(|n| dice.draws(Label::Packet, 0, 1, *n).chance(300)).count();
        assert!((29_000..31_000).contains(&hits), "{hits}");
        assert!(!Draws { state: 5 }.chance(0));
        assert!(Draws { state: 5 }.chance(1_000));
    }
}
