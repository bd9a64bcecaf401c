//! Last words: text that a worker leaves in its region and that outlives it.
//!
//! Written by one process, read by another, at any moment: bytes are atomics, lengths are cut to what there is room
//! for, and text is whatever was found, made valid.

#![allow(unsafe_code)] // a landing place that the kernel writes to

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

/// How much of stderr is taken out of the pipe at once.
const LANDING_BYTES: usize = 3072;

/// How std's allocation error handler begins before it aborts.
pub(super) const ALLOCATOR_GAVE_UP: &[u8] = b"memory allocation of ";

/// How much may be written after that for it still to be what the process died of: a long backtrace.
const LAST_SPEECH_BYTES: u64 = 64 << 10;

/// The last bytes written to stderr: a circle that overwrites the oldest, and before it a place where the kernel puts
/// them. So they are never only in the memory of a process that dies, not even between its taking them out of the pipe
/// and its noting them.
///
/// | `stage` | goes to | when |
/// |---|---|---|
/// | 0 nothing has landed | 1 | the landing place is all zero |
/// | 1 bytes may be landing; how many the zeros behind them tell | 2 | they are noted in the circle |
/// | 2 they are noted and are being passed on | 0 | they are passed on |
#[repr(C)]
#[derive(Debug)]
pub(super) struct StderrTail {
    /// How many bytes were written in all.
    written: AtomicU64,
    /// How many had been written when the allocator was heard to give up; 0: never.
    gave_up_at: AtomicU64,
    bytes: [AtomicU8; STDERR_BYTES],
    stage: AtomicU32,
    landing: [AtomicU8; LANDING_BYTES],
}

/// What a dead process wrote to stderr, as far as it had taken it out of the pipe.
#[derive(Debug)]
pub struct LastWords {
    /// The last bytes.
    pub tail: Vec<u8>,
    /// The last of them, which it may not have passed on.
    pub not_passed_on: Vec<u8>,
    /// Whether its allocator said that it gives up.
    pub out_of_memory: bool,
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
        let now = written.wrapping_add(bytes.len() as u64);
        self.written.store(now, Release);
        let tail = self.read();
        let news = tail.len().saturating_sub(bytes.len() + ALLOCATOR_GAVE_UP.len() - 1);
        if says_that_allocator_gave_up(&tail[news..]) {
            self.gave_up_at.store(now, Relaxed);
        }
    }

    /// Has `read` put bytes where they outlive this process, and notes them. It says how many it has put there. One
    /// thread at a time.
    pub(super) fn land(&self, read: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
        self.landing.iter().for_each(|byte| byte.store(0, Relaxed));
        // PAIR: `last_words`, when this process is dead.
        self.stage.store(1, Release);
        let place = self.landing.as_ptr().cast_mut().cast::<u8>();
        // SAFETY: duty: valid for reads and writes: the atomics of `self`, which may be written through a shared
        // reference. Duty: nobody else writes or reads there meanwhile: one thread calls this, by its contract, and the
        // parent looks when this process is dead.
        let room = unsafe { std::slice::from_raw_parts_mut(place, LANDING_BYTES) };
        let count = read(room).min(LANDING_BYTES);
        let bytes = room[..count].to_vec();
        if count > 0 {
            self.note(&bytes);
        }
        // PAIR: as above.
        self.stage.store(if count > 0 { 2 } else { 0 }, Release);
        bytes
    }

    /// What has landed is passed on.
    pub(super) fn passed_on(&self) {
        self.stage.store(0, Release);
    }

    /// What is left of a process that is dead.
    pub(super) fn last_words(&self) -> LastWords {
        // PAIR: `land` and `passed_on` of the process when it lived.
        let stage = self.stage.load(Acquire);
        let mut not_passed_on = Vec::new();
        if stage != 0 {
            not_passed_on.extend(self.landing.iter().map(|byte| byte.load(Relaxed)));
            let len = not_passed_on.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            not_passed_on.truncate(len);
        }
        let mut tail = self.read();
        if stage == 1 && !tail.ends_with(&not_passed_on) {
            tail.extend_from_slice(&not_passed_on);
        }
        let (written, gave_up_at) = (self.written.load(Relaxed), self.gave_up_at.load(Relaxed));
        let spoken_since = written.saturating_sub(gave_up_at);
        let out_of_memory =
            gave_up_at > 0 && spoken_since <= LAST_SPEECH_BYTES || says_that_allocator_gave_up(&tail);
        LastWords { tail, not_passed_on, out_of_memory }
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

/// Whether std's allocation error handler is heard in a text.
pub fn says_that_allocator_gave_up(text: &[u8]) -> bool {
    text.windows(ALLOCATOR_GAVE_UP.len()).any(|window| window == ALLOCATOR_GAVE_UP)
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
        Self {
            written: AtomicU64::new(0),
            gave_up_at: AtomicU64::new(0),
            bytes: [const { AtomicU8::new(0) }; STDERR_BYTES],
            stage: AtomicU32::new(0),
            landing: [const { AtomicU8::new(0) }; LANDING_BYTES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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
    fn what_has_landed_is_not_lost_with_its_reader() {
        let tail = StderrTail::default();
        tail.note(b"before\n");
        let dies = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tail.land(|room| {
                room[..4].copy_from_slice(b"last");
                panic!("as if the process died here")
            })
        }));
        assert!(dies.is_err());
        let words = tail.last_words();
        assert_eq!(
            (words.tail.as_slice(), words.not_passed_on.as_slice()),
            (&b"before\nlast"[..], &b"last"[..])
        );
        assert_eq!(tail.land(|room| (&mut *room).write(b"more").unwrap_or(0)), b"more");
        let words = tail.last_words();
        assert_eq!(
            (words.tail.as_slice(), words.not_passed_on.as_slice()),
            (&b"before\nmore"[..], &b"more"[..])
        );
        tail.passed_on();
        assert!(tail.last_words().not_passed_on.is_empty());
        assert!(tail.land(|_| 0).is_empty() && tail.last_words().not_passed_on.is_empty());
    }

    #[test]
    fn an_allocator_that_gives_up_is_heard_behind_a_long_backtrace_and_across_chunks() {
        let tail = StderrTail::default();
        tail.note(b"some memory allo");
        assert!(!tail.last_words().out_of_memory);
        tail.note(b"cation of 9 bytes failed\n");
        tail.note(&[b'x'; 10_000]);
        assert!(tail.last_words().out_of_memory);
        tail.note(&vec![b'x'; LAST_SPEECH_BYTES as usize]);
        assert!(!tail.last_words().out_of_memory, "it has lived on for long");
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
