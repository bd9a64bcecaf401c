//! A handle that becomes readable when rung.

#![allow(unsafe_code)] // ResetEvent

use super::call::{event, number, signal, wait_for};
use super::{BorrowedHandle, Handle, borrow};
use std::io;
use std::time::Duration;
use windows_sys::Win32::System::Threading::ResetEvent;

/// A bell (an event that stays signalled): [`ring`](Self::ring) wakes every process that waits for it, until somebody
/// [`clear`](Self::clear)s it. Rings are not counted.
#[derive(Debug)]
pub struct Bell(Handle);

impl Bell {
    /// A silent bell.
    pub fn new() -> io::Result<Self> {
        Ok(Self(event(true)?))
    }

    /// Takes a handle that is known to be a bell of another process.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle, to be waited for or sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.0)
    }

    /// Makes the handle readable. Never waits.
    pub fn ring(&self) {
        signal(self.handle());
    }

    /// Makes the handle silent; whether it rang.
    pub fn clear(&self) -> bool {
        // What rings between the look and the reset is the same ring: the caller looks at everything after this.
        let rang = wait_for(self.handle(), Some(Duration::ZERO));
        if rang {
            // SAFETY: duty: an open handle: ours.
            unsafe { ResetEvent(number(self.handle())) };
        }
        rang
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_until_it_is_cleared() {
        let bell = Bell::new().unwrap();
        assert!(!bell.clear());
        bell.ring();
        bell.ring();
        assert!(wait_for(bell.handle(), Some(Duration::ZERO)));
        assert!(bell.clear());
        assert!(!bell.clear());
    }
}
