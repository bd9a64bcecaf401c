//! What the kernel calls a file descriptor.

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

/// What has a file descriptor.
pub use std::os::fd::AsFd as AsKernelHandle;

/// The descriptor of a thing that has one.
pub fn look(thing: &impl AsKernelHandle) -> BorrowedHandle<'_> {
    thing.as_fd()
}

/// Gives a type with a `handle()` the traits that other libraries ask for.
macro_rules! lends_kernel_handle {
    ($owner:ty $(, $generics:ident)*) => {
        impl<$($generics),*> std::os::fd::AsFd for $owner {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.handle()
            }
        }

        impl<$($generics),*> std::os::fd::AsRawFd for $owner {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.handle())
            }
        }
    };
}

pub(crate) use lends_kernel_handle;
