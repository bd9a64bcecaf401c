//! Unixes other than Linux: the names of `linux`, which say [`std::io::ErrorKind::Unsupported`] until there is a port.
//!
//! What it will stand on: a pipe's byte (`bell`), kqueue (`poller`, `process`), `shm_open` and unlink (`memory`),
//! `os_sync_wait_on_address` or `_umtx_op` (`futex`).

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
pub(super) mod socket_flags;

mod unsupported;

use super::{BorrowedHandle, Handle, access, borrow, ending, socket};
use unsupported::unsupported;
