//! Workers that are not processes: a thread with a queue, or nobody but the thread that waits.
//!
//! ```text
//!   driver ──calls──► inbox ──turn()──► run ──► outbox ──bell──► driver
//! ```
//! `turn` takes and runs one call. A worker thread calls it in a loop; for the inline backend, whoever waits calls it.

use super::station::{Failed, Said};
use crate::error::Failure;
use crate::ids::CallSeq;
use crate::process::current::{WorkerInfo, as_worker};
use crate::process::start_call::StartCall;
use crate::protocol::control::failure_in;
use crate::sys::bell::Bell;
use crate::sys::{self, Handle};
use crate::task::entry::Entry;
use crate::task::run::{Runner, run};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The inbox and outbox of a worker that lives in this process.
pub struct Hands {
    worker: WorkerInfo,
    pool: u64,
    bell: Arc<Bell>,
    initializer: Option<OwnCall>,
    finalizer: Option<OwnCall>,
    state: Mutex<State>,
    called: Condvar,
    news: AtomicBool,
}

/// A call that needs nobody's memory.
pub struct OwnCall {
    /// The task.
    pub entry: &'static Entry,
    /// Its encoded arguments.
    pub arguments: Vec<u8>,
    /// Their descriptors; none if this process has no room for copies of them.
    pub handles: Option<Vec<Handle>>,
    /// What an error in its result is, if nobody takes that.
    pub error_type: Option<String>,
}

#[derive(Default)]
struct State {
    initialized: bool,
    calls: VecDeque<(CallSeq, OwnCall)>,
    running: Option<CallSeq>,
    quit: bool,
    gone: bool,
    outbox: VecDeque<Letter>,
}

enum Letter {
    Greeted,
    Ready,
    InitializerFailed(Failure),
    Ended(CallSeq, Result<(Vec<u8>, Vec<Handle>), Failure>),
    Gone,
}

