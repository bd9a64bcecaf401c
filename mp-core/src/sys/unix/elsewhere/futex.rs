//! Sleeping on a word in shared memory.

pub use super::leaf::futex::{wait, wake};
