//! What a worker does when its parent dies: its threads stand still while one of them ends it and all below it.
//!
//! ```text
//!  parent dies ─► the watch thread sees it ─► has the others stand still ─► ends what they have started ─► ends us
//!             └─► SIGCONT: wakes a stopped process, so that the watch thread can look
//! ```
//!
//! A task that goes on may start a process right after the last look at what it has started, or stop its own process,
//! watch thread and all: the kernel wakes us up once and not again.
//!
//! Of a parent with several threads the one that started us may end first: the kernel wakes us up for it, too. A task that then
//! stops its process once more takes the next wake-up away if that is under way, as a stop does. So a process that is woken up
//! early has itself woken up a few times more.

#![allow(unsafe_code)] // a signal handler, and a signal for one thread

use super::super::descendants::kill_own_group_and_exit;
use super::super::errno::KeptErrno;
use super::super::{Handle, disposition};
use super::group;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use rustix::thread::{Timespec, gettid};
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize};

/// The parent whose death ends this process.
///
/// | value | by | goes to | when |
/// |---|---|---|---|
/// | [`UNKNOWN`] | [`heed_parents_death`] | a number | tasks are about to run |
/// | any | [`outlive_parent`] | [`NOBODY`] | the parent has let go of this process |
/// | any | [`forget`] | [`UNKNOWN`] | this process is a fresh copy of the one that was named |
static PARENT: AtomicU32 = AtomicU32::new(UNKNOWN);

/// The watch thread ends this process.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How many threads stand still.
static STANDING: AtomicUsize = AtomicUsize::new(0);

/// The kernel's number of the timer that wakes this process up, or [`NO_TIMER`].
static TIMER: AtomicI32 = AtomicI32::new(NO_TIMER);

const NO_TIMER: i32 = -1;

/// How many times the timer has been set since the last signal of the parent.
static ALARMS: AtomicU32 = AtomicU32::new(0);

/// How many times it is, and how long it waits: this at first, then ten times as long each time. A few: what a task waits in
/// may be interrupted.
const ALARMS_MAX: u32 = 4;
const FIRST_ALARM_NS: i64 = 2_000_000;

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

/// Has the kernel wake this process up when its parent dies. It means the *thread* that started us, so the signal comes
/// early at times; it does no harm then.
///
/// The threads that this thread starts from here on do not heed the signal: start the watch thread now, then call
/// [`heed_parents_death`].
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: duty: an async-signal-safe handler: see `stand_while_ending`.
    unsafe { disposition::handle(libc::SIGCONT, on_wake_up)? };
    disposition::block(libc::SIGCONT)?;
    Ok(set_parent_process_death_signal(Some(Signal::CONT))?)
}

/// Has the kernel wake this process up when its parent dies, and ends it and its process group then. For a process with
/// one thread, which nobody watches over: the handler does it.
pub fn end_with_parent(parent: u32) -> io::Result<()> {
    PARENT.store(parent, Relaxed);
    // SAFETY: duty: an async-signal-safe handler: see `end_if_orphaned`.
    unsafe { disposition::handle(libc::SIGCONT, on_orphaned)? };
    set_parent_process_death_signal(Some(Signal::CONT))?;
    disposition::unblock(libc::SIGCONT)?;
    // It may have died before the kernel was asked for a signal.
    end_if_orphaned();
    Ok(())
}

/// What shows that the parent is gone: what it has sent for it.
pub fn watch_parent(sent: Handle, _: u32) -> Handle {
    sent
}

/// A copy of a process has yet to be told whose death ends it.
pub(super) fn forget() {
    PARENT.store(UNKNOWN, Relaxed);
    ENDING.store(false, Relaxed);
    STANDING.store(0, Relaxed);
    TIMER.store(NO_TIMER, Relaxed);
    group::forget();
}

/// From here on this thread, and those that it starts, stand still when `parent` is dead, until the watch thread has
/// ended this process or called [`outlive_parent`]. Until then, too, our process group ends with this process.
pub fn heed_parents_death(parent: u32) -> io::Result<()> {
    // A system that cannot do it (an emulator, a sandbox) leaves the group to the parent and to the watch thread.
    let _ = group::end_with_us();
    // The watch thread may already have heard that it is nobody. PAIR: `outlive_parent` first stores that and then lets
    // the group go; so the group is let go there, or here.
    if PARENT.compare_exchange(UNKNOWN, parent, SeqCst, SeqCst) == Err(NOBODY) {
        group::outlive_us();
    }
    disposition::unblock(libc::SIGCONT)?;
    // It may have died before the kernel was asked for a signal.
    stand_while_ending();
    Ok(())
}

