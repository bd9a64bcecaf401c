//! Ctrl-C in the parent: the first one stops what runs in order, a second one ends the process at once.
//!
//! | somebody is busy | one is being served | SIGINT does |
//! |---|---|---|
//! | no | any | the default: the process dies of it |
//! | yes | no | counts it, rings every bell; from now on one is being served |
//! | yes | yes | the default: the process dies of it |
//!
//! Who is busy, and how long one is served: [`at_work`](crate::sys::at_work). One that everybody has missed does what it would have
//! done a moment later ([`missed`]).
//!
//! Where the program has taken SIGINT over in between, and calls what it found there as `signal_hook` and tokio do, it does
//! nothing: that the process goes on is what the program wanted.
//!
//! The handler uses atomics, `write`, `sigaction` and `raise` only, and leaves `errno` as it was.

#![allow(unsafe_code)] // a signal handler, and bells borrowed by number in it

use super::disposition::{self, Handler};
use super::errno::KeptErrno;
use super::platform::bell::Bell;
use crate::sys::at_work::{self, Work};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicI32, AtomicUsize};

/// Bells that can be watched at once: one for each pool and each waiting thread.
pub const BELLS_MAX: usize = 1024;

/// No descriptor has this number.
const FREE: i32 = -1;

/// The descriptors of the bells.
static BELLS: [AtomicI32; BELLS_MAX] = [const { AtomicI32::new(FREE) }; BELLS_MAX];
/// One more than the highest slot that was ever used, so that the handler looks at few.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Handlers that run right now and may be about to ring.
static RINGING: AtomicUsize = AtomicUsize::new(0);

/// A bell that rings on Ctrl-C, until dropped.
#[derive(Debug)]
pub struct WatchGuard {
    /// Whether it is busy.
    pub work: Work,
    slot: usize,
    /// Keeps the descriptor open while its number is in the slot.
    _bell: Arc<Bell>,
}

/// Takes care of Ctrl-C if nobody else does; whether it is ours now. A handler of the user, or a program started with
/// SIGINT ignored (`nohup`), stays as it is.
pub fn arm() -> io::Result<bool> {
    let now = disposition::query(libc::SIGINT)?.sa_sigaction;
    if now == libc::SIG_DFL {
        // SAFETY: duty: an async-signal-safe handler: `on_interrupt` uses atomics, write, sigaction and raise only.
        unsafe { disposition::handle(libc::SIGINT, on_interrupt)? };
        return Ok(true);
    }
    Ok(now == on_interrupt as Handler as usize)
}

/// Has `bell` rung on each Ctrl-C that is served.
///
/// # Errors
/// [`io::ErrorKind::OutOfMemory`] when [`BELLS_MAX`] are watched already.
pub fn watch(bell: Arc<Bell>) -> io::Result<WatchGuard> {
    let descriptor = bell.handle().as_raw_fd();
    for (slot, place) in BELLS.iter().enumerate() {
        // PAIR: `on_interrupt` loads the slot; `WatchGuard::drop` frees it.
        if place.compare_exchange(FREE, descriptor, SeqCst, Relaxed).is_ok() {
            USED.fetch_max(slot + 1, SeqCst);
            return Ok(WatchGuard { work: Work::default(), slot, _bell: bell });
        }
    }
    Err(io::Error::new(io::ErrorKind::OutOfMemory, "1024 bells are watched already"))
}

/// Says that an interrupt came while the caller was busy, and that there is nothing left that it could end. If that is so for
/// everybody, it does what it does to a process in which nobody is busy.
pub fn missed() {
    if at_work::is_missed() {
        let ours = disposition::query(libc::SIGINT);
        if ours.is_ok_and(|now| now.sa_sigaction == on_interrupt as Handler as usize) {
            let _ = disposition::set_default(libc::SIGINT);
            disposition::raise(libc::SIGINT);
        }
    }
}

/// A copy of a process has nobody who waits: the bells are its original's.
#[cfg_attr(
    any(not(target_os = "linux"), mp_portable_unix),
    allow(dead_code, reason = "nobody makes copies elsewhere")
)]
pub(super) fn forget() {
    at_work::forget();
    for place in &BELLS {
        place.store(FREE, SeqCst);
    }
    USED.store(0, SeqCst);
    RINGING.store(0, SeqCst);
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.work.busy(false);
        // PAIR: a handler that loaded the number before this store is counted in `RINGING` (both SeqCst: it counts
        // itself, then loads the slot; we free the slot, then load the count). Only when it is through may the
        // descriptor be closed, or it would write to whatever gets the number next.
        BELLS[self.slot].store(FREE, SeqCst);
        while RINGING.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
}

extern "C" fn on_interrupt(signal: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let _errno = KeptErrno::new();
    if disposition::query(signal).is_ok_and(|now| now.sa_sigaction != on_interrupt as Handler as usize) {
        return;
    }
    RINGING.fetch_add(1, SeqCst);
    if at_work::is_first() {
        for place in &BELLS[..USED.load(SeqCst)] {
            let descriptor = place.load(SeqCst);
            if descriptor != FREE {
                // SAFETY: duty: open for the length of the borrow: its guard keeps the bell, and lets go of it only
                // when the slot is free and no handler is under way.
                let bell = unsafe { BorrowedFd::borrow_raw(descriptor) };
                // A full counter means that the bell rings already.
                let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
            }
        }
    } else {
        // Blocked while we run: it strikes when we return.
        let _ = disposition::set_default(signal);
        disposition::raise(signal);
    }
    RINGING.fetch_sub(1, SeqCst);
}

#[cfg(test)]
#[path = "interrupt_tests.rs"]
mod tests;
