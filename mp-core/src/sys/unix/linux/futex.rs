//! Sleeping on a word in shared memory.

use rustix::io::Errno;
use rustix::thread::futex::{self, Flags};
use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` holds `expected`, at most `timeout`. Returns early for many reasons, a signal among them: the
/// caller tests its condition and comes back.
///
/// # Blocking and death
/// The kernel keeps no state in the word: a waiter or a waker that is killed leaves nothing behind.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(super::time::time_spec);
    // Not FUTEX_PRIVATE: the word lies in memory shared between processes. FUTEX_WAIT measures relative monotonic time.
    // All ends (changed word, time-out, signal) mean the same to the caller, so the result says nothing it needs.
    let _ = futex::wait(word, Flags::empty(), expected, timeout.as_ref());
}

/// Wakes up to `count` sleepers on `word`; returns how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> io::Result<usize> {
    // The kernel reads the count as a signed number.
    match futex::wake(word, Flags::empty(), count.min(i32::MAX as u32)) {
        // The memory is gone from under us only if the caller broke the borrow of `word`; say so rather than hide it.
        Err(Errno::FAULT) => Err(Errno::FAULT.into()),
        other => Ok(other?),
    }
}
