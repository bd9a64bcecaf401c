//! Who waits for a job, and what of it is a user's code: that runs with the pool unlocked.

use super::callbacks::Callback;
use crate::journal::Note;
use crate::task::run::let_go;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::Waker;
use std::thread::{Thread, ThreadId};

/// Somebody who waits for a job.
pub enum Waiter {
    /// A parked thread.
    Thread(Thread),
    /// A task of some executor, or who waits for the first of many things.
    Waker(Asker, Waker),
    /// Runs once, at the end.
    Callback(Callback),
    /// Is sent this number at the end.
    Number(Arc<Sender<usize>>, usize),
}

/// Whose waker it is. Of each the last one counts; who waits for the first of many things has a thread of its own for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Who polls the handle as a future.
    Future,
    /// Who waits for the first of many things.
    Any(ThreadId),
}

/// Something of a user's that is run when the lock is free.
pub enum Errand {
    /// Wake an executor's task.
    Wake(Waker),
    /// Run a callback.
    Call(Callback),
    /// Tell the program's log.
    Tell(Note),
}

impl Waiter {
    /// Tells that the job is over; what of it is left to do without the lock.
    pub fn tell(self) -> Option<Errand> {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Waker(_, waker) => return Some(Errand::Wake(waker)),
            Self::Callback(callback) => return Some(Errand::Call(callback)),
            // Nobody listens any more when the waiting is over.
            Self::Number(to, number) => drop(to.send(number)),
        }
        None
    }
}

impl Errand {
    /// A panic in it is printed by the hook and ends here: it is nobody's result.
    pub fn run(self) {
        let run = AssertUnwindSafe(|| match self {
            Self::Wake(waker) => waker.wake(),
            Self::Call(callback) => callback(),
            Self::Tell(note) => note.tell(),
        });
        if let Err(payload) = catch_unwind(run) {
            let_go(payload);
        }
    }
}
