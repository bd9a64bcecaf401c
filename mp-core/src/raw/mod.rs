//! Words that processes share, and sleeping on them.
//!
//! `atomic` is where atomics come from: std's or, in a model, loom's. `line` keeps a value away from its neighbours. `sleep` is
//! the word one side sleeps on and the other one tests before it pays for a wake-up; `crowd` is one that many sleep on. `ends`
//! says how far a queue is written and read, and `brief` is the lock of those who put. `word` is a word for any number of
//! sleepers, and below it is what the types of `sync` are made of; `linger` is whether they look for a moment before they
//! sleep. `loan` counts who is inside a memory that is lent, and `turn` says which of two copies counts.

pub mod atomic;
pub mod barrier;
#[allow(unsafe_code)] // the contracts of a lock
pub mod brief;
pub mod crowd;
pub mod ends;
pub mod event;
pub mod line;
pub mod linger;
#[allow(unsafe_code)] // the cell of a model
pub mod loan;
pub mod semaphore;
pub mod sequence;
pub mod sleep;
#[allow(unsafe_code)] // the cell of a model
pub mod turn;
pub mod word;

/// Explores a model of three threads: every order with up to three preemptions. All of them take minutes, and few
/// bugs of practice need more (Musuvathi and Qadeer, "Iterative context bounding", 2007).
#[cfg(all(test, loom))]
fn three_threads(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}
