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

/// Whether an emulator runs the tests (qemu-user). It shows itself as the program where it does not expect the question.
#[cfg(test)]
fn is_emulated() -> bool {
    std::fs::read_link("/proc/thread-self/exe").ok() != std::env::current_exe().ok()
}

mod arguments;
mod descendants;
mod group;
mod oom;
mod orphan;
pub(super) mod socket_flags;
mod stack;
mod time;
