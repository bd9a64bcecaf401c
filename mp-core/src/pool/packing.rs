//! Encoded items on their way out of a job: into frames of a ring, or into the box of a thread.

use super::hands::{OwnCall, copies};
use super::jobs::{Item, ItemBytes, Job};
use super::station::{ProcessStation, ThreadStation};
use crate::check::never;
use crate::ids::CallSeq;
use crate::limits;
use crate::task::registry::Slot;
use std::io;
use std::ops::Range;

/// How many bytes go into one frame of several items, roughly.
const PACK_BYTES: usize = 16 << 10;

/// Puts items into the ring of a process, several to a frame. Returns the first call that did not fit.
pub fn hand_over(
    station: &mut ProcessStation,
    job: &Job,
    items: Range<u64>,
    first: CallSeq,
) -> Option<CallSeq> {
    let refused = push_all(station, job, items, first);
    station.launched.lane.wake();
    refused
}

fn push_all(station: &mut ProcessStation, job: &Job, items: Range<u64>, first: CallSeq) -> Option<CallSeq> {
    let (Slot(slot), _) = job.task;
    let slot_bytes = &slot.to_le_bytes();
    let mut item = items.start;
    while item < items.end {
        let seq = CallSeq(first.0 + (item - items.start));
        let lane = &mut station.launched.lane;
        if let Some((count, packed, handles)) = job.packed(item..items.end, PACK_BYTES) {
            let payload = [slot_bytes, packed];
            let pushed = if handles.is_empty() {
                lane.call(seq, count, &payload)
            } else {
                carried(lane.call_carrying((seq, count), &payload, handles), station)
            };
            if !pushed {
                return Some(seq);
            }
            item += u64::from(count);
            continue;
        }
        let Some(Item { bytes, handles }) = job.item(item) else {
            never!("item {item} of a job has no bytes");
            return Some(seq);
        };
        let pushed = match bytes {
            ItemBytes::Inline(bytes) if handles.is_empty() => lane.call(seq, 1, &[slot_bytes, bytes]),
            ItemBytes::Inline(bytes) => {
                carried(lane.call_carrying((seq, 1), &[slot_bytes, bytes], handles), station)
            }
            ItemBytes::Spilled(slab, len) => {
                carried(lane.spilled_call(seq, slot, (slab, len), handles), station)
            }
        };
        if !pushed {
            return Some(seq);
        }
        item += 1;
    }
    None
}

/// Calls that descriptors go with. A worker that cannot be sent any is of no use; what it has answered counts.
fn carried(sent: io::Result<bool>, station: &mut ProcessStation) -> bool {
    sent.unwrap_or_else(|error| {
        station.end(format!("it could not be sent descriptors, and was killed if it was not dead: {error}"));
        false
    })
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
        let handles = copies(handles);
        station.hands.call(CallSeq(seq), OwnCall { entry: job.task.1, arguments, handles, error_type: None });
    }
}

/// Whether an item is too long for a ring.
pub fn is_long(bytes: usize) -> bool {
    bytes > limits::INLINE_BYTES_MAX - 64
}
