//! A handle that is readable from a process's death on: a kqueue in which the news of it stays.

#![allow(unsafe_code)] // kevent

use super::Handle;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};

/// Watches a process. It may be dead already; that it is the one meant is for the caller to know.
pub fn watch(pid: u32) -> io::Result<Handle> {
    // SAFETY: duty of the handle: it was made just now, so it is nobody else's. The kernel closes it in children by itself on
    // macOS; on FreeBSD, too, which does not copy it at a fork.
    let queue = unsafe {
        match libc::kqueue() {
            -1 => return Err(io::Error::last_os_error()),
            number => Handle::from_raw_fd(number),
        }
    };
    rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC)?;
    match add(&queue, pid as usize, libc::EVFILT_PROC, libc::NOTE_EXIT) {
        // A zombie, or gone altogether: the news is made by hand.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
            add(&queue, 0, libc::EVFILT_USER, 0)?;
            add(&queue, 0, libc::EVFILT_USER, libc::NOTE_TRIGGER)?;
        }
        done => done?,
    }
    Ok(queue)
}

/// Nobody ever takes an event out of the queue, so that it is readable from the first one on.
fn add(queue: &Handle, ident: usize, filter: i16, notes: u32) -> io::Result<()> {
    // SAFETY: duty: all-zero bytes are a valid `kevent`: integers and a nullable pointer.
    let mut change: libc::kevent = unsafe { std::mem::zeroed() };
    change.ident = ident;
    change.filter = filter;
    change.flags = libc::EV_ADD;
    change.fflags = notes;
    // SAFETY: duty: valid pointers: a live local, and null for no room for events and for no time-out.
    let done = unsafe {
        libc::kevent(queue.as_raw_fd(), &raw const change, 1, std::ptr::null_mut(), 0, std::ptr::null())
    };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