thread_local! {
    /// The pools whose calls this thread runs: a call that waits for an inline pool runs those of that pool within itself.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread runs a call of the pool `pool`.
pub fn is_inside(pool: u64) -> bool {
    // A thread that ends runs no call any more.
    INSIDE.try_with(|inside| inside.borrow().contains(&pool)).unwrap_or(false)
}

impl OwnCall {
    /// The call that goes with the start of a worker.
    pub fn of(call: &StartCall) -> Self {
        Self {
            entry: call.entry,
            arguments: call.arguments.clone(),
            handles: copies(&call.handles),
            error_type: call.message.error_type.clone(),
        }
    }

    /// The same call once more.
    fn copy(&self) -> Self {
        Self {
            arguments: self.arguments.clone(),
            handles: self.handles.as_deref().and_then(copies),
            error_type: self.error_type.clone(),
            ..*self
        }
    }
}

/// The descriptors of a call once more, if there is room for them.
pub fn copies(handles: &[Handle]) -> Option<Vec<Handle>> {
    handles.iter().map(|handle| sys::duplicate(sys::borrow(handle)).ok()).collect()
}

impl Hands {
    /// A worker that has not begun.
    pub fn new(
        worker: WorkerInfo,
        pool: u64,
        bell: Arc<Bell>,
        initializer: Option<OwnCall>,
        finalizer: Option<OwnCall>,
    ) -> Arc<Self> {
        Arc::new(Self {
            worker,
            pool,
            bell,
            initializer,
            finalizer,
            state: Mutex::default(),
            called: Condvar::new(),
            news: AtomicBool::new(false),
        })
    }

    /// Hands over a call.
    pub fn call(&self, seq: CallSeq, call: OwnCall) {
        self.state().calls.push_back((seq, call));
        self.called.notify_one();
    }

    /// Asks it to leave.
    pub fn quit(&self) {
        self.state().quit = true;
        self.called.notify_one();
    }

    /// Leaves it to itself.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.calls.clear();
        self.say_gone(&mut state);
        drop(state);
        self.called.notify_one();
    }

    /// Takes back the calls from `from` on that have not started; returns the first of them, or `to`.
    pub fn revoke(&self, from: CallSeq, to: CallSeq) -> CallSeq {
        let mut state = self.state();
        let first = state.calls.iter().map(|(seq, _)| *seq).find(|seq| *seq >= from);
        state.calls.retain(|(seq, _)| *seq < from);
        first.unwrap_or(to)
    }

    /// Whether it runs nothing, has nothing to run, and everything that it said has been heard.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.running.is_none() && state.calls.is_empty() && state.outbox.is_empty()
    }

    /// Whether a turn would do something.
    pub fn has_work(&self) -> bool {
        let state = self.state();
        !state.gone && (!state.initialized || !state.calls.is_empty() || state.quit)
    }

    /// Whether it has said something.
    pub fn has_news(&self) -> bool {
        // PAIR: `say` releases it.
        self.news.load(Ordering::Acquire)
    }

    /// The next thing that it says.
    pub fn next(&self, buffer: &mut Vec<u8>) -> Option<Said> {
        let mut state = self.state();
        let letter = state.outbox.pop_front();
        if state.outbox.is_empty() {
            self.news.store(false, Ordering::Release);
        }
        Some(match letter? {
            Letter::Greeted => Said::Greeted,
            Letter::Ready => Said::Ready,
            Letter::InitializerFailed(failure) => {
                let task = self.initializer.as_ref().map_or("the initializer", |call| call.entry.name);
                Said::InitializerFailed(crate::error::Error::of_failure(failure, task))
            }
            Letter::Ended(seq, Ok((bytes, handles))) => {
                *buffer = bytes;
                Said::Done(seq, handles)
            }
            Letter::Ended(seq, Err(failure)) => Said::Failed(seq, Failed::Here(failure)),
            Letter::Gone => Said::Gone,
        })
    }

    /// A worker thread's life.
    pub fn live(&self) {
        loop {
            while self.turn() {}
            let mut state = self.state();
            while state.calls.is_empty() && !state.quit && !state.gone {
                state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.gone {
                return;
            }
        }
    }

    /// Does one thing, if there is one to do.
    pub fn turn(&self) -> bool {
        let mut state = self.state();
        if state.gone {
            return false;
        }
        if !state.initialized {
            state.initialized = true;
            drop(state);
            self.initialize();
            return true;
        }
        if let Some((seq, call)) = state.calls.pop_front() {
            state.running = Some(seq);
            drop(state);
            let ended = self.run(call);
            let mut state = self.state();
            state.running = None;
            self.say(&mut state, Letter::Ended(seq, ended));
            return true;
        }
        if !state.quit {
            return false;
        }
        drop(state);
        if let Some(call) = &self.finalizer {
            // As in a process: nobody waits for what a finalizer returns.
            if let Err(failure) = self.run(call.copy()) {
                sys::pipe::write_stderr(failure.of_finalizer(&self.worker.name).as_bytes());
            }
        }
        self.say_gone(&mut self.state());
        true
    }

    fn initialize(&self) {
        self.say(&mut self.state(), Letter::Greeted);
        let ended = self.initializer.as_ref().map_or(Ok(Default::default()), |call| self.run(call.copy()));
        let letter = match ended {
            Ok(_) => Letter::Ready,
            Err(failure) => Letter::InitializerFailed(failure),
        };
        self.say(&mut self.state(), letter);
    }

    fn run(&self, call: OwnCall) -> Result<(Vec<u8>, Vec<Handle>), Failure> {
        let mut result = Vec::new();
        let runner = Runner { pid: self.worker.pid, worker: Some(self.worker.index), on_panic: None };
        let OwnCall { entry, arguments, handles, error_type } = call;
        let handles = handles.ok_or_else(|| Failure::ArgumentUndecodable {
            type_name: String::new(),
            reason: "this process has no descriptors left for what goes with them (`ulimit -n` says how many it may have)".into(),
        })?;
        INSIDE.with_borrow_mut(|inside| inside.push(self.pool));
        let ended = as_worker(&self.worker, || run(entry, &arguments, handles, &mut result, runner));
        INSIDE.with_borrow_mut(Vec::pop);
        let handles = ended?;
        failure_in(error_type.as_deref(), &result).map_or(Ok((result, handles)), Err)
    }

    fn say(&self, state: &mut State, letter: Letter) {
        if state.gone {
            return;
        }
        state.outbox.push_back(letter);
        // PAIR: `has_news` acquires it.
        self.news.store(true, Ordering::Release);
        self.bell.ring();
    }

    fn say_gone(&self, state: &mut State) {
        self.say(state, Letter::Gone);
        state.gone = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
