//! Ctrl-C in the parent: the first one stops what runs in order, a second one ends the process at once.
//!
//! | somebody is busy | one is being served | Ctrl-C does |
//! |---|---|---|
//! | no | any | what it does without us: the process ends |
//! | yes | no | counts it, rings every bell; from now on one is being served |
//! | yes | yes | what it does without us |
//!
//! It is served until those whose work it ended ([`WatchGuard::serve`]) are busy no more. If everybody's work has come to its
//! end before anybody looked, nobody hears of it: then it does what it would have done a moment later ([`missed`]).
//!
//! The system asks handlers on a thread of their own, the last one first. A handler that was set before ours is asked when
//! ours has nothing to do; one that was set after it is asked first, and may keep Ctrl-C to itself.

#![allow(unsafe_code)] // SetConsoleCtrlHandler

use super::bell::Bell;
use super::call::checked;
use super::exit::exit_now;
use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT;
use windows_sys::Win32::System::Console::{CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// Bells that can be watched at once: one for each pool and each waiting thread.
pub const BELLS_MAX: usize = 1024;

static BELLS: Mutex<Vec<Arc<Bell>>> = Mutex::new(Vec::new());
/// Guards that are busy.
static BUSY: AtomicUsize = AtomicUsize::new(0);
/// Guards whose work an interrupt has ended, and that are still busy with that.
static SERVERS: AtomicUsize = AtomicUsize::new(0);
/// Whether there was an interrupt that nobody has served yet.
static UNSERVED: AtomicBool = AtomicBool::new(false);
/// Interrupts that were served.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A bell that rings on Ctrl-C, until dropped.
#[derive(Debug)]
pub struct WatchGuard {
    bell: Arc<Bell>,
    busy: AtomicBool,
    serves: AtomicBool,
}

/// Takes care of Ctrl-C; it is ours now.
pub fn arm() -> io::Result<bool> {
    static ARMED: Mutex<bool> = Mutex::new(false);
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*armed {
        // SAFETY: duty: a handler of the right form that lives for ever: a function.
        checked(unsafe { SetConsoleCtrlHandler(Some(on_interrupt), 1) })?;
        *armed = true;
    }
    Ok(true)
}

/// Has `bell` rung on each Ctrl-C that is served.
///
/// # Errors
/// [`io::ErrorKind::OutOfMemory`] when [`BELLS_MAX`] are watched already.
pub fn watch(bell: Arc<Bell>) -> io::Result<WatchGuard> {
    let mut bells = bells();
    if bells.len() >= BELLS_MAX {
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, "1024 bells are watched already"));
    }
    bells.push(bell.clone());
    Ok(WatchGuard { bell, busy: AtomicBool::new(false), serves: AtomicBool::new(false) })
}

/// How many Ctrl-C were served since the process started.
pub fn count() -> u64 {
    // PAIR: `on_interrupt` counts before it rings, so who was rung sees the count.
    COUNT.load(SeqCst)
}

/// Says that an interrupt came while the caller was busy, and that there is nothing left that it could end. If that is so for
/// everybody, it does what it does to a process in which nobody is busy.
pub fn missed() {
    // PAIR: `on_interrupt` swaps it; `WatchGuard::serve` takes it.
    if BUSY.load(SeqCst) == 0 && SERVERS.load(SeqCst) == 0 && UNSERVED.swap(false, SeqCst) {
        // What the system's own handler does.
        exit_now(STATUS_CONTROL_C_EXIT);
    }
}

impl WatchGuard {
    /// Says whether somebody is waiting for work to end, which is what a first Ctrl-C interrupts; whether that is new.
    pub fn busy(&self, busy: bool) -> bool {
        if self.busy.swap(busy, SeqCst) == busy {
            return false;
        }
        // PAIR: `on_interrupt` loads both.
        if busy {
            BUSY.fetch_add(1, SeqCst);
        } else {
            BUSY.fetch_sub(1, SeqCst);
            if self.serves.swap(false, SeqCst) {
                SERVERS.fetch_sub(1, SeqCst);
            }
        }
        true
    }

    /// Whether somebody is waiting for work to end.
    pub fn is_busy(&self) -> bool {
        self.busy.load(SeqCst)
    }

    /// The interrupt ends the work of this one, which is busy: the next Ctrl-C is a second one until it is no more.
    pub fn serve(&self) {
        if !self.serves.swap(true, SeqCst) {
            // PAIR: `on_interrupt` loads it, and finds one of the two at any moment.
            SERVERS.fetch_add(1, SeqCst);
        }
        UNSERVED.store(false, SeqCst);
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.busy(false);
        let mut bells = bells();
        if let Some(index) = bells.iter().position(|bell| Arc::ptr_eq(bell, &self.bell)) {
            bells.swap_remove(index);
        }
    }
}

fn bells() -> MutexGuard<'static, Vec<Arc<Bell>>> {
    // Nothing that panics runs under this lock.
    BELLS.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "system" fn on_interrupt(kind: u32) -> BOOL {
    // PAIR: `WatchGuard::busy`, `WatchGuard::serve`, `missed`.
    if kind != CTRL_C_EVENT
        || BUSY.load(SeqCst) == 0
        || SERVERS.load(SeqCst) > 0
        || UNSERVED.swap(true, SeqCst)
    {
        return 0;
    }
    COUNT.fetch_add(1, SeqCst);
    bells().iter().for_each(|bell| bell.ring());
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_interrupt_of_a_busy_program_is_served() {
        let bell = Arc::new(Bell::new().unwrap());
        let guard = watch(bell.clone()).unwrap();
        assert_eq!(on_interrupt(CTRL_C_EVENT), 0, "nobody is busy");
        guard.busy(true);
        assert_eq!(on_interrupt(CTRL_C_EVENT), 1);
        assert!(bell.clear());
        assert_eq!(on_interrupt(CTRL_C_EVENT), 0, "the second one");
        guard.serve();
        assert_eq!(on_interrupt(CTRL_C_EVENT), 0, "the second one");
        assert!(guard.busy(false) && guard.busy(true));
        assert_eq!(on_interrupt(CTRL_C_EVENT), 1);
        guard.serve();
        drop(guard);
        assert_eq!((on_interrupt(CTRL_C_EVENT), count()), (0, 2));
    }
}
