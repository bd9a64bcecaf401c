//! Runs one call and turns a panic into a report.

use super::entry::Entry;
use super::frame::{Arguments, Long, Reply};
use crate::error::{Failure, PanicReport};
use crate::sys::Handle;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

/// Who runs a call: what its panic report says.
#[derive(Clone, Copy, Debug)]
pub struct Runner {
    /// The process.
    pub pid: u32,
    /// The place in the pool.
    pub worker: Option<u32>,
    /// Is told of a panic before it unwinds, because a program that aborts on panic never comes back.
    pub on_panic: Option<fn(&PanicReport)>,
}

/// Runs one call: [`OnCall::run`]. `handles` belong to the arguments; those of the result are returned.
pub fn run(
    entry: &'static Entry,
    arguments: &[u8],
    handles: Vec<Handle>,
    out: &mut Vec<u8>,
    runner: Runner,
) -> Result<Vec<Handle>, Failure> {
    let mut carried = Vec::new();
    let mut handles = handles.into_iter().map(Some).collect();
    let mut arguments = Arguments::new(arguments, &mut handles);
    OnCall::new(entry, runner).run(&mut arguments, out, &mut carried, None).map(|()| carried)
}

/// This thread while it runs calls of a task and does nothing else.
pub struct OnCall {
    entry: &'static Entry,
    runner: Runner,
    outer: Option<Running>,
}

impl OnCall {
    /// From here on this thread runs calls, until this is dropped.
    pub fn new(entry: &'static Entry, runner: Runner) -> Self {
        install_hook();
        let outer = RUNNING.replace(Some(Running { runner, task: entry.name }));
        Self { entry, runner, outer }
    }

    /// Decodes, calls and encodes into `out`, which is cut back to its old length on a failure, or gives a long run of
    /// bytes to `long`; descriptors of the result go into `carried`.
    ///
    /// A panic on this thread is caught, kept silent and returned; panics on threads that the task started are printed
    /// as usual.
    #[inline]
    pub fn run(
        &self,
        arguments: &mut Arguments<'_>,
        out: &mut Vec<u8>,
        carried: &mut Vec<Handle>,
        long: Option<Long<'_>>,
    ) -> Result<(), Failure> {
        let before = out.len();
        // A failure is large: one that is not there is not moved about.
        let mut failure = None;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            // One by one: only so can its own lifetime become a shorter one.
            let long = long.map(|long| long as Long<'_>);
            let ended = (self.entry.invoke)(arguments, Reply::new(out, carried, long));
            ended.map_err(|error| failure = Some(error)).is_ok()
        }));
        if let Ok(true) = ended {
            return Ok(());
        }
        out.truncate(before);
        carried.clear();
        Err(self.failure(failure, ended.err().as_deref()))
    }

    /// What a call failed with: a failure of its own, or the panic that ended it.
    #[cold]
    fn failure(&self, failure: Option<Failure>, payload: Option<&(dyn Any + Send)>) -> Failure {
        failure.unwrap_or_else(|| {
            let report = REPORT.take();
            Failure::Panicked(report.unwrap_or_else(|| silent(self.entry, payload, self.runner)))
        })
    }
}

impl Drop for OnCall {
    fn drop(&mut self) {
        RUNNING.set(self.outer);
    }
}

/// The call that this thread runs.
#[derive(Clone, Copy)]
struct Running {
    runner: Runner,
    task: &'static str,
}

thread_local! {
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
    /// What the hook saw of the last panic on this thread.
    static REPORT: Cell<Option<PanicReport>> = const { Cell::new(None) };
}

/// Puts our hook before the one that is there. The payload that `catch_unwind` returns knows neither place nor
/// backtrace; the hook does.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !note(info) {
                previous(info);
            }
        }));
    });
}

/// Keeps the report if this thread runs a call.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let Ok(Some(Running { runner, task })) = RUNNING.try_with(Cell::get) else { return false };
    let report = PanicReport {
        message: text_of(info.payload()),
        location: info.location().map(ToString::to_string),
        backtrace: backtrace(),
        task: task.into(),
        pid: runner.pid,
        worker: runner.worker,
    };
    if let Some(on_panic) = runner.on_panic {
        on_panic(&report);
    }
    REPORT.set(Some(report));
    true
}

/// A panic that our hook did not see, because the task installed its own.
fn silent(entry: &Entry, payload: Option<&(dyn Any + Send)>, runner: Runner) -> PanicReport {
    PanicReport {
        message: payload.map(text_of).unwrap_or_default(),
        location: None,
        backtrace: None,
        task: entry.name.into(),
        pid: runner.pid,
        worker: runner.worker,
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(the panic's payload is not text)".into())
}

fn backtrace() -> Option<String> {
    let backtrace = Backtrace::capture();
    (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string())
}
