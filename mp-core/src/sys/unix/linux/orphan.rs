//! What a worker does when its parent dies while nobody here can look.
//!
//! ```text
//!  parent dies ─► the watch thread sees it ─► it ends this process
//!             └─► SIGCONT: wakes a stopped process, so that the watch thread can look
//!                      └─► handler: keeps the task's thread still, so that it cannot stop the process once more
//! ```
//!
//! The signal comes once. A task that stops its own process right after it would stop the watch thread too, and nobody
//! would ever wake them again: hence the handler.

#![allow(unsafe_code)] // a signal handler, and the signal mask of a thread

use super::super::disposition;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::Timespec;
use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// The parent whose death ends this process, or [`NOBODY`].
static PARENT: AtomicU32 = AtomicU32::new(NOBODY);

/// No process has this number.
const NOBODY: u32 = 0;

/// Has the kernel wake this process up when its parent dies. It means the *thread* that started us, so the signal comes
/// early at times; it does no harm then.
///
/// The threads that this thread starts from here on are left alone by the signal: start those that watch over the
/// parent now, then call [`heed_parents_death`].
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: duty: an async-signal-safe handler: see `stay_if_orphaned`.
    unsafe { disposition::handle(libc::SIGCONT, on_wake_up)? };
    mask_wake_up(libc::SIG_BLOCK)?;
    Ok(set_parent_process_death_signal(Some(Signal::CONT))?)
}

/// From here on this thread, and those that it starts, stand still when `parent` is dead, until a watch thread has ended
/// this process or called [`outlive_parent`].
pub fn heed_parents_death(parent: u32) -> io::Result<()> {
    PARENT.store(parent, Relaxed);
    mask_wake_up(libc::SIG_UNBLOCK)?;
    // It may have died before the kernel was asked for a signal.
    stay_if_orphaned();
    Ok(())
}

/// This process goes on without its parent.
pub fn outlive_parent() {
    PARENT.store(NOBODY, Relaxed);
}

extern "C" fn on_wake_up(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    stay_if_orphaned();
}

/// Two system calls, which rustix makes itself: async-signal-safe.
fn stay_if_orphaned() {
    loop {
        let parent = PARENT.load(Relaxed);
        // A process gets its new parent before it gets the signal.
        let now = getppid().map_or(NOBODY, |pid| pid.as_raw_nonzero().get().cast_unsigned());
        if parent == NOBODY || parent == now {
            return;
        }
        let _ = rustix::thread::nanosleep(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
    }
}

fn mask_wake_up(how: libc::c_int) -> io::Result<()> {
    // SAFETY: duty: valid pointers: live locals, `null` for the old set, which nobody wants. All-zero bytes are a valid
    // set, made empty before it is used.
    let error = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCONT);
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut())
    };
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}
