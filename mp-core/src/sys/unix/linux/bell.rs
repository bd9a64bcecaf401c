//! A handle that becomes readable when rung.

use super::super::{BorrowedHandle, Handle};
use super::refused::refused;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::AsFd;

/// A bell (eventfd): [`ring`](Self::ring) makes its handle readable for every process that polls it, until somebody
/// [`clear`](Self::clear)s it. Rings are not counted.
#[derive(Debug)]
pub struct Bell(Handle);

impl Bell {
    /// A silent bell.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(refused("eventfd2"))?))
    }

    /// Takes a descriptor that is known to be a bell of another process.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The descriptor, to be polled or sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.as_fd()
    }

    /// Makes the handle readable. Never waits, and is async-signal-safe: one `write`, no allocation.
    pub fn ring(&self) {
        // The write can only fail when the counter is full, and then the bell is ringing already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes the handle silent; whether it rang.
    pub fn clear(&self) -> bool {
        rustix::io::read(&self.0, &mut [0; 8]).is_ok()
    }
}
