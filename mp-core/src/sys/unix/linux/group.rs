//! What is in this process's group ends with this process, however it ends: the kernel sees to it.
//!
//! ```text
//!  this process ──┬── one end     each end has the kernel send SIGKILL to our group when the other one closes
//!                 └── the other   (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC)
//!  killed ─► the kernel closes one end ─► the other hears of it ─► SIGKILL to the group ─► it closes the other
//! ```
//!
//! So nobody need be left who knows what a task has started, neither the parent nor the watch thread. Both ends hear,
//! because kernels differ in which of them they close first. A copy of this process that has not called exec holds the
//! ends as well, and what should end waits for its end.

#![allow(unsafe_code)] // fcntl with commands that no wrapper knows, and descriptors that are kept as numbers

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{getpgrp, getpid};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::SeqCst;

/// The two ends, or [`NONE`]. PAIR: who puts them here and who takes them out; see `orphan::heed_parents_death`. Not behind a lock: a copy of a process with threads would find it locked for ever.
static ENDS: [AtomicI32; 2] = [AtomicI32::new(NONE), AtomicI32::new(NONE)];

/// No descriptor has this number.
const NONE: i32 = -1;

/// fcntl(2): which signal says that something happened. The libc crate knows it for few targets.
const F_SETSIG: libc::c_int = 10;

/// From here on the kernel kills our process group when this process ends. Does nothing where we do not lead it: then it
/// is somebody else's.
pub(super) fn end_with_us() -> io::Result<()> {
    let ourselves = getpid();
    if getpgrp() != ourselves {
        return Ok(());
    }
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    for end in [&one, &other] {
        control(end, libc::F_SETOWN, -ourselves.as_raw_nonzero().get())?;
        control(end, F_SETSIG, libc::SIGKILL)?;
        control(end, libc::F_SETFL, libc::O_ASYNC)?;
    }
    for (place, end) in ENDS.iter().zip([one, other]) {
        place.store(end.into_raw_fd(), SeqCst);
    }
    Ok(())
}

/// Our process group may go on without us.
pub(super) fn outlive_us() {
    let ends = take();
    for end in &ends {
        // Without an owner nobody is signalled. It cannot fail for a descriptor that is open.
        let _ = control(end, libc::F_SETOWN, 0);
    }
}

/// This process is a fresh copy, which has left the group: what ends that one is not its business.
pub(super) fn forget() {
    drop(take());
}

fn take() -> Vec<OwnedFd> {
    let numbers = ENDS.iter().map(|place| place.swap(NONE, SeqCst)).filter(|number| *number != NONE);
    // SAFETY: duty: open, and nobody else's: `end_with_us` has put it there, and it is taken out once.
    numbers.map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()
}

fn control(end: &OwnedFd, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: duty: none: these commands take a number.
    let result = unsafe { libc::fcntl(end.as_raw_fd(), command, value) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
