//! What macOS has of its own.

pub mod arguments;
pub mod cpu;
mod facts;
pub mod futex;
pub mod holder;
pub mod shm;
pub mod socket_options;
pub mod stack;
pub mod table;
pub mod thread_name;

mod info;
mod symbol;

pub use super::name::remove_left_by;
pub use facts::{MAXRSS_UNIT, ask_for_parents_death, threads};

use super::{Handle, descendants, handler_stack, naps};
