//! Which slabs of the parent's a worker has, and when it can be told that one is gone: a call that has begun may still be looking
//! for its arguments, also if nobody wants its result any more.

use crate::ids::CallSeq;
use std::collections::HashMap;

/// The slabs that a worker has been sent.
#[derive(Debug, Default)]
pub struct Known {
    /// How long each was when the worker got it, and the last call that refers to it.
    slabs: HashMap<u64, (usize, CallSeq)>,
    /// Those that are gone, and that the worker has not been told of.
    parting: Vec<(u64, CallSeq)>,
}

impl Known {
    /// Whether the worker has this slab, with at least this length.
    pub fn has(&self, slab: u64, len: usize) -> bool {
        self.slabs.get(&slab).is_some_and(|&(known, _)| known >= len)
    }

    /// The worker has been sent this slab.
    pub fn sent(&mut self, slab: u64, len: usize) {
        self.slabs.entry(slab).or_insert((len, CallSeq(0))).0 = len;
    }

    /// This call refers to it.
    pub fn used(&mut self, slab: u64, call: CallSeq) {
        if let Some((_, last)) = self.slabs.get_mut(&slab) {
            *last = call;
        }
    }

    /// This slab is gone.
    pub fn forget(&mut self, slab: u64) {
        self.parting.extend(self.slabs.remove(&slab).map(|(_, last)| (slab, last)));
    }

    /// The worker has passed over all calls that it had.
    pub fn none_is_out(&mut self) {
        let (slabs, parting) = (self.slabs.values_mut(), self.parting.iter_mut());
        slabs.map(|(_, last)| last).chain(parting.map(|(_, last)| last)).for_each(|last| *last = CallSeq(0));
    }

    /// One that is gone, and to which only calls up to the one that was `answered` last refer.
    pub fn next_gone(&mut self, answered: CallSeq) -> Option<u64> {
        let at = self.parting.iter().position(|(_, last)| *last <= answered)?;
        Some(self.parting.swap_remove(at).0)
    }
}
