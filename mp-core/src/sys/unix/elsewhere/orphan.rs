//! What a worker does when its parent dies: its threads stand still while one of them ends it and all below it.
//!
//! ```text
//!  parent dies ─► the watch thread sees it ─► has the others stand still ─► ends what they have started ─► ends us
//! ```
//! SIGCONT goes to this process, and the kernel chooses a thread that lets itself be interrupted. In its handler it is
//! blocked, so that the next one goes to the next thread.
//!
//! A stopped process cannot look. Where the system has no signal for a parent's death, it has POSIX's: a process group of
//! which somebody is stopped, and in which nobody has a parent in its session any more, gets SIGHUP and SIGCONT.

#![allow(unsafe_code)] // a signal handler

use super::errno::KeptErrno;
use super::{Handle, death, disposition, leaf};
use rustix::process::{Signal, getpid, getppid, kill_process};
use rustix::thread::{Timespec, nanosleep};
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

/// The parent whose death ends this process.
///
/// | value | by | goes to | when |
/// |---|---|---|---|
/// | [`UNKNOWN`] | [`heed_parents_death`] | a number | tasks are about to run |
/// | any | [`outlive_parent`] | [`NOBODY`] | the parent has let go of this process |
static PARENT: AtomicU32 = AtomicU32::new(UNKNOWN);

/// The watch thread ends this process.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How many threads stand still.
static STANDING: AtomicUsize = AtomicUsize::new(0);

/// No process has this number.
const UNKNOWN: u32 = 0;

/// Nor this one.
const NOBODY: u32 = u32::MAX;

/// How often a thread that stands still looks around.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// A thread that stands still may hold a lock that the watch thread needs (the allocator's): it goes on after so many
/// looks.
const STAND_FOR: u32 = 1000;

/// A thread that blocks signals never stands still: the watch thread looks so many times.
const WAIT_FOR: u32 = 100;

/// Asks the system to wake this process up when its parent dies, where it does.
///
/// The threads that this thread starts from here on do not heed the signal: start the watch thread now, then call
/// [`heed_parents_death`].
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: duty: an async-signal-safe handler: see `stand_while_ending`.
    unsafe { disposition::handle(libc::SIGCONT, on_wake_up)? };
    disposition::block(libc::SIGCONT)?;
    leaf::ask_for_parents_death()
}

/// For fork servers, which are not here.
pub fn end_with_parent(_: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What shows that the parent is gone: news of its death, or what it has sent for it where there are none.
pub fn watch_parent(sent: Handle, parent: u32) -> Handle {
    match death::watch(parent) {
        // Still our parent, so the number was its own all the time.
        Ok(watch) if is_parent(parent) => watch,
        _ => sent,
    }
}

/// From here on this thread, and those that it starts, stand still when `parent` is dead, until the watch thread has
/// ended this process or called [`outlive_parent`].
pub fn heed_parents_death(parent: u32) -> io::Result<()> {
    // The watch thread may already have heard that it is nobody.
    let _ = PARENT.compare_exchange(UNKNOWN, parent, Relaxed, Relaxed);
    disposition::unblock(libc::SIGCONT)?;
    // It may have died before the system was asked for a signal.
    stand_while_ending();
    Ok(())
}

/// This process goes on without its parent.
pub fn outlive_parent() {
    PARENT.store(NOBODY, Relaxed);
}

/// Has all other threads stand still that let themselves be interrupted; `spared` of them do not heed the signal (they
/// were started before [`heed_parents_death`]). The caller ends this process now.
pub fn hold_other_threads(spared: usize) {
    ENDING.store(true, Relaxed);
    for _ in 0..WAIT_FOR {
        let Some(threads) = leaf::threads() else { return };
        // PAIR: `stand_while_ending`, so that what those threads have started is there to be seen.
        if STANDING.load(Acquire) + spared + 1 >= threads {
            return;
        }
        wake_up_another();
        let _ = nanosleep(&LOOK_EVERY);
    }
}

extern "C" fn on_wake_up(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let _errno = KeptErrno::new();
    stand_while_ending();
}

/// Atomics and system calls: async-signal-safe.
fn stand_while_ending() {
    if !is_ending() {
        return;
    }
    // PAIR: `hold_other_threads`.
    STANDING.fetch_add(1, AcqRel);
    wake_up_another();
    for _ in 0..STAND_FOR {
        let _ = nanosleep(&LOOK_EVERY);
        if !is_ending() {
            break;
        }
    }
    STANDING.fetch_sub(1, AcqRel);
}

/// Sends the signal to a thread that does not stand still yet.
fn wake_up_another() {
    let _ = kill_process(getpid(), Signal::CONT);
}

fn is_ending() -> bool {
    ENDING.load(Relaxed) || is_orphaned()
}

/// Whether the parent that was named to [`heed_parents_death`] is gone: this process has another one then.
pub fn is_orphaned() -> bool {
    let parent = PARENT.load(Relaxed);
    parent != UNKNOWN && parent != NOBODY && !is_parent(parent)
}

fn is_parent(parent: u32) -> bool {
    getppid().is_some_and(|pid| pid.as_raw_nonzero().get().cast_unsigned() == parent)
}
