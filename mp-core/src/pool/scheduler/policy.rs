//! The numbers that steer a pool.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// What a pool was built with, as far as the scheduler cares.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How many workers the pool keeps.
    pub workers: NonZeroUsize,
    /// How many processors they share: more workers than that do not make short items end sooner.
    pub processors: NonZeroUsize,
    /// How much work a worker holds ahead.
    pub credit: Duration,
    /// How many items of a job a worker gets at once, whatever they take; `None`: as the credit allows.
    pub chunk: Option<NonZeroU64>,
    /// When a pool whose workers keep dying gives up.
    pub restart: Restart,
    /// How long a worker that was asked to leave may take.
    pub grace: Duration,
    /// A worker is replaced after this many calls.
    pub max_tasks_per_worker: Option<NonZeroU64>,
    /// How long a process may take from its start to its hello.
    pub handshake: Duration,
}

/// Restart intensity: a pool ends with an error when more than `at_most` workers die within `per` and no item
/// finishes in between, or, however long that takes, when none is ready and more than `at_most` die one after the other
/// before they are.
///
/// ```
/// use std::time::Duration;
///
/// #[mp::task]
/// fn give_up() {
///     std::process::exit(1);
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let strict = mp::Restart { at_most: 1, per: Duration::from_secs(60) };
///     let pool = mp::Pool::builder().workers(1).restart(strict).build()?;
///     assert!(pool.apply(give_up, ()).unwrap_err().is_worker_lost());
///     // The second death is one too many: this pool starts no more workers.
///     let _ = pool.apply(give_up, ()).unwrap_err();
///     assert_eq!(pool.apply(give_up, ()).unwrap_err().kind(), mp::ErrorKind::CrashLoop);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How many deaths are borne.
    pub at_most: u32,
    /// Within which time.
    pub per: Duration,
}

impl Restart {
    /// The default: three deaths per worker within five seconds.
    pub fn for_workers(workers: usize) -> Self {
        Self {
            at_most: u32::try_from(workers).unwrap_or(u32::MAX).saturating_mul(3),
            per: Duration::from_secs(5),
        }
    }
}
