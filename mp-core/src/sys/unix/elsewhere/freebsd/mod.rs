//! What FreeBSD has of its own.

pub mod arguments;
pub mod cpu;
mod facts;
pub mod futex;
pub mod holder;
pub mod shm;
pub mod stack;
pub mod table;
pub mod thread_name;

mod sysctl;

use super::{descendants, handler_stack};
pub use facts::{MAXRSS_UNIT, ask_for_parents_death, remove_left_by, threads};
