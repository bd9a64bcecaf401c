//! Closed on exec, where the system marks a descriptor only after it is there: nobody of us starts a process in between.
//!
//! ```text
//!  a descriptor is made ─► is marked        under the lock together with others of its kind
//!  a process is started                     under the lock alone
//! ```
//! A process that the program itself starts in that moment, past us, may get the descriptor along.

#![allow(unsafe_code)] // rustix's dup2 wants to own the descriptor that it replaces

use super::leaf::socket_options;
use super::letter::STREAM_BYTES;
use super::{BorrowedHandle, Handle, borrow};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair, sockopt};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

pub use socket_options::NO_SIGNAL;

/// Held by many while descriptors are made, by one while a process is started.
static STARTS: RwLock<()> = RwLock::new(());

/// Runs `start` while nobody of us has a descriptor that is not marked yet.
pub fn while_nothing_is_made<T>(start: impl FnOnce() -> T) -> T {
    let _alone = STARTS.write().unwrap_or_else(PoisonError::into_inner);
    start()
}

fn while_nothing_is_started() -> RwLockReadGuard<'static, ()> {
    STARTS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Received descriptors are marked by [`Moment::mark`]. Nobody waits under the lock.
pub const RECEIVED: RecvFlags = RecvFlags::DONTWAIT;

/// A moment to receive descriptors in: something is there, and no process is started.
#[derive(Debug)]
pub struct Moment {
    waits: bool,
    _started: RwLockReadGuard<'static, ()>,
}

impl Moment {
    /// Waits for one, where receiving would wait.
    pub fn to_receive(socket: BorrowedHandle<'_>, flags: RecvFlags) -> Result<Self, Errno> {
        let waits = !flags.contains(RecvFlags::DONTWAIT) && !fcntl_getfl(socket)?.contains(OFlags::NONBLOCK);
        if waits {
            rustix::event::poll(&mut [PollFd::from_borrowed_fd(socket, PollFlags::IN)], None)?;
        }
        Ok(Self { waits, _started: while_nothing_is_started() })
    }

    /// Whether who finds nothing waits for the next moment: somebody else was faster.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Closes a descriptor on exec.
    #[allow(clippy::unused_self)] // the moment is what makes it early enough
    pub fn mark(&self, arrived: &Handle) {
        // It fails only for what is no descriptor.
        let _ = fcntl_setfd(arrived, FdFlags::CLOEXEC);
    }
}

/// A connected pair, both closed on exec.
pub fn close_on_exec_pair() -> io::Result<(Handle, Handle)> {
    let _none = while_nothing_is_started();
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
    for end in [&pair.0, &pair.1] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
        socket_options::no_signal(end)?;
    }
    Ok(pair)
}

/// The process that made the pair to which this socket belongs: there is no telling that all of them know.
pub fn maker_of(_: BorrowedHandle<'_>) -> Option<u32> {
    None
}

/// Packets are letters on a stream.
pub const LETTERS: bool = true;

/// A connected pair for letters.
pub fn packet_pair() -> io::Result<(Handle, Handle)> {
    let pair = close_on_exec_pair()?;
    for end in [&pair.0, &pair.1] {
        sockopt::set_socket_send_buffer_size(end, STREAM_BYTES)?;
        sockopt::set_socket_recv_buffer_size(end, STREAM_BYTES)?;
    }
    Ok(pair)
}

/// A pipe, both ends closed on exec: the reading and the writing one.
pub fn close_on_exec_pipe() -> io::Result<(Handle, Handle)> {
    let _none = while_nothing_is_started();
    let pipe = rustix::pipe::pipe()?;
    for end in [&pipe.0, &pipe.1] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
    }
    Ok(pipe)
}

/// Makes a descriptor stand for what `by` stands for, without a moment in which its number is free.
pub fn replace(handle: BorrowedHandle<'_>, by: &Handle) -> io::Result<()> {
    let _none = while_nothing_is_started();
    // SAFETY: duty: both numbers are open descriptors of ours: the borrows keep them; the number stays open throughout, so
    // that nobody else's can take it.
    match unsafe { libc::dup2(borrow(by).as_raw_fd(), handle.as_raw_fd()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(fcntl_setfd(handle, FdFlags::CLOEXEC)?),
    }
}
