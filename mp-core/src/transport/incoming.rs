//! Long arguments: they lie in a slab of the parent's, which may still copy into it.

use crate::check::never;
use crate::raw::sleep::Patience;
use crate::shm::region::Shared;
use crate::shm::ring::Corrupt;
use crate::shm::slab::AttachedSlab;
use crate::task::frame::Arriving;
use std::cell::RefCell;
use std::time::Duration;

/// The arguments of one call.
pub struct Incoming<'s> {
    slab: &'s AttachedSlab,
    len: usize,
    shared: Shared,
    patience: RefCell<Patience>,
}

/// How long who has caught up with the parent sleeps at first: it is woken when all is there, and would copy the rest alone
/// then. By that time there is some more, as waking takes long.
const NAP: Duration = Duration::from_micros(50);

/// How much, in bytes, is worth looking on while it is copied, which takes a few hundred microseconds: waking takes some 50.
const SOON_BYTES: usize = 4 << 20;

impl<'s> Incoming<'s> {
    /// Arguments of `len` bytes. Whoever waits for them sleeps where the worker does.
    pub fn new(slab: &'s AttachedSlab, len: usize, shared: Shared) -> Result<Self, Corrupt> {
        slab.bytes(0, len)?;
        Ok(Self { slab, len, shared, patience: RefCell::default() })
    }

    fn there(&self) -> usize {
        self.slab.filling().there(self.len)
    }
}

impl Arriving for Incoming<'_> {
    fn len(&self) -> usize {
        self.len
    }

    /// # Blocking and death
    /// If the parent dies, the watch thread ends this process.
    fn part(&self, from: usize, least: usize) -> &[u8] {
        let end = from.saturating_add(least).min(self.len);
        let ready = || self.there() >= end;
        let whole = end == self.len;
        let (sleep, partner) = (&self.shared.worker_sleep, self.shared.parent_sleep.word());
        let patience = &mut self.patience.borrow_mut();
        let mut nap = NAP;
        while !ready() {
            let had = self.there();
            let is_soon = end.saturating_sub(had) <= SOON_BYTES;
            if is_soon && sleep.spin(partner, patience, || self.there() > had).is_some() {
                continue;
            }
            sleep.wait(partner, patience, (!whole).then_some(nap), ready);
            nap *= 2;
        }
        let there = self.there();
        self.slab.bytes(from, there.saturating_sub(from)).unwrap_or_else(|Corrupt| {
            never!("a slab has become shorter than {there} bytes");
            &[]
        })
    }
}
