//! Closed on exec from the first instant on: what makes concurrent spawns unable to leak a descriptor.

#![allow(unsafe_code)] // rustix's dup3 wants to own the descriptor that it replaces, its `UCred` has no room for no process

use super::super::{BorrowedHandle, Handle};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::io;
use std::os::fd::AsRawFd;

/// Received descriptors are closed on exec.
pub(in super::super) const RECEIVED: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// A moment to receive descriptors in: any is good, as the kernel marks them.
pub(in super::super) struct Moment;

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

/// Packets are packets.
pub(in super::super) const LETTERS: bool = false;

/// A peer that is gone is an error, not a signal.
pub(in super::super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// A connected pair, both closed on exec.
pub(in super::super) fn close_on_exec_pair() -> io::Result<(Handle, Handle)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// A connected pair that keeps the borders of messages, both closed on exec.
pub(in super::super) fn packet_pair() -> io::Result<(Handle, Handle)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// The process that made the pair to which this socket belongs; `None` if it is one that we cannot see.
pub(in super::super) fn maker_of(socket: BorrowedHandle<'_>) -> Option<u32> {
    let mut made_by = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of_val(&made_by) as libc::socklen_t;
    let target = (&raw mut made_by).cast();
    // SAFETY: duty: valid pointers: live locals, of the length that is named; all bits are valid.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, target, &raw mut len)
    };
    (done == 0 && made_by.pid != 0).then(|| made_by.pid.cast_unsigned())
}

/// Makes a descriptor stand for what `by` stands for, without a moment in which its number is free.
pub(in super::super) fn replace(handle: BorrowedHandle<'_>, by: &Handle) -> io::Result<()> {
    // SAFETY: duty: both numbers are open descriptors of ours: the borrows keep them; the number stays open throughout,
    // so that nobody else's can take it.
    match unsafe { libc::dup3(by.as_raw_fd(), handle.as_raw_fd(), libc::O_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A pipe, both ends closed on exec: the reading and the writing one.
pub(in super::super) fn close_on_exec_pipe() -> io::Result<(Handle, Handle)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
