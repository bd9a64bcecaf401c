//! What a pool tells the program's log: what its workers go through while nobody looks.

use super::core::Core;
use super::scheduler::{Why, WorkerState};
use super::waiter::Errand;
use crate::error::{Error, ExitStatus, WorkerLost};
use crate::ids::WorkerId;
use crate::journal::{IS_KEPT, Level, Note};

impl Core {
    /// To be told when the lock is free.
    fn note(&mut self, level: Level, who: String, what: String) {
        self.errands.push(Errand::Tell(Note { level, who, what }));
    }

    pub(super) fn note_start(&mut self, worker: WorkerId, started: Result<u32, &Error>) {
        if IS_KEPT {
            let (level, what) = match started {
                Ok(pid) => (Level::Debug, format!("started as process {pid}")),
                Err(error) => (Level::Warn, format!("could not be started: {error}")),
            };
            self.note(level, self.name_of(worker), what);
        }
    }

    pub(super) fn note_ready(&mut self, worker: WorkerId) {
        if IS_KEPT {
            self.note(Level::Debug, self.name_of(worker), "takes calls".to_owned());
        }
    }

    /// Before the scheduler hears of it: then it knows no more whether the worker was to end.
    pub(super) fn note_death(&mut self, worker: WorkerId, report: &WorkerLost) {
        if IS_KEPT {
            let expected = match self.scheduler.worker_state(worker) {
                WorkerState::Killed => true,
                WorkerState::Quitting => report.status.is_some_and(ExitStatus::success),
                WorkerState::Vacant
                | WorkerState::Starting
                | WorkerState::Initializing
                | WorkerState::Ready => false,
            };
            let (level, what) = match (expected, &report.task) {
                (true, _) => (Level::Debug, format!("process {} is gone", report.pid)),
                (false, Some(task)) => (Level::Warn, format!("task `{task}` was lost: {report}")),
                (false, None) => (Level::Warn, report.to_string()),
            };
            self.note(level, self.name_of(worker), what);
        }
    }

    pub(super) fn note_end(&mut self, why: Why, reason: &Error) {
        if IS_KEPT {
            let level = match why {
                Why::CrashLoop | Why::InitializerFailed => Level::Error,
                Why::Interrupted => Level::Info,
                Why::EarlierFailure | Why::Cancelled | Why::Terminated | Why::Closed => Level::Debug,
            };
            self.note(level, self.config.name.clone(), format!("ended: {reason}"));
        }
    }
}
