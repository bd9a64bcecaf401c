//! One suite for each contract of talking and sharing, kept by processes, by threads, and by both at once; the main thread
//! takes part each time. What the types do beside their contract is in `channel`, `sync` and `shm`.

#![allow(
    clippy::unwrap_used,
    reason = "tests and their tasks stop at the first thing that is not as it should be"
)]

#[path = "contracts/condition.rs"]
mod condition;
#[path = "contracts/lock.rs"]
mod lock;
#[path = "contracts/parties.rs"]
mod parties;
#[path = "contracts/pipe.rs"]
mod pipe;
#[path = "contracts/queue.rs"]
mod queue;
#[path = "contracts/shared.rs"]
mod shared;
#[path = "contracts/signal.rs"]
mod signal;

mp::test_main!();
