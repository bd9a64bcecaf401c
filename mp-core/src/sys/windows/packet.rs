//! A connected pair that keeps the borders of messages and also carries handles.

use super::{BorrowedHandle, Handle, borrow, unsupported};
use std::io::{self, IoSlice};
use std::time::Duration;

/// One end of a connected pair: a named pipe in message mode.
#[derive(Debug)]
pub struct Packets(Handle);

/// Whether a call waits for room or for a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patient {
    /// It waits.
    Yes,
    /// It fails with [`io::ErrorKind::WouldBlock`].
    No,
}

impl Packets {
    /// Two connected ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        Err(unsupported())
    }

    /// Takes a handle that is known to be such an end.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle, to be polled or sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.0)
    }

    /// Lets go of the connection while this end lives on.
    pub fn let_go(&self) -> io::Result<()> {
        Err(unsupported())
    }

    /// Sends one packet of at least one byte with its handles.
    pub fn send(&self, _: &[IoSlice<'_>], _: &[BorrowedHandle<'_>], _: Patient) -> io::Result<()> {
        Err(unsupported())
    }

    /// Receives one packet and appends the handles that came along.
    pub fn receive(&self, _: &mut [u8], _: &mut Vec<Handle>, _: Patient) -> io::Result<usize> {
        Err(unsupported())
    }

    /// The first bytes of the next packet, which stays.
    pub fn peek(&self, _: &mut [u8], _: Patient) -> io::Result<usize> {
        Err(unsupported())
    }

    /// Waits until something can be sent or the peer is gone; false if the time is over first.
    pub fn wait_for_room(&self, _: Duration) -> io::Result<bool> {
        Err(unsupported())
    }
}
