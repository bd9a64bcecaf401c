//! Closed on exec: here only a moment after the descriptor is made, so a port needs a lock around spawns.

use super::{BorrowedHandle, Handle, unsupported};
use rustix::net::{RecvFlags, SendFlags};
use std::io;

/// There is no such flag here: the port sets it on each descriptor after it has arrived.
pub(in super::super) const CLOSE_ON_EXEC_RECEIVED: RecvFlags = RecvFlags::empty();

/// There is no such flag here: the port sets `SO_NOSIGPIPE` on the socket.
pub(in super::super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// A connected pair, both closed on exec.
pub(in super::super) fn close_on_exec_pair() -> io::Result<(Handle, Handle)> {
    Err(unsupported())
}

/// A connected pair that keeps the borders of messages, both closed on exec.
pub(in super::super) fn packet_pair() -> io::Result<(Handle, Handle)> {
    Err(unsupported())
}

/// Makes a descriptor stand for what `by` stands for.
pub(in super::super) fn replace(_: BorrowedHandle<'_>, _: &Handle) -> io::Result<()> {
    Err(unsupported())
}

/// A pipe, both ends closed on exec.
pub(in super::super) fn close_on_exec_pipe() -> io::Result<(Handle, Handle)> {
    Err(unsupported())
}
