//! Ctrl-C in the parent: the first one stops what runs in order, a second one ends the process at once.
//!
//! | somebody is busy | one is being served | Ctrl-C does |
//! |---|---|---|
//! | no | any | what it does without us: the process ends |
//! | yes | no | counts it, rings every bell; from now on one is being served |
//! | yes | yes | what it does without us |
//!
//! Who is busy, and how long one is served: [`at_work`](crate::sys::at_work).
//!
//! The system asks handlers on a thread of their own, the last one first. A handler that was set before ours is asked when
//! ours has nothing to do; one that was set after it is asked first, and may keep Ctrl-C to itself.

#![allow(unsafe_code)] // SetConsoleCtrlHandler

use super::bell::Bell;
use super::call::checked;
use crate::sys::at_work::{self, Work};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windows_sys::Win32::System::Console::{CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// Bells that can be watched at once: one for each pool and each waiting thread.
pub const BELLS_MAX: usize = 1024;

static BELLS: Mutex<Vec<Arc<Bell>>> = Mutex::new(Vec::new());
/// A bell that rings on Ctrl-C, until dropped.
#[derive(Debug)]
pub struct WatchGuard {
    /// Whether it is busy.
    pub work: Work,
    bell: Arc<Bell>,
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
    Ok(WatchGuard { work: Work::default(), bell })
}

/// Says that an interrupt came while the caller was busy, and that there is nothing left that it could end. It is forgotten: the
/// system does not ask again the handlers that were set before ours, and to end the process would pass over them.
pub fn missed() {
    let _ = at_work::is_missed();
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.work.busy(false);
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
    if kind != CTRL_C_EVENT || !at_work::is_first() {
        return 0;
    }
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
        guard.work.busy(true);
        assert_eq!(on_interrupt(CTRL_C_EVENT), 1);
        assert!(bell.clear());
        assert_eq!(on_interrupt(CTRL_C_EVENT), 0, "the second one");
        guard.work.serve();
        assert_eq!(on_interrupt(CTRL_C_EVENT), 0, "the second one");
        assert!(guard.work.busy(false) && guard.work.busy(true));
        assert_eq!(on_interrupt(CTRL_C_EVENT), 1);
        guard.work.serve();
        drop(guard);
        assert_eq!((on_interrupt(CTRL_C_EVENT), at_work::count()), (0, 2));
    }
}
