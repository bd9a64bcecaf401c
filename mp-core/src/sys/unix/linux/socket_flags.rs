//! Closed on exec from the first instant on: what makes concurrent spawns unable to leak a descriptor.

use super::super::Handle;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::io;

/// Received descriptors are closed on exec.
pub(in super::super) const CLOSE_ON_EXEC_RECEIVED: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// A peer that is gone is an error, not a signal.
pub(in super::super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// A connected pair, both closed on exec.
pub(in super::super) fn close_on_exec_pair() -> io::Result<(Handle, Handle)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// A pipe, both ends closed on exec: the reading and the writing one.
pub(in super::super) fn close_on_exec_pipe() -> io::Result<(Handle, Handle)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
