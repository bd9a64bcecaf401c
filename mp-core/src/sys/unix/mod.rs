//! Unix: what every Unix shares lies here, what only Linux has lies in `linux`.
//!
//! On other Unixes `elsewhere` takes the place of `linux`: the same names, which say
//! [`std::io::ErrorKind::Unsupported`] until there is a port.

pub mod interrupt;
pub mod packet;
pub mod pipe;
pub mod socket;
pub mod thread;

mod access;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "not all of it is used until there is a port")
)]
mod disposition;
mod ending;
mod handle;

#[cfg(not(target_os = "linux"))]
#[allow(
    dead_code,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "names without bodies until there is a port"
)]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;

pub(crate) use handle::lends_kernel_handle;
pub use handle::{AsKernelHandle, BorrowedHandle, Handle, borrow, duplicate, look};
pub use platform::{
    bell, cpu, entry, fault, fence, fork, futex, life, memory, poller, process, robust, segment,
};
