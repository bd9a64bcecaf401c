//! Who holds a lock: a thread by its number and, to tell it from the number's next owner, when it was started.

use super::table::look;
use rustix::process::Pid;
use std::io;

/// Linux gives numbers below 2²².
const NUMBER_BITS: u32 = 22;

/// This thread in an owner word, of which the upper bits are cut off.
pub fn this_thread() -> io::Result<u64> {
    word(rustix::thread::gettid()).ok_or_else(|| io::Error::other("this thread is not in the system's table"))
}

/// Whether a thread is gone.
pub fn is_gone(who: u64) -> bool {
    let pid = Pid::from_raw((who & ((1 << NUMBER_BITS) - 1)) as i32);
    pid.and_then(word).map(|word| word & crate::sys::owned_lock::WHO) != Some(who)
}

fn word(thread: Pid) -> Option<u64> {
    Some(u64::from(thread.as_raw_nonzero().get().cast_unsigned()) | look(thread)?.started << NUMBER_BITS)
}
