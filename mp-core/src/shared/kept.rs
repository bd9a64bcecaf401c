//! Sealed memory that a worker was sent stays mapped a little longer: the next call is likely to be sent the same, and mapping
//! it again costs a page fault for every few pages.
//!
//! ```text
//!  a value is decoded ─► view ─► kept until another one comes │ a frame of calls ends that used none │ the worker has nothing to do
//! ```
//! Only processes that say so [keep](begin) anything: those that call [`age`] and [`forget`].

use crate::sys::memory::{Access, Mapping, Memory};
use std::io;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What this process keeps. A hint that spares a look under the lock; only the thread that runs calls acts on it.
static STATE: AtomicU8 = AtomicU8::new(NEVER);

/// | state | goes to | when |
/// |---|---|---|
/// | [`NEVER`] | [`NOTHING`] | [`begin`] |
/// | [`NOTHING`], [`OLD`] | [`USED`] | something is viewed |
/// | [`USED`] | [`OLD`] | [`age`] |
/// | [`OLD`] | [`NOTHING`] | [`age`] |
/// | any but [`NEVER`] | [`NOTHING`] | [`forget`] |
const NEVER: u8 = 0;
const NOTHING: u8 = 1;
const OLD: u8 = 2;
const USED: u8 = 3;

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

struct Kept {
    whose: [u64; 4],
    mapping: Arc<Mapping>,
}

/// This process keeps what it has viewed last.
pub fn begin() {
    STATE.store(NOTHING, Relaxed);
}

/// Memory of `len` bytes that nobody can write any more, mapped: as it was the last time, if it is the same.
pub fn view(memory: &Memory, len: usize) -> io::Result<Arc<Mapping>> {
    let map = || Mapping::map(memory, Access::Sealed).map(Arc::new);
    let whose = if STATE.load(Relaxed) == NEVER { None } else { memory.identity() };
    let Some(whose) = whose else { return map() };
    let mut kept = kept();
    let same = kept.take().filter(|kept| kept.whose == whose && kept.mapping.len() >= len);
    let mapping = same.map_or_else(map, |kept| Ok(kept.mapping))?;
    *kept = Some(Kept { whose, mapping: mapping.clone() });
    STATE.store(USED, Relaxed);
    Ok(mapping)
}

/// Calls have been run: what none of them has used is kept no longer.
#[inline]
pub fn age() {
    match STATE.load(Relaxed) {
        USED => STATE.store(OLD, Relaxed),
        OLD => forget(),
        _ => {}
    }
}

/// Whether anything is kept.
#[inline]
pub fn is_any() -> bool {
    matches!(STATE.load(Relaxed), OLD | USED)
}

/// Keeps nothing, for now.
#[cold]
pub fn forget() {
    if is_any() {
        STATE.store(NOTHING, Relaxed);
        *kept() = None;
    }
}

fn kept() -> MutexGuard<'static, Option<Kept>> {
    // Nothing panics half-way under it.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> Memory {
        let memory = Memory::create_sealable("mp-test", content.len()).expect("memory");
        Mapping::map(&memory, Access::ReadWrite)
            .and_then(|mapping| mapping.copy_in(0, content))
            .expect("a copy");
        memory.seal_contents().expect("nobody else has it");
        memory
    }

    fn content(mapping: &Mapping) -> Vec<u8> {
        let mut bytes = Vec::new();
        mapping.copy_out(0, mapping.len(), &mut bytes).expect("in bounds");
        bytes
    }

    /// One test: what is kept belongs to the process.
    #[test]
    fn the_same_memory_is_mapped_once_and_not_for_ever() {
        let (first, second) = (sealed(b"first"), sealed(b"second"));
        let place = |memory: &Memory| view(memory, 5).expect("mapped").ptr();
        let other = view(&first, 5).expect("mapped");
        assert!(!is_any() && place(&first) != other.ptr(), "not yet");
        begin();
        if first.identity().is_none() {
            assert_eq!(content(&view(&first, 5).expect("mapped")), b"first");
            return assert!(!is_any());
        }
        let here = place(&first);
        assert!(is_any());
        let sent = first.handle().try_clone_to_owned().expect("a descriptor");
        let again = Memory::from_handle(sent, 5).expect("what it is");
        assert_eq!((place(&again), place(&first)), (here, here));
        assert_eq!(content(&view(&second, 6).expect("mapped")), b"second");
        age();
        assert!(is_any(), "used since the last time");
        let weak = Arc::downgrade(&view(&second, 6).expect("mapped"));
        age();
        assert!(weak.upgrade().is_some());
        age();
        assert!(!is_any() && weak.upgrade().is_none(), "not used since the last time");
        let weak = Arc::downgrade(&view(&first, 5).expect("mapped"));
        forget();
        assert!(!is_any() && weak.upgrade().is_none());
    }
}
