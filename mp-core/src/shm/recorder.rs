//! The flight recorder: which call runs, which may not start any more, and last words.
//!
//! ```text
//!  worker  begin(seq) ─► run ─► publish the result ─► end        parent  revoke(from..to) ─► first not started
//!             │ false: revoked, decline it
//! ```
//!
//! `begin` writes the call's number and then looks at what is revoked; `revoke` writes what is revoked and then looks at
//! the number. A fence stands between the two steps on both sides, so at least one of them sees the other: no call is
//! both run and given back. There are many calls and few revokes: where the kernel helps, `revoke` pays for the fences of
//! both. The number of the last call that was begun is never lost, even between two calls, so
//! "first not started" only names calls that no `begin` has gone past.
//!
//! | `call` | meaning | worker goes to |
//! |---|---|---|
//! | `2·seq` | idle; `seq` was the last one begun (0: none yet) | `2·next+1` at `begin` |
//! | `2·seq+1` | `seq` runs, or is about to be declined | `2·seq` at `end`, after its outcome is published |

#![allow(unsafe_code)] // extends the life of the fault words to that of the process

use super::notes::LastWords;
use super::region::Shared;
use crate::raw::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use crate::sys::fault::{Fault, FaultWords};
use crate::sys::fence as pair;
use std::ops::Range;

/// What the worker says about itself.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Progress {
    call: AtomicU64,
    /// Not 0: `begin` has a light fence only.
    light: AtomicU64,
    /// Not 0: this worker runs no more calls, and ends.
    handed_back: AtomicU64,
}

/// Calls in `from..to` must not be started.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Revoked {
    from: AtomicU64,
    to: AtomicU64,
}

/// The worker's side.
#[derive(Clone, Debug)]
pub struct WorkerRecorder(Shared);

/// The parent's side. Good for as long as it is kept, whatever became of the worker.
#[derive(Clone, Debug)]
pub struct ParentRecorder(Shared);

impl WorkerRecorder {
    pub(super) fn new(shared: Shared) -> Self {
        Self(shared)
    }

    /// Makes `begin` cheap, if the kernel can do that. Before the first call, and best before there are threads.
    pub fn lighten(&self) {
        self.0.progress.lighten();
    }

    /// Says that call `seq` starts; numbers only grow. False when it was revoked: it must not run, and the parent is to
    /// be told so like a result.
    #[inline]
    pub fn begin(&self, seq: u64) -> bool {
        self.0.progress.begin(&self.0.revoked, seq)
    }

    /// Whether `seq`, which has not begun, is revoked by now.
    pub fn is_revoked(&self, seq: u64) -> bool {
        self.0.revoked.contains(seq)
    }

    /// Whether `seq`, which was declined, is the last of the calls that are revoked: the parent hears of them all at
    /// once, when the worker is past them.
    pub fn is_last_revoked(&self, seq: u64) -> bool {
        // PAIR: `Revoked::revoke`; the range stays as it is until the parent has heard.
        seq + 1 >= self.0.revoked.to.load(Acquire)
    }

    /// Says that the outcome of the call that was begun is published.
    #[inline]
    pub fn end(&self) {
        self.0.progress.end();
    }

    /// Says that the call that was begun has not run and will not, nor any other: when this process ends they go elsewhere.
    pub fn hand_back(&self) {
        self.0.progress.handed_back.store(1, Relaxed);
        self.0.progress.end();
    }

    /// Notes the message of a panic for the call that runs. Any thread may call it; it does not allocate.
    pub fn note_panic(&self, text: &str) {
        self.0.panic.note(self.0.progress.last_begun(), text);
    }

    /// Takes what was written to stderr: `read` puts it where it outlives this process, and says how much there was. One
    /// thread at a time.
    pub fn take_stderr(&self, read: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
        self.0.stderr.land(read)
    }

    /// What was taken is where it belongs.
    pub fn stderr_passed_on(&self) {
        self.0.stderr.passed_on();
    }

    /// Where a signal handler notes faults. From now on this process keeps the region mapped until it ends.
    pub fn fault_words(&self) -> &'static FaultWords {
        let words: *const FaultWords = &raw const *self.0.fault;
        std::mem::forget(self.0.clone());
        // SAFETY: duty: alive for ever: the clone that was just forgotten keeps the mapping. Duty: valid bits: atomics,
        // for which all are.
        unsafe { &*words }
    }
}

