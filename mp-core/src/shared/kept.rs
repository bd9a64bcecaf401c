//! Sealed memory that a worker was sent stays mapped a little longer: the next call is likely to be sent the same.

use crate::kept::Kept;
use crate::sys::memory::{Access, Mapping, Memory};
use std::io;
use std::sync::Arc;

/// What was viewed last, in processes that keep it.
pub static KEPT: Kept<Viewed> = Kept::new();

/// Memory and its mapping.
#[derive(Debug)]
pub struct Viewed {
    whose: [u64; 4],
    mapping: Arc<Mapping>,
}

/// Memory of `len` bytes that nobody can write any more, mapped: as it was the last time, if it is the same.
pub fn view(memory: &Memory, len: usize) -> io::Result<Arc<Mapping>> {
    let map = || Mapping::map(memory, Access::Sealed).map(Arc::new);
    let whose = if KEPT.has_begun() { memory.identity() } else { None };
    let Some(whose) = whose else { return map() };
    let same = KEPT.take(|kept| kept.whose == whose && kept.mapping.len() >= len);
    let mapping = same.map_or_else(map, |kept| Ok(kept.mapping))?;
    KEPT.put(Viewed { whose, mapping: mapping.clone() });
    Ok(mapping)
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
        assert!(!KEPT.is_any() && place(&first) != other.ptr(), "not yet");
        KEPT.begin();
        if first.identity().is_none() {
            assert_eq!(content(&view(&first, 5).expect("mapped")), b"first");
            return assert!(!KEPT.is_any());
        }
        let here = place(&first);
        assert!(KEPT.is_any());
        let sent = first.handle().try_clone_to_owned().expect("a descriptor");
        let again = Memory::from_handle(sent, 5).expect("what it is");
        assert_eq!((place(&again), place(&first)), (here, here));
        assert_eq!(content(&view(&second, 6).expect("mapped")), b"second");
        KEPT.age();
        assert!(KEPT.is_any(), "used since the last time");
        let weak = Arc::downgrade(&view(&second, 6).expect("mapped"));
        KEPT.age();
        assert!(weak.upgrade().is_some());
        KEPT.age();
        assert!(!KEPT.is_any() && weak.upgrade().is_none(), "not used since the last time");
        let weak = Arc::downgrade(&view(&first, 5).expect("mapped"));
        KEPT.forget();
        assert!(!KEPT.is_any() && weak.upgrade().is_none());
    }
}
