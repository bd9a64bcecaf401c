//! Words that processes share, and sleeping on them.
//!
//! `atomic` is where atomics come from: std's or, in a model, loom's. `sleep` is the word one side sleeps on and the
//! other one tests before it pays for a wake-up; `crowd` is one that many sleep on.

pub mod atomic;
pub mod crowd;
pub mod sleep;