impl ParentRecorder {
    pub(super) fn new(shared: Shared) -> Self {
        Self(shared)
    }

    /// The call that runs, if one does. For a dead worker: the one it died in, unless its outcome is among the
    /// responses.
    pub fn running(&self) -> Option<u64> {
        self.0.progress.running()
    }

    /// The last call that was begun.
    pub fn last_begun(&self) -> u64 {
        self.0.progress.last_begun()
    }

    /// Of a dead worker: whether it ended because it had no room for what goes with a call.
    pub fn has_handed_back(&self) -> bool {
        self.0.progress.handed_back.load(Relaxed) != 0
    }

    /// Forbids the worker to start any call in `calls`, and returns the first of them that is certain not to be
    /// started: those from there on may go elsewhere. For those before it an outcome comes, be it that they were
    /// declined. The end of `calls` when all were begun.
    ///
    /// One range at a time: the worker must be past the calls of the one before, unless this one contains it.
    pub fn revoke(&self, calls: Range<u64>) -> u64 {
        self.0.revoked.revoke(&self.0.progress, calls)
    }

    /// Forbids nothing any more. Only when the worker is past the revoked calls: when outcomes of later ones, or of all
    /// of them, have come.
    pub fn clear_revoke(&self) {
        self.0.revoked.clear();
    }

    /// The message of the panic noted during call `seq`.
    pub fn panic_text(&self, seq: u64) -> Option<String> {
        self.0.panic.read(seq)
    }

    /// The fault that struck the worker.
    pub fn fault(&self) -> Option<Fault> {
        self.0.fault.read()
    }

    /// What a dead worker wrote to stderr last.
    pub fn last_words(&self) -> LastWords {
        self.0.stderr.last_words()
    }
}

impl Progress {
    fn lighten(&self) {
        if pair::enroll() {
            // PAIR: `Revoked::revoke` acquires it.
            self.light.store(1, Release);
        }
    }

    #[inline]
    fn begin(&self, revoked: &Revoked, seq: u64) -> bool {
        debug_assert!(seq > self.last_begun(), "calls begin in order");
        // PAIR: `Revoked::revoke` loads it behind its fence.
        self.call.store(2 * seq + 1, Release);
        if self.light.load(Relaxed) == 0 {
            fence(SeqCst);
        } else {
            pair::light();
        }
        if revoked.contains(seq) {
            self.call.store(2 * seq, Release);
            return false;
        }
        true
    }

    #[inline]
    fn end(&self) {
        // PAIR: `revoke` and `running` acquire it: who sees the call ended sees its outcome in the ring.
        self.call.store(2 * self.last_begun(), Release);
    }

    fn running(&self) -> Option<u64> {
        // PAIR: `end` releases it.
        let call = self.call.load(Acquire);
        (call % 2 == 1).then_some(call / 2)
    }

    #[inline]
    fn last_begun(&self) -> u64 {
        self.call.load(Acquire) / 2
    }
}

impl Revoked {
    #[inline]
    fn contains(&self, seq: u64) -> bool {
        // PAIR: `revoke` releases `to` behind `from`: with the new end we see the new start, never an old, lower one.
        let to = self.to.load(Acquire);
        (self.from.load(Relaxed)..to).contains(&seq)
    }

    fn revoke(&self, progress: &Progress, calls: Range<u64>) -> u64 {
        // PAIR: `contains`.
        self.from.store(calls.start, Relaxed);
        self.to.store(calls.end, Release);
        // PAIR: the fence in `begin`: either it sees the range, or we see its call.
        fence(SeqCst);
        // PAIR: `lighten`, which came before the worker was ready for calls.
        if progress.light.load(Acquire) != 0 && !pair::heavy() {
            // Nothing is certain then: the worker runs them or declines them.
            return calls.end;
        }
        let not_begun = progress.last_begun().saturating_add(1);
        not_begun.max(calls.start).min(calls.end.max(calls.start))
    }

    fn clear(&self) {
        // PAIR: `contains`. The start stays: an empty range whatever it is.
        self.to.store(0, Relaxed);
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
