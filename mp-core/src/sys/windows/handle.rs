//! What the kernel calls a handle.

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

/// What has a kernel handle.
pub use std::os::windows::io::AsHandle as AsKernelHandle;

/// The handle of a thing that has one.
pub fn look(thing: &impl AsKernelHandle) -> BorrowedHandle<'_> {
    thing.as_handle()
}
