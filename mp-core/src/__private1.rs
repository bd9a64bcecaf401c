//! What the macros' expansions name. Not public: it changes without notice, and its number with it.

pub use crate::error::Failure;
pub use crate::shared::shareable::Shareable;
pub use crate::task::arguments::{Proven, TaskInput, TaskOutput, proven};
pub use crate::task::entry::{Entry, Node, type_id_of};
pub use crate::task::frame::{Arguments, Reply};
pub use crate::task::instance::{glue, instance_invoke};
pub use crate::task::registry::register;
pub use crate::worker::entry::{main, test_main};
pub use std::vec::Vec;
