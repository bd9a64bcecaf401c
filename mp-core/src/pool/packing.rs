//! Encoded items on their way out of a job: into frames of a ring, or into the box of a thread.

use super::hands::OwnCall;
use super::jobs::{Item, ItemBytes, Job};
use super::station::{ProcessStation, ThreadStation};
use crate::check::never;
use crate::ids::CallSeq;
use crate::limits;
use crate::sys;
use crate::task::registry::Slot;
use std::io;
use std::ops::Range;

/// How many items go into one frame at most.
const PACK_ITEMS: u64 = 256;

/// How many bytes go into one frame of several items, roughly.
const PACK_BYTES: usize = 16 << 10;

/// Puts items into the ring of a process, several to a frame. Returns the first call that did not fit.
pub fn hand_over(
    station: &mut ProcessStation,
    job: &Job,
    items: Range<u64>,
    first: CallSeq,
    pack: &mut Vec<u8>,
) -> Option<CallSeq> {
    let (Slot(slot), _) = job.task;
    let seq_of = |item: u64| CallSeq(first.0 + (item - items.start));
    let mut item = items.start;
    while item < items.end {
        let seq = seq_of(item);
        let lane = &mut station.launched.lane;
        let Some(Item { bytes, handles }) = job.item(item) else {
            never!("item {item} of a job has no bytes");
            return Some(seq);
        };
        let pushed = match bytes {
            ItemBytes::Inline(bytes) if handles.is_empty() => {
                let end = items.end.min(item + PACK_ITEMS);
                let count = pack_items(job, item..end, bytes, pack).max(1);
                let payload = if count == 1 { bytes } else { pack.as_slice() };
                lane.call(seq, count, &[&slot.to_le_bytes(), payload]).then_some(u64::from(count))
            }
            ItemBytes::Inline(bytes) => {
                carried(lane.call_carrying(seq, &[&slot.to_le_bytes(), bytes], handles), station)
            }
            ItemBytes::Spilled(slab, len) => {
                carried(lane.spilled_call(seq, slot, (slab, len), handles), station)
            }
        };
        let Some(pushed) = pushed else { return Some(seq) };
        item += pushed;
    }
    None
}

/// One call that descriptors go with. A worker that cannot be sent any more is broken.
fn carried(sent: io::Result<bool>, station: &mut ProcessStation) -> Option<u64> {
    match sent {
        Ok(pushed) => pushed.then_some(1),
        Err(error) => {
            station.give_up(format!("its parent killed it because it cannot be sent descriptors: {error}"));
            None
        }
    }
}

/// Packs as many items as go into one frame; says how many.
fn pack_items(job: &Job, items: Range<u64>, first: &[u8], pack: &mut Vec<u8>) -> u16 {
    pack.clear();
    let mut count = 0;
    let mut next = Some(Item { bytes: ItemBytes::Inline(first), handles: &[] });
    let mut item = items.start;
    while let Some(Item { bytes: ItemBytes::Inline(bytes), handles: [] }) = next
        && (count == 0 || pack.len() + bytes.len() <= PACK_BYTES)
    {
        // One long item goes by itself, without being copied here.
        if count == 0 && bytes.len() > PACK_BYTES {
            return 1;
        }
        pack.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        pack.extend_from_slice(bytes);
        count += 1;
        item += 1;
        next = if item < items.end { job.item(item) } else { None };
    }
    count
}

/// Puts items into the box of a thread.
pub fn give(station: &ThreadStation, job: &Job, items: Range<u64>, first: CallSeq) {
    for (seq, item) in (first.0..).zip(items) {
        let Some(Item { bytes, handles }) = job.item(item) else {
            never!("item {item} of a job has no bytes");
            continue;
        };
        let arguments = match bytes {
            ItemBytes::Inline(bytes) => bytes.to_vec(),
            ItemBytes::Spilled(slab, len) => {
                let mut bytes = Vec::new();
                if slab.read(0, len as usize, &mut bytes).is_err() {
                    never!("a slab of ours cannot be read");
                }
                bytes
            }
        };
        // A descriptor that cannot be copied is missing when the arguments are decoded, which says so.
        let handles = handles.iter().map_while(|handle| sys::duplicate(sys::borrow(handle)).ok()).collect();
        station.hands.call(CallSeq(seq), OwnCall { entry: job.task.1, arguments, handles });
    }
}

/// Whether an item is too long for a ring.
pub fn is_long(bytes: usize) -> bool {
    bytes > limits::INLINE_BYTES_MAX - 64
}
