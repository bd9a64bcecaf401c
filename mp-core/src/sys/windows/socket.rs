//! A connected pair of byte streams that also carry handles.

use super::{BorrowedHandle, Handle, borrow, unsupported};
use std::io::{self, IoSlice};
use std::process::Stdio;

/// Handles that one [`Socket::send`] may carry.
pub const HANDLES_MAX: usize = 253;

/// One end of a connected pair: a named pipe, whose peer's process gets handles by `DuplicateHandle`.
#[derive(Debug)]
pub struct Socket(Handle);

impl Socket {
    /// Two connected ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        Err(unsupported())
    }

    /// Takes a handle that is known to be such an end.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle, to be polled.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.0)
    }

    /// The handle, kept open by the caller from now on.
    pub fn into_handle(self) -> Handle {
        self.0
    }

    /// This end as a standard stream of a child.
    pub fn into_stdio(self) -> Stdio {
        Stdio::from(self.0)
    }

    /// Makes calls that would wait fail with [`io::ErrorKind::WouldBlock`] instead, or back.
    pub fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Err(unsupported())
    }

    /// Waits until something can be sent or the peer is gone; false if the time is over first.
    pub fn wait_for_room(&self, _: std::time::Duration) -> io::Result<bool> {
        Err(unsupported())
    }

    /// Sends a part of `bytes`, and with the first of them all of `handles`; returns how many bytes went out.
    pub fn send(&self, _: &[IoSlice<'_>], _: &[BorrowedHandle<'_>]) -> io::Result<usize> {
        Err(unsupported())
    }

    /// What there is to receive, without receiving it.
    pub fn peek(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(unsupported())
    }

    /// Receives what is there and appends the handles that came along. Zero means that the peer is gone.
    pub fn receive(&self, _: &mut [u8], _: &mut Vec<Handle>) -> io::Result<usize> {
        Err(unsupported())
    }
}