/// This process goes on without its parent, and what it starts without this process.
pub fn outlive_parent() {
    // PAIR: `heed_parents_death`.
    PARENT.store(NOBODY, SeqCst);
    group::outlive_us();
}

/// Has all other threads stand still that let themselves be interrupted; `spared` of them do not heed the signal (they
/// were started before [`heed_parents_death`]). The caller ends this process now.
pub fn hold_other_threads(spared: usize) {
    ENDING.store(true, Relaxed);
    for _ in 0..WAIT_FOR {
        let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
        let ourselves = gettid().as_raw_nonzero().get();
        let others: Vec<libc::pid_t> = tasks
            .filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok())
            .filter(|thread| *thread != ourselves)
            .collect();
        // PAIR: `stand_while_ending`, so that what those threads have started is there to be seen.
        if STANDING.load(Acquire) + spared >= others.len() {
            return;
        }
        for thread in others {
            wake_up(thread);
        }
        let _ = rustix::thread::nanosleep(&LOOK_EVERY);
    }
}

extern "C" fn on_orphaned(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    end_if_orphaned();
}

/// Atomics and system calls: async-signal-safe.
fn end_if_orphaned() {
    if is_orphaned() {
        kill_own_group_and_exit();
    }
}

extern "C" fn on_wake_up(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    stand_while_ending();
    // SAFETY: duty: a live siginfo: the kernel hands one to a handler that was installed with `SA_SIGINFO`. Who has sent a signal is
    // part of what every signal of another process says.
    let (code, sender) = unsafe { ((*info).si_code, (*info).si_pid()) };
    if code == libc::SI_TIMER {
        look_again();
    } else if sender.cast_unsigned() == PARENT.load(Relaxed) {
        ALARMS.store(0, Relaxed);
        look_again();
    }
}

/// Has this process woken up once more in a while. Atomics and system calls: async-signal-safe.
fn look_again() {
    let _errno = KeptErrno::new();
    let count = ALARMS.fetch_add(1, Relaxed);
    if count >= ALARMS_MAX || (TIMER.load(Relaxed) == NO_TIMER && !make_timer()) {
        return;
    }
    let after = FIRST_ALARM_NS * 10_i64.pow(count);
    // An interval of zero, and when: seconds and nanoseconds each.
    let when: [libc::c_long; 4] = [0, 0, (after / 1_000_000_000) as _, (after % 1_000_000_000) as _];
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: duty: a valid pointer to what the kernel reads: a live local of the form that this call has for C's `long`.
    unsafe { libc::syscall(libc::SYS_timer_settime, TIMER.load(Relaxed), 0, when.as_ptr(), none) };
}

/// Whether there is a timer now: the C library's function may allocate, and its timers have other numbers.
fn make_timer() -> bool {
    // SAFETY: duty: all-zero bytes are a valid `sigevent`.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGCONT;
    let mut number = NO_TIMER;
    // SAFETY: duty: valid pointers: live locals.
    let result = unsafe {
        libc::syscall(libc::SYS_timer_create, libc::CLOCK_MONOTONIC, &raw const event, &raw mut number)
    };
    if result == 0 {
        TIMER.store(number, Relaxed);
    }
    result == 0
}

/// Atomics and system calls: async-signal-safe. Leaves `errno` alone where it matters: rustix makes its calls itself.
fn stand_while_ending() {
    if !is_ending() {
        return;
    }
    // Tasks run on the main thread; the kernel may have chosen another one.
    if gettid() != getpid() {
        wake_up(getpid().as_raw_nonzero().get());
    }
    // PAIR: `hold_other_threads`.
    STANDING.fetch_add(1, AcqRel);
    for _ in 0..STAND_FOR {
        let _ = rustix::thread::nanosleep(&LOOK_EVERY);
        if !is_ending() {
            break;
        }
    }
    STANDING.fetch_sub(1, AcqRel);
}

/// Sends the signal to one thread of ours.
fn wake_up(thread: libc::pid_t) {
    // SAFETY: duty: none, the call takes numbers; a thread that is gone makes it fail.
    unsafe { libc::syscall(libc::SYS_tgkill, getpid().as_raw_nonzero().get(), thread, libc::SIGCONT) };
}

fn is_ending() -> bool {
    ENDING.load(Relaxed) || is_orphaned()
}

/// Whether the parent that was named to [`heed_parents_death`] is gone.
pub fn is_orphaned() -> bool {
    let parent = PARENT.load(Relaxed);
    // A process gets its new parent before it gets the signal.
    let now = getppid().map_or(UNKNOWN, |pid| pid.as_raw_nonzero().get().cast_unsigned());
    parent != UNKNOWN && parent != NOBODY && parent != now
}
