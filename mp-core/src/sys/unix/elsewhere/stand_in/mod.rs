//! Linux's leaves, so that what other Unixes run can be tested on it. They stay on macOS's side: descriptors that are marked
//! late, letters, FIFOs, no signal for a parent's death.

pub mod cpu;
mod facts;
#[path = "../../linux/futex.rs"]
pub mod futex;
pub mod holder;
pub mod shm;
pub mod socket_options;

#[path = "../../linux/arguments.rs"]
pub mod arguments;
#[path = "../../linux/stack.rs"]
pub mod stack;
#[allow(dead_code, reason = "signals go another way")]
#[path = "../../linux/table.rs"]
pub mod table;
#[path = "../../linux/thread_name.rs"]
pub mod thread_name;

#[path = "../../linux/time.rs"]
mod time;

pub use super::name::remove_left_by;
pub use facts::{MAXRSS_UNIT, ask_for_parents_death, threads};

use super::Handle;
