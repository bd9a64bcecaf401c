//! Sleeping on a word in shared memory.

#![allow(unsafe_code)] // _umtx_op

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` holds `expected`, at most `timeout`. Returns early for many reasons, a signal among them: the
/// caller tests its condition and comes back.
///
/// # Blocking and death
/// The kernel keeps no state in the word: a waiter or a waker that is killed leaves nothing behind.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    const LONGEST: Duration = Duration::from_secs(3600);
    let timeout = timeout.map_or(LONGEST, |timeout| timeout.min(LONGEST));
    let mut until = libc::_umtx_time {
        _timeout: libc::timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        },
        _flags: 0,
        _clockid: libc::CLOCK_MONOTONIC.cast_unsigned(),
    };
    // The length of the time is passed in the place of a pointer.
    let len = std::ptr::without_provenance_mut(size_of::<libc::_umtx_time>());
    // SAFETY: duty: an aligned word of this size: the borrow of it; a valid pointer: a live local. Not the private form: the
    // word lies in memory of several processes. All ends mean the same to the caller.
    unsafe {
        libc::_umtx_op(
            word.as_ptr().cast(),
            libc::UMTX_OP_WAIT_UINT,
            expected.into(),
            len,
            (&raw mut until).cast(),
        )
    };
}

/// Wakes up to `count` sleepers on `word`; returns how many there were, as far as the system tells: one or more.
pub fn wake(word: &AtomicU32, count: u32) -> io::Result<usize> {
    let count = count.min(i32::MAX as u32);
    let none = std::ptr::null_mut();
    // SAFETY: duty: an aligned word: the borrow of it.
    match unsafe { libc::_umtx_op(word.as_ptr().cast(), libc::UMTX_OP_WAKE, count.into(), none, none) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(1),
    }
}
