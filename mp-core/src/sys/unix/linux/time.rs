//! Durations as the kernel takes them.

use rustix::time::Timespec;
use std::time::Duration;

/// The kernel's form of a duration. One too long for `epoll_wait`, which counts milliseconds in 31 bits, is cut: the
/// wait ends early, as waits may.
pub fn time_spec(duration: Duration) -> Timespec {
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    let duration = duration.min(LONGEST);
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
