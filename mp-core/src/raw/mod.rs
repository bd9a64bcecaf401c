//! Words that processes share, and sleeping on them.
//!
//! `atomic` is where atomics come from: std's or, in a model, loom's. `sleep` is the word one side sleeps on and the
//! other one tests before it pays for a wake-up; `crowd` is one that many sleep on. `word` is a word for any number of
//! sleepers, and below it is what the types of `sync` are made of.

pub mod atomic;
pub mod barrier;
pub mod crowd;
pub mod event;
pub mod semaphore;
pub mod sequence;
pub mod sleep;
pub mod word;
