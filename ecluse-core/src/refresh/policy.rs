//! When to refresh, and how often to try: plain data and integer arithmetic.

use core::time::Duration;

/// When a value is refreshed early, how failures are spaced, when the breaker opens.
///
/// ```
/// use core::time::Duration;
/// use ecluse_core::refresh::Policy;
///
/// const POLICY: Policy = Policy::new()
///     .early(Duration::from_secs(60))
///     .back_off(Duration::from_secs(1), Duration::from_secs(60))
///     .breaker(3, Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    early: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    threshold: u32,
    cool_down: Duration,
    entropy: Option<fn() -> u64>,
}

impl Policy {
    /// Early by 30 seconds, with jitter; pauses from 1 to 60 seconds; the breaker opens after 3
    /// failures in a row, for 30 seconds.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            early: Duration::from_secs(30),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            threshold: 3,
            cool_down: Duration::from_secs(30),
            entropy: None,
        }
    }

    /// How long before its expiry a value is refreshed while it is still served: by `early` and a
    /// random part on top, so that many holders of like values do not refresh at once. Never more
    /// than half of the value's lifetime. Zero: not before the expiry.
    #[must_use]
    pub const fn early(mut self, early: Duration) -> Self {
        self.early = early;
        self
    }

    /// The pause after a failed refresh: `first`, doubled with each failure in a row up to
    /// `longest`, and jittered by up to a half more. Within it no early refresh is tried; who needs a
    /// value because there is no valid one waits for no pause, until the breaker opens.
    #[must_use]
    pub const fn back_off(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest;
        self
    }

    /// After `threshold` failures in a row nobody tries for `cool_down` (at least once is tried: zero
    /// is taken for one); then one probe is let through. Each failed probe opens it again.
    ///
    /// So the callers' number is no matter: in an outage of ten minutes, with a thousand who each ask
    /// once a second, [`Policy::new`] mints 22 times; 19 times if each mint takes five seconds to fail.
    #[must_use]
    pub const fn breaker(mut self, threshold: u32, cool_down: Duration) -> Self {
        self.threshold = threshold;
        self.cool_down = cool_down;
        self
    }

    /// Where the jitter comes from: any function of random bits. (Else a xorshift generator, seeded
    /// by the refresher's address and what happens to it.)
    #[must_use]
    pub const fn entropy(mut self, entropy: fn() -> u64) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// How long after it was minted a value of this `lifetime` is to be refreshed.
    ///
    /// XFetch (Vattani, Chierichetti, Lowenstein, "Optimal probabilistic cache stampede prevention",
    /// 2015), drawn once a value: the lead is `early` times one plus an exponential variate.
    pub(super) fn refresh_after(&self, lifetime: Duration, random: u64) -> Duration {
        let lead = times(self.early, ONE + exponential(random));
        lifetime - lead.min(lifetime / 2)
    }

    /// How long nothing is tried early after so many failures in a row.
    pub(super) fn pause(&self, failures: u32, random: u64) -> Duration {
        let doubled = 1_u32
            .checked_shl(failures.saturating_sub(1))
            .and_then(|times| self.first_pause.checked_mul(times));
        let pause = doubled.unwrap_or(Duration::MAX).min(self.longest_pause);
        times(pause, ONE + (random >> 49))
    }

    /// Whether so many failures in a row open the breaker.
    pub(super) fn opens(&self, failures: u32) -> bool {
        failures >= self.threshold.max(1)
    }

    pub(super) fn cool_down(&self) -> Duration {
        self.cool_down
    }

    /// Random bits; `state` is the generator's, if the caller gave none.
    pub(super) fn random(&self, state: &mut u64, salt: u64) -> u64 {
        if let Some(entropy) = self.entropy {
            return entropy();
        }
        // xorshift64* (Vigna, 2014); a state of zero would stay so.
        let mut x = (*state ^ salt) | 1;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        *state = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// One, in sixteenths of bits: fixed point with 16 bits behind the point.
const ONE: u64 = 1 << 16;

/// `duration` times a factor in fixed point; saturates.
fn times(duration: Duration, factor: u64) -> Duration {
    let nanos = duration.as_nanos().saturating_mul(u128::from(factor)) >> 16;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// An exponential variate of mean one, in fixed point: -ln(u) for u uniform in (0, 1]. At most 44.4.
fn exponential(random: u64) -> u64 {
    // -log2(u) = 64 - log2(random), and ln 2 = 45,426 / 65,536.
    let log = log2(random.max(1));
    let bits = (64 * ONE).saturating_sub(log);
    (bits * 45_426) >> 16
}

/// log2 in fixed point, by the leading bit and a line between powers of two (off by 0.09 at most).
fn log2(x: u64) -> u64 {
    let whole = u64::from(63 - x.leading_zeros());
    let rest = (x << x.leading_zeros()) << 1;
    (whole << 16) + (rest >> 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_within_a_tenth_of_a_bit() {
        for x in [1_u64, 2, 3, 7, 1 << 20, u64::MAX / 3, u64::MAX] {
            let exact = (x as f64).log2();
            let ours = log2(x) as f64 / ONE as f64;
            assert!((exact - ours).abs() < 0.1, "{x}: {exact} {ours}");
        }
    }

    #[test]
    fn the_variate_has_mean_one() {
        let (mut state, policy) = (7, Policy::new());
        let draws = 100_000;
        let sum: u64 = (0..draws)
            .map(|_| exponential(policy.random(&mut state, 0)))
            .sum();
        let mean = sum as f64 / draws as f64 / ONE as f64;
        assert!((0.9..1.1).contains(&mean), "{mean}");
    }

    #[test]
    fn a_short_life_is_never_refreshed_in_its_first_half() {
        let policy = Policy::new().early(Duration::from_secs(60));
        for random in [0, 1, 1 << 40, u64::MAX] {
            let life = Duration::from_secs(10);
            assert!(policy.refresh_after(life, random) >= life / 2);
        }
        let never = Policy::new().early(Duration::ZERO);
        assert_eq!(never.refresh_after(Duration::MAX, 0), Duration::MAX);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = Policy::new().back_off(Duration::from_secs(1), Duration::from_secs(5));
        let pauses = [1, 2, 3, 4, 40, u32::MAX].map(|failures| policy.pause(failures, 0).as_secs());
        assert_eq!(pauses, [1, 2, 4, 5, 5, 5]);
        assert!(policy.pause(1, u64::MAX) < Duration::from_millis(1501));
    }
}
