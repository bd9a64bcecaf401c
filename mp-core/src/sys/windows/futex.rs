//! Sleeping on a word in shared memory.

use super::unsupported;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Sleeps while `word` holds `expected`, at most `timeout`. Returns early for many reasons. Until the port is made it
/// naps for a moment: `WaitOnAddress` does not reach over process borders.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    const NAP: Duration = Duration::from_millis(1);
    // PAIR: the caller tests its condition again: this look only saves a nap.
    if word.load(Relaxed) == expected {
        std::thread::sleep(timeout.map_or(NAP, |timeout| timeout.min(NAP)));
    }
}

/// Wakes up to `count` sleepers on `word`; returns how many there were.
pub fn wake(_: &AtomicU32, _: u32) -> io::Result<usize> {
    Err(unsupported())
}
