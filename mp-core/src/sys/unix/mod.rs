//! Unix: what every Unix shares lies here, what only Linux has lies in `linux`.
//!
//! On other Unixes `elsewhere` takes the place of `linux`: the same names, which say
//! [`std::io::ErrorKind::Unsupported`] until there is a port.

pub mod interrupt;
pub mod pipe;
pub mod socket;

mod access;
mod disposition;
mod ending;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;

pub use platform::{bell, cpu, entry, fault, futex, memory, poller, process};

/// A file descriptor that is closed when dropped.
pub type Handle = std::os::fd::OwnedFd;

/// A file descriptor that somebody else keeps open.
pub type BorrowedHandle<'a> = std::os::fd::BorrowedFd<'a>;

/// A look at a handle that the caller keeps.
pub fn borrow(handle: &Handle) -> BorrowedHandle<'_> {
    std::os::fd::AsFd::as_fd(handle)
}

/// A second handle of the same thing.
pub fn duplicate(handle: BorrowedHandle<'_>) -> std::io::Result<Handle> {
    handle.try_clone_to_owned()
}
