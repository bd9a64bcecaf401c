//! Linux: memfd, futex, eventfd, epoll, pidfd, /proc.

pub mod bell;
pub mod cpu;
pub mod entry;
pub mod fault;
pub mod futex;
pub mod memory;
pub mod poller;
pub mod process;

mod arguments;
mod descendants;
mod oom;
pub(super) mod socket_flags;
mod stack;

use rustix::time::Timespec;
use std::time::Duration;

/// The kernel's form of a duration. One too long for `epoll_wait`, which counts milliseconds in 31 bits, is cut: the
/// wait ends early, as waits may.
fn time_spec(duration: Duration) -> Timespec {
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    let duration = duration.min(LONGEST);
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
