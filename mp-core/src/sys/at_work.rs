//! Whom a Ctrl-C finds at work: what the handler of either system goes by.
//!
//! The first one that comes while somebody is busy is to be served; it is, from when those whose work it ends say so
//! ([`Work::serve`]) until they are busy no more. All others do what they do without us. If everybody's work has come to its end
//! before anybody looked, nobody hears of it: it was missed ([`is_missed`]).

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// How many are busy.
static BUSY: AtomicUsize = AtomicUsize::new(0);
/// Those whose work an interrupt has ended, and that are still busy with that.
static SERVERS: AtomicUsize = AtomicUsize::new(0);
/// Whether there was an interrupt that nobody has served yet.
static UNSERVED: AtomicBool = AtomicBool::new(false);
/// Interrupts that were to be served.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Somebody who may be busy.
#[derive(Debug, Default)]
pub struct Work {
    busy: AtomicBool,
    serves: AtomicBool,
}

impl Work {
    /// Says whether somebody is waiting for work to end, which is what a first Ctrl-C interrupts; whether that is new.
    pub fn busy(&self, busy: bool) -> bool {
        if self.busy.swap(busy, SeqCst) == busy {
            return false;
        }
        // PAIR: `is_first` and `is_missed` load both.
        if busy {
            BUSY.fetch_add(1, SeqCst);
        } else {
            BUSY.fetch_sub(1, SeqCst);
            if self.serves.swap(false, SeqCst) {
                SERVERS.fetch_sub(1, SeqCst);
            }
        }
        true
    }

    /// Whether somebody is waiting for work to end.
    pub fn is_busy(&self) -> bool {
        self.busy.load(SeqCst)
    }

    /// The interrupt ends the work of this one, which is busy: the next Ctrl-C is a second one until it is no more.
    pub fn serve(&self) {
        if !self.serves.swap(true, SeqCst) {
            // PAIR: `is_first` loads it, and finds one of the two at any moment.
            SERVERS.fetch_add(1, SeqCst);
        }
        UNSERVED.store(false, SeqCst);
    }
}

/// A Ctrl-C has come: whether it is to be served. Then it is counted. For a signal handler, too.
pub fn is_first() -> bool {
    // PAIR: `Work::busy`, `Work::serve`, `is_missed`.
    let first = BUSY.load(SeqCst) > 0 && SERVERS.load(SeqCst) == 0 && !UNSERVED.swap(true, SeqCst);
    if first {
        COUNT.fetch_add(1, SeqCst);
    }
    first
}

/// Whether there was one that nobody has served, and nobody is left whose work it could end. It is asked of only once.
pub fn is_missed() -> bool {
    // PAIR: `is_first` swaps it; `Work::serve` takes it.
    BUSY.load(SeqCst) == 0 && SERVERS.load(SeqCst) == 0 && UNSERVED.swap(false, SeqCst)
}

/// How many Ctrl-C were to be served since the process started.
pub fn count() -> u64 {
    // PAIR: `is_first` counts before anybody is rung, so who was rung sees the count.
    COUNT.load(SeqCst)
}

/// In a copy of a process nobody is at work.
#[cfg_attr(
    any(not(target_os = "linux"), mp_portable_unix),
    allow(dead_code, reason = "nobody makes copies elsewhere")
)]
pub fn forget() {
    BUSY.store(0, SeqCst);
    SERVERS.store(0, SeqCst);
    // PAIR: `is_first` swaps it.
    UNSERVED.store(false, SeqCst);
}
