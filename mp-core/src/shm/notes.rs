//! Last words: text that a worker leaves in its region and that outlives it.
//!
//! Written by one process, read by another, at any moment: bytes are atomics, lengths are cut to what there is room
//! for, and text is whatever was found, made valid.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Room for the message, the location and some of the surroundings of a panic.
pub(super) const PANIC_BYTES: usize = 3072;

/// Room for the last screenful of what a worker wrote to stderr.
pub(super) const STDERR_BYTES: usize = 4096;

/// The message of the last panic.
///
/// | `state` | goes to | when |
/// |---|---|---|
/// | 0 free | 1 | a panicking thread has taken it to write |
/// | 1 writing | 0 | it has written; or never, when the process died in between |
#[repr(C)]
#[derive(Debug)]
pub(super) struct PanicNote {
    state: AtomicU32,
    len: AtomicU32,
    call: AtomicU64,
    text: [AtomicU8; PANIC_BYTES],
}

/// The last bytes written to stderr: a circle that overwrites the oldest.
#[repr(C)]
#[derive(Debug)]
pub(super) struct StderrTail {
    /// How many bytes were written in all.
    written: AtomicU64,
    bytes: [AtomicU8; STDERR_BYTES],
}

impl PanicNote {
    /// Notes a panic during `call`. A second one during the same call (a panic while unwinding) is appended, one during
    /// another call takes the place. When two threads panic at once, one of them is noted.
    pub(super) fn note(&self, call: u64, text: &str) {
        // PAIR: the Release below, of a thread that wrote before us.
        if self.state.compare_exchange(0, 1, AcqRel, Relaxed).is_err() {
            return;
        }
        let mut len = 0;
        if self.call.load(Relaxed) == call {
            len = self.len.load(Relaxed) as usize;
        } else {
            self.len.store(0, Relaxed);
            // PAIR: `read` sees the new number only with the text of the old call gone.
            self.call.store(call, Release);
        }
        let separator: &[u8] = if len == 0 { b"" } else { b"\n" };
        for (place, byte) in
            self.text.get(len..).unwrap_or(&[]).iter().zip(separator.iter().chain(text.as_bytes()))
        {
            place.store(*byte, Relaxed);
            len += 1;
        }
        // PAIR: `read` acquires it before it reads the text.
        self.len.store(len as u32, Release);
        self.state.store(0, Release);
    }

    /// What was noted during `call`.
    pub(super) fn read(&self, call: u64) -> Option<String> {
        // PAIR: both Release stores in `note`.
        let noted_for = self.call.load(Acquire);
        let len = (self.len.load(Acquire) as usize).min(PANIC_BYTES);
        (noted_for == call && len > 0).then(|| {
            let bytes: Vec<u8> = self.text[..len].iter().map(|byte| byte.load(Relaxed)).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
}

impl StderrTail {
    /// Adds what was written. One thread at a time: the one that reads the pipe.
    pub(super) fn note(&self, bytes: &[u8]) {
        let written = self.written.load(Relaxed);
        let skipped = bytes.len().saturating_sub(STDERR_BYTES);
        for (index, byte) in (0..).zip(bytes).skip(skipped) {
            let number = written.wrapping_add(index);
            self.bytes[(number % STDERR_BYTES as u64) as usize].store(*byte, Relaxed);
        }
        // PAIR: `read` acquires it before it reads the bytes.
        self.written.store(written.wrapping_add(bytes.len() as u64), Release);
    }

    /// The last bytes, oldest first. While the worker still writes, some may be newer than their place.
    pub(super) fn read(&self) -> Vec<u8> {
        // PAIR: `note` releases it behind the bytes.
        let written = self.written.load(Acquire);
        let first = written.saturating_sub(STDERR_BYTES as u64);
        (first..written)
            .map(|number| self.bytes[(number % STDERR_BYTES as u64) as usize].load(Relaxed))
            .collect()
    }
}

impl Default for PanicNote {
    fn default() -> Self {
        Self {
            state: AtomicU32::new(0),
            len: AtomicU32::new(0),
            call: AtomicU64::new(0),
            text: [const { AtomicU8::new(0) }; PANIC_BYTES],
        }
    }
}

impl Default for StderrTail {
    fn default() -> Self {
        Self { written: AtomicU64::new(0), bytes: [const { AtomicU8::new(0) }; STDERR_BYTES] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_belongs_to_its_call() {
        let note = PanicNote::default();
        assert_eq!(note.read(0), None);
        note.note(7, "first");
        note.note(7, "second, while unwinding");
        assert_eq!(note.read(7).as_deref(), Some("first\nsecond, while unwinding"));
        note.note(9, "other");
        assert_eq!(note.read(7), None);
        assert_eq!(note.read(9).as_deref(), Some("other"));
    }

    #[test]
    fn a_note_too_long_is_cut() {
        let note = PanicNote::default();
        note.note(1, &"x".repeat(PANIC_BYTES - 2));
        note.note(1, "yyyy");
        let text = note.read(1).expect("noted");
        assert_eq!((text.len(), text.ends_with("x\ny")), (PANIC_BYTES, true));
        note.note(1, "no room");
        assert_eq!(note.read(1).map(|text| text.len()), Some(PANIC_BYTES));
    }

    #[test]
    fn lengths_and_bytes_of_a_liar_are_cut_and_made_valid() {
        let note = PanicNote::default();
        note.len.store(u32::MAX, Relaxed);
        note.text[0].store(0xff, Relaxed);
        note.note(0, "beyond");
        assert_eq!(note.read(0).map(|text| text.starts_with('\u{fffd}')), Some(true));
    }

    #[test]
    fn the_tail_holds_the_last_bytes() {
        let tail = StderrTail::default();
        assert_eq!(tail.read(), b"");
        tail.note(b"hello ");
        tail.note(b"world");
        assert_eq!(tail.read(), b"hello world");
        let long: Vec<u8> = (0..10_000_u32).map(|number| number as u8).collect();
        tail.note(&long);
        assert_eq!(tail.read(), long[10_000 - STDERR_BYTES..]);
        tail.written.store(u64::MAX - 1, Relaxed);
        tail.note(b"wraps");
        assert!(tail.read().len() <= STDERR_BYTES);
    }
}
