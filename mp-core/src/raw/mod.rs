//! Words that processes share, and sleeping on them.
//!
//! `atomic` is where atomics come from: std's or, in a model, loom's. `sleep` is the word one side sleeps on and the
//! other one tests before it pays for a wake-up. `loan` counts who is inside a memory that is lent.

pub mod atomic;
#[allow(unsafe_code)] // the cell of a model
pub mod loan;
pub mod sleep;
