//! Unix: what every Unix shares lies here, what only Linux has lies in `linux`.
//!
//! On other Unixes `elsewhere` takes the place of `linux`: the same names, made of what POSIX has and of a few leaves for
//! each system. `--cfg mp_portable_unix` takes it on Linux, too, with leaves that stand in: so it is tested here.

pub mod copies;
pub mod entry;
pub mod fault;
pub mod interrupt;
pub mod life;
pub mod limit;
pub mod packet;
pub mod pipe;
pub mod socket;
pub mod thread;

mod access;
mod descendants;
mod disposition;
mod ending;
mod errno;
mod handle;
mod handler_stack;
mod letter;
mod mapping;
mod rights;

#[cfg(any(not(target_os = "linux"), mp_portable_unix))]
mod elsewhere;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
mod linux;

#[cfg(any(not(target_os = "linux"), mp_portable_unix))]
use elsewhere as platform;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
use linux as platform;

pub use errno::advice;
pub(crate) use handle::lends_kernel_handle;
pub use handle::{AsKernelHandle, BorrowedHandle, Handle, borrow, duplicate, look};
pub use platform::{bell, cpu, fence, fork, futex, holder, memory, poller, process, robust, segment, stack};

/// Whether an emulator runs the tests (qemu-user). It shows itself as the program where it does not expect the question.
#[cfg(test)]
fn is_emulated() -> bool {
    cfg!(target_os = "linux")
        && std::fs::read_link("/proc/thread-self/exe").ok() != std::env::current_exe().ok()
}
