//! The callbacks of a pool, one after the other on a thread of their own: one that takes its time holds up others, and no wait.
//!
//! The thread starts with the first callback whose outcome was not there when it was handed in, and ends with the pool.

use super::waiter::Errand;
use crate::clock::Time;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// What is to be called.
pub type Callback = Box<dyn FnOnce() + Send>;

/// Callbacks that are to run, and who runs them.
#[derive(Default)]
pub struct Callbacks(Arc<Line>);

#[derive(Default)]
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Callback>,
    /// Who runs one now.
    running: Option<ThreadId>,
    /// The thread is there.
    has_thread: bool,
    /// The pool has ended: the thread leaves when nothing waits.
    leaving: bool,
}

impl Callbacks {
    /// Takes the callbacks out of these, behind those that wait, until [`go_on`](Self::go_on). Whether there were any.
    pub fn take_from(&self, errands: &mut Vec<Errand>) -> bool {
        let is_call = |errand: &Errand| matches!(errand, Errand::Call(_));
        if !errands.iter().any(is_call) {
            return false;
        }
        let calls = errands.extract_if(.., |errand| is_call(errand));
        self.0.lock().waiting.extend(calls.filter_map(|errand| match errand {
            Errand::Call(callback) => Some(callback),
            Errand::Wake(_) | Errand::Tell(_) => None,
        }));
        true
    }

    /// Has those that wait run. If the system gives no thread, they run here.
    pub fn go_on(&self) {
        let mut state = self.0.lock();
        if !state.has_thread && !state.waiting.is_empty() {
            let line = self.0.clone();
            state.has_thread =
                thread::Builder::new().name("mp-callbacks".into()).spawn(move || line.serve()).is_ok();
            if !state.has_thread {
                drop(self.0.run_all(state));
                return;
            }
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// The pool has ended: the thread ends when it has run those that wait.
    pub fn leave(&self) {
        self.0.lock().leaving = true;
        self.0.changed.notify_all();
    }

    /// Waits until all have run, at most until `deadline`; false if the time is over first. A callback does not wait for itself.
    pub fn settle(&self, deadline: Option<Time>) -> bool {
        let mut state = self.0.lock();
        let me = Some(thread::current().id());
        while state.running != me && (state.running.is_some() || !state.waiting.is_empty()) {
            let left = deadline.map(|deadline| deadline.since(Time::now()));
            state = match left {
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of the thread.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            state = self.run_all(state);
            if state.leaving {
                state.has_thread = false;
                return;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs those that wait, unless somebody else does.
    fn run_all<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.running.is_none()
            && let Some(callback) = state.waiting.pop_front()
        {
            state.running = Some(thread::current().id());
            drop(state);
            Errand::Call(callback).run();
            state = self.lock();
            state.running = None;
            self.changed.notify_all();
        }
        state
    }
}
