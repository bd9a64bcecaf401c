//! Windows: the names of `unix`, which say [`std::io::ErrorKind::Unsupported`] until the port is made.
//!
//! What they will stand on: events (`futex`, `bell`), `WaitForMultipleObjects` (`poller`), named pipes (`socket`),
//! sections (`memory`), job objects (`process`), vectored exception handlers (`fault`), console handlers (`interrupt`).

pub mod bell;
pub mod cpu;
pub mod entry;
pub mod fault;
pub mod fence;
pub mod fork;
pub mod futex;
pub mod interrupt;
pub mod life;
pub mod memory;
pub mod packet;
pub mod pipe;
pub mod poller;
pub mod process;
pub mod robust;
pub mod segment;
pub mod socket;
pub mod thread;

mod handle;
mod unsupported;

pub(crate) use handle::lends_kernel_handle;
pub use handle::{AsKernelHandle, BorrowedHandle, Handle, borrow, duplicate, look};
use unsupported::unsupported;
