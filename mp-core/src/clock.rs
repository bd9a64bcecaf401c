//! Monotonic time as a plain number, so that the scheduler can be run in simulated time.

use std::ops::Add;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nanoseconds since the first look at the clock in this process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time(pub u64);

impl Time {
    /// Now.
    pub fn now() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        Self(nanos(START.get_or_init(Instant::now).elapsed()))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later)))
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
