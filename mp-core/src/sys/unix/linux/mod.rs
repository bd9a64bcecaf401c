//! Linux: memfd, futex, eventfd, epoll, pidfd, /proc.

pub mod bell;
pub mod cpu;
pub mod fence;
pub mod fork;
pub mod futex;
pub mod holder;
pub mod memory;
pub mod poller;
pub mod process;
pub mod robust;
pub mod segment;

pub(super) mod arguments;
pub(super) mod orphan;
pub(super) mod socket_flags;
pub mod stack;
pub(super) mod table;
pub(super) mod thread_name;

mod afterwards;
mod group;
mod notes;
mod oom;
mod refused;
mod time;
