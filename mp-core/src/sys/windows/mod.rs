//! Windows: the names of `unix`, which say [`std::io::ErrorKind::Unsupported`] until the port is made.
//!
//! What they will stand on: events (`futex`, `bell`), `WaitForMultipleObjects` (`poller`), named pipes (`socket`),
//! sections (`memory`), job objects (`process`), vectored exception handlers (`fault`), console handlers (`interrupt`).

pub mod bell;
pub mod cpu;
pub mod entry;
pub mod fault;
pub mod futex;
pub mod interrupt;
pub mod memory;
pub mod pipe;
pub mod poller;
pub mod process;
pub mod socket;

use std::io;

/// A kernel handle that is closed when dropped.
pub type Handle = std::os::windows::io::OwnedHandle;

/// A kernel handle that somebody else keeps open.
pub type BorrowedHandle<'a> = std::os::windows::io::BorrowedHandle<'a>;

/// A look at a handle that the caller keeps.
pub fn borrow(handle: &Handle) -> BorrowedHandle<'_> {
    std::os::windows::io::AsHandle::as_handle(handle)
}

/// A second handle of the same thing.
pub fn duplicate(handle: BorrowedHandle<'_>) -> io::Result<Handle> {
    handle.try_clone_to_owned()
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "not on this system yet")
}
