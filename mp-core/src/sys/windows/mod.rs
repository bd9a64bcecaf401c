//! Windows: sections, named pipes, events, job objects, exception filters.

pub mod bell;
pub mod copies;
pub mod cpu;
pub mod entry;
pub mod fault;
pub mod fence;
pub mod fork;
pub mod futex;
pub mod interrupt;
pub mod life;
pub mod limit;
pub mod memory;
pub mod packet;
pub mod pipe;
pub mod poller;
pub mod process;
pub mod robust;
pub mod segment;
pub mod socket;
pub mod stack;
pub mod thread;

mod alarm;
mod call;
mod command;
mod deposit;
mod ending;
mod exit;
mod family;
mod handle;
mod line;
mod lot;
mod stdio;
mod view;

pub use crate::sys::no_holder as holder;
pub use call::advice;
pub(crate) use handle::lends_kernel_handle;
pub use handle::{AsKernelHandle, BorrowedHandle, Handle, borrow, duplicate, look};
