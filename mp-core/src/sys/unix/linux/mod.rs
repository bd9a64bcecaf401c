//! Linux: memfd, futex, eventfd, epoll, pidfd, /proc.

pub mod bell;
pub mod cpu;
pub mod entry;
pub mod fault;
pub mod fence;
pub mod fork;
pub mod futex;
pub mod life;
pub mod memory;
pub mod poller;
pub mod process;
pub mod robust;
pub mod segment;

mod arguments;
mod descendants;
mod oom;
mod orphan;
pub(super) mod socket_flags;
mod stack;
mod time;
