//! Closed on exec from the first instant on, as on Linux.

#![allow(unsafe_code)] // rustix's dup3 wants to own the descriptor that it replaces

use super::{BorrowedHandle, Handle};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::io;
use std::os::fd::AsRawFd;

/// Received descriptors are closed on exec.
pub const RECEIVED: RecvFlags = RecvFlags::from_bits_retain(libc::MSG_CMSG_CLOEXEC.cast_unsigned());

/// A peer that is gone is an error, not a signal.
pub const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Packets are packets.
pub const LETTERS: bool = false;

/// A moment to receive descriptors in: any is good, as the kernel marks them.
#[derive(Debug)]
pub struct Moment;

impl Moment {
    #[allow(clippy::unnecessary_wraps)] // the signature is that of systems that wait for one
    pub fn to_receive(_: BorrowedHandle<'_>, _: RecvFlags) -> Result<Self, Errno> {
        Ok(Self)
    }

    /// Whether who finds nothing waits for the next moment.
    #[allow(clippy::unused_self)] // as above
    pub fn waits(&self) -> bool {
        false
    }

    /// Closes a descriptor on exec, if the kernel has not seen to it.
    #[allow(clippy::unused_self)] // as above
    pub fn mark(&self, _: &Handle) {}
}

/// Runs `start`: there is never a descriptor that is not marked.
pub fn while_nothing_is_made<T>(start: impl FnOnce() -> T) -> T {
    start()
}

/// A connected pair, both closed on exec.
pub fn close_on_exec_pair() -> io::Result<(Handle, Handle)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// A connected pair that keeps the borders of messages, both closed on exec.
pub fn packet_pair() -> io::Result<(Handle, Handle)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// The process that made the pair to which this socket belongs: there is no telling that all of them know.
pub fn maker_of(_: BorrowedHandle<'_>) -> Option<u32> {
    None
}

/// Makes a descriptor stand for what `by` stands for, without a moment in which its number is free.
pub fn replace(handle: BorrowedHandle<'_>, by: &Handle) -> io::Result<()> {
    // SAFETY: duty: both numbers are open descriptors of ours: the borrows keep them; the number stays open throughout,
    // so that nobody else's can take it.
    match unsafe { libc::dup3(by.as_raw_fd(), handle.as_raw_fd(), libc::O_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A pipe, both ends closed on exec: the reading and the writing one.
pub fn close_on_exec_pipe() -> io::Result<(Handle, Handle)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
