//! Runs calls and turns a panic into a report.

use super::calls::{Calls, One};
use super::entry::Entry;
use crate::check::never;
use crate::error::{Failure, PanicReport};
use crate::sys::{self, Handle};
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

/// Runs one call. `handles` belong to the arguments; those of the result are returned.
pub fn run(
    entry: &'static Entry,
    arguments: &[u8],
    handles: Vec<Handle>,
    out: &mut Vec<u8>,
    runner: Runner,
) -> Result<Vec<Handle>, Failure> {
    OnCall::new(entry, runner).run_one(One::new(arguments, handles, out, None))
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
        let outer = RUNNING.replace(Some(Running { runner, task: entry.name, has_noted: false }));
        Self { entry, runner, outer }
    }

    /// Runs these calls to the last.
    ///
    /// A panic on this thread is caught, kept silent, and is how its call [ended](Calls::ended). One that the task itself caught is
    /// printed, and so are panics on threads that it started, as usual.
    pub fn run(&self, calls: &mut dyn Calls<'_>) {
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.entry.invoke)(calls))) {
            calls.ended(Err(Failure::Panicked(self.report_of(&*payload))));
            let_go(payload);
        }
    }

    /// What is known of a panic.
    #[cold]
    #[inline(never)]
    fn report_of(&self, payload: &(dyn Any + Send)) -> PanicReport {
        // The report may be that of another panic, which the task caught before it put a hook of its own in place of ours.
        let report = REPORT.take().filter(|report| report.message == text_of(payload));
        report.unwrap_or_else(|| silent(self.entry, payload, self.runner))
    }

    /// Runs this one.
    pub fn run_one(&self, mut call: One<'_, '_>) -> Result<Vec<Handle>, Failure> {
        self.run(&mut call);
        call.into_ending().unwrap_or_else(|| {
            never!("the glue of {} did not run its call", self.entry.name);
            Ok(Vec::new())
        })
    }
}

impl Drop for OnCall {
    fn drop(&mut self) {
        let running = RUNNING.replace(self.outer);
        if running.is_some_and(|running| running.has_noted) {
            tell(REPORT.take());
        }
    }
}

/// The call that this thread runs.
#[derive(Clone, Copy)]
struct Running {
    runner: Runner,
    task: &'static str,
    /// Whether it has panicked.
    has_noted: bool,
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
    let Ok(Some(running)) = RUNNING.try_with(Cell::get) else { return false };
    let Running { runner, task, .. } = running;
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
    RUNNING.set(Some(Running { has_noted: true, ..running }));
    tell(REPORT.replace(Some(report)));
    true
}

/// Nobody else will hear of a panic that the task has caught, or that leads to another one and so to an abort: our hook stands before
/// that which would have printed it.
fn tell(report: Option<PanicReport>) {
    if let Some(report) = report {
        sys::pipe::write_stderr(format!("mp: task `{}` {report}\n", report.task).as_bytes());
    }
}

/// A panic that our hook did not see, because the task installed its own.
fn silent(entry: &Entry, payload: &(dyn Any + Send), runner: Runner) -> PanicReport {
    PanicReport {
        message: text_of(payload),
        location: None,
        backtrace: None,
        task: entry.name.into(),
        pid: runner.pid,
        worker: runner.worker,
    }
}

/// Drops what a panic threw. A panic in that `Drop` goes no further either, and what it threw is dropped no more.
pub fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// What a panic says.
pub fn text_of(payload: &(dyn Any + Send)) -> String {
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
