//! What can be said about a dead child.

use super::method::executable;
use crate::error::{ExitStatus, PanicReport, WorkerLost};
use crate::ids::CallSeq;
use crate::limits;
use crate::protocol::control::BROKEN;
use crate::shm::notes::{LastWords, says_that_allocator_gave_up};
use crate::sys::process::{Ended, Status};
use crate::sys::{self, Handle};
use crate::transport::lane::Lane;
use std::time::Duration;

/// Everything that is known when a child has died.
#[derive(Debug)]
pub struct Remains<'a> {
    /// Its process id.
    pub pid: u32,
    /// How it ended, unless somebody else reaped it.
    pub ended: Option<Ended>,
    /// What it left in shared memory.
    pub lane: &'a Lane,
    /// The read end of its stderr.
    pub stderr: Option<&'a Handle>,
    /// The call that it was running or was started for, its task, and for how long it ran, if it had begun.
    pub running: Option<(CallSeq, &'static str, Option<Duration>)>,
    /// Its place in its pool.
    pub worker: Option<u32>,
    /// How often the kernel had killed for want of memory when the child was started.
    pub oom_kills_before: Option<u64>,
    /// What else is to be said.
    pub remark: Option<String>,
}

/// Writes the report, and passes on what the dead had not yet written to stderr.
pub fn write(remains: Remains<'_>) -> WorkerLost {
    let LastWords { tail, out_of_memory, .. } = last_words(remains.lane, remains.stderr);
    let status = remains.ended.map(|ended| ExitStatus(ended.status));
    let stderr_tail = text_of_tail(&tail);
    // The allocator's last words count only if they were the end of it.
    let gave_up = out_of_memory && status.is_some_and(|status| status.0.is_abort());
    let killed_for_memory = match (remains.oom_kills_before, sys::memory::oom_kills()) {
        (Some(before), Some(now)) => {
            now > before && status.and_then(ExitStatus::signal_name) == Some("SIGKILL")
        }
        (None, _) | (_, None) => false,
    };
    let fault = remains.lane.fault();
    WorkerLost {
        pid: remains.pid,
        status,
        task: remains.running.map(|(_, task, _)| task.to_owned()),
        ran_for: remains.running.and_then(|(_, _, ran_for)| ran_for),
        peak_rss: remains.ended.and_then(|ended| ended.peak_rss),
        out_of_memory: killed_for_memory || gave_up,
        stack_overflow: fault.is_some_and(|fault| fault.is_stack_overflow)
            || stderr_tail.contains("has overflowed its stack"),
        last_panic: last_panic(&remains),
        stderr_tail,
        attempt: 1,
        remark: remains.remark,
    }
}

/// What it means that a process ended before its first call.
pub fn never_began(ended: Option<Ended>) -> &'static str {
    match ended {
        Some(Ended { status: Status::Code(BROKEN), .. }) => {
            "it could not begin its work, and has said why on stderr"
        }
        Some(Ended { status, .. }) if status.is_exit() && executable().is_some() => {
            "it ended before it began its work: is the file that `mp::set_executable` names this program, with `mp::main!();` as \
             the first statement of `fn main`?"
        }
        Some(Ended { status, .. }) if status.is_exit() => {
            "it ended before it began its work: is `mp::main!();` the first statement of `fn main` (in a test or bench crate: \
             is there an `mp::test_main!();` outside of any function)?"
        }
        Some(_) | None => "it had not begun its work",
    }
}

/// A panic that the worker noted is its last word only if no outcome came after it.
fn last_panic(remains: &Remains<'_>) -> Option<PanicReport> {
    let text = remains.lane.panic_text(remains.running.map_or(CallSeq(0), |(seq, _, _)| seq))?;
    let (location, message) = text.split_once('\n').unwrap_or(("", &text));
    Some(PanicReport {
        message: message.to_owned(),
        location: (!location.is_empty()).then(|| location.to_owned()),
        backtrace: None,
        task: remains.running.map_or_else(String::new, |(_, task, _)| task.to_owned()),
        pid: remains.pid,
        worker: remains.worker,
    })
}

/// Passes on to our stderr what a dead child had not, and says what its last words were. Its descendants may hold the
/// other end of the pipe and go on writing, so it reads at most what fits a pipe.
pub fn last_words(lane: &Lane, pipe: Option<&Handle>) -> LastWords {
    let mut words = lane.last_words();
    let Some(pipe) = pipe else { return words };
    let mut rest = Vec::new();
    // What cannot be read is lost.
    let _ = sys::pipe::read_available(sys::borrow(pipe), &mut rest, PIPE_BYTES);
    let unheard = [words.not_passed_on.as_slice(), &rest].concat();
    sys::pipe::pass_on_to_stderr(&unheard, limits::LAST_WORDS_WITHIN);
    words.tail.extend_from_slice(&rest);
    words.out_of_memory |= says_that_allocator_gave_up(&words.tail);
    let excess = words.tail.len().saturating_sub(limits::STDERR_TAIL_BYTES);
    words.tail.drain(..excess);
    words
}

/// How much a pipe holds on Linux unless it was changed.
const PIPE_BYTES: usize = 64 << 10;

/// The tail as text, without the broken character that its cut may have left.
fn text_of_tail(tail: &[u8]) -> String {
    let start = tail.iter().position(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
    String::from_utf8_lossy(&tail[start..]).into_owned()
}
