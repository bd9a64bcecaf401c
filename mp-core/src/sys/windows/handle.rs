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

/// Gives a type with a `handle()` the traits that other libraries ask for.
macro_rules! lends_kernel_handle {
    ($owner:ty $(, $generics:ident)*) => {
        impl<$($generics),*> std::os::windows::io::AsHandle for $owner {
            fn as_handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
                self.handle()
            }
        }

        impl<$($generics),*> std::os::windows::io::AsRawHandle for $owner {
            fn as_raw_handle(&self) -> std::os::windows::io::RawHandle {
                std::os::windows::io::AsRawHandle::as_raw_handle(&self.handle())
            }
        }
    };
}

pub(crate) use lends_kernel_handle;
