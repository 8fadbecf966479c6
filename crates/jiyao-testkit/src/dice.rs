use std::time::{Duration, SystemTime};

/// Chance with a seed that is printed: `JIYAO_SEED=…` throws the same dice again.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Seeded from `JIYAO_SEED`, else from the clock.
    #[must_use]
    pub fn new(what: &str) -> Self {
        let given = std::env::var("JIYAO_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || {
            SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(1, |now| now.subsec_nanos().into())
        };
        let seed = given.unwrap_or_else(clock);
        println!("{what}: JIYAO_SEED={seed}");
        Self(seed)
    }

    /// A number below `limit` (splitmix64).
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }

    /// A time from `least` up to `most` milliseconds.
    pub fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}
