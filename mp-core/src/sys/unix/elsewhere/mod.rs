//! Unixes other than Linux: what POSIX has, and leaves for what each system has of its own.
//!
//! | what | macOS | FreeBSD |
//! |---|---|---|
//! | memory | `shm_open`, the name gone at once | `memfd_create` with seals |
//! | sleeping on a word | `os_sync_wait_on_address`, or naps | `_umtx_op` |
//! | a child's end, the parent's | kqueue | kqueue |
//! | bell | a FIFO without a name | eventfd |
//! | packets | letters on a stream (`letter`) | `SOCK_SEQPACKET` |
//! | lock | a word that names its holder (`owned_lock`) | the same |
//!
//! `stand_in` has the leaves for Linux, where the rest is tested (`--cfg mp_portable_unix`): it takes macOS's side wherever
//! Linux can.

pub mod cpu;
pub mod fence;
pub mod fork;
pub mod futex;
pub mod poller;
pub mod process;
pub mod robust;
pub mod segment;

pub(super) mod orphan;
pub(super) mod table;

#[cfg_attr(target_os = "freebsd", path = "../linux/bell.rs")]
pub mod bell;
#[cfg_attr(target_os = "freebsd", path = "freebsd/memory.rs")]
pub mod memory;
#[cfg_attr(target_os = "freebsd", path = "freebsd/socket_flags.rs")]
pub(super) mod socket_flags;

#[cfg(target_os = "freebsd")]
#[path = "../linux/refused.rs"]
mod refused;

#[cfg_attr(target_os = "linux", path = "stand_in/death.rs")]
mod death;
#[cfg(not(target_os = "freebsd"))]
mod name;
#[cfg(not(target_os = "freebsd"))]
#[cfg_attr(target_os = "linux", allow(dead_code, reason = "Linux has a futex"))]
mod naps;
mod shm;

#[cfg_attr(target_os = "macos", path = "apple/mod.rs")]
#[cfg_attr(target_os = "freebsd", path = "freebsd/mod.rs")]
#[cfg_attr(target_os = "linux", path = "stand_in/mod.rs")]
mod leaf;

pub use crate::sys::no_holder as holder;
pub use leaf::stack;
pub(super) use leaf::{arguments, thread_name};

#[cfg(not(target_os = "freebsd"))]
use super::letter;
use super::{
    BorrowedHandle, Handle, access, borrow, descendants, disposition, ending, errno, handler_stack, mapping,
    socket,
};
