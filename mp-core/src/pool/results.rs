//! Results of a job on their way to its owner.

use crate::check::never;
use crate::error::Error;
use crate::shm::frame::{split_frame, split_word};
use crate::sys::Handle;
use crate::wire::codec;
use crate::wire::handles::providing;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Range;

/// Results in the order of their arrival.
#[derive(Default)]
pub struct Results {
    bytes: Vec<u8>,
    arrived: Vec<Arrival>,
    /// How many items they are.
    items: usize,
    /// The descriptors of those that have some.
    handles: HashMap<u64, Vec<Handle>>,
}

/// A value as it came.
pub struct Encoding<'a> {
    /// Its bytes.
    pub bytes: Content<'a>,
    /// Its descriptors.
    pub handles: &'a mut Vec<Handle>,
}

/// The bytes of a value.
pub enum Content<'a> {
    /// They are somebody's.
    Lent(&'a [u8]),
    /// They are the value's own.
    Owned(Vec<u8>),
}

/// One result, or several that came together.
pub enum Batch<'a> {
    /// One.
    One {
        /// Its item.
        item: u64,
        /// How that ended.
        ending: Result<Encoding<'a>, Error>,
    },
    /// Values without descriptors.
    Run {
        /// The item of the first; the others follow it.
        first: u64,
        /// Their bytes.
        payloads: Payloads<'a>,
    },
}

/// The bytes of results that came together.
pub struct Payloads<'a> {
    frames: &'a [u8],
}

/// The values of results that came together.
pub struct Decoded<'a, R> {
    payloads: Payloads<'a>,
    value: PhantomData<R>,
}

impl<'a> Payloads<'a> {
    /// Their values.
    pub fn decoded<R>(self) -> Decoded<'a, R> {
        Decoded { payloads: self, value: PhantomData }
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (_, payload, behind) = split_frame(self.frames)?;
        self.frames = behind;
        Some(payload)
    }
}

/// Numbers are decoded as they come, without a look at their bytes.
impl<R: DeserializeOwned> Iterator for Decoded<'_, R> {
    type Item = Result<R, Error>;

    #[inline]
    fn next(&mut self) -> Option<Result<R, Error>> {
        if let Some((short, behind)) = split_word(self.payloads.frames)
            && let Some(value) = codec::decode_short(short)
        {
            self.payloads.frames = behind;
            return Some(Ok(value));
        }
        self.payloads.next().map(decode_plain)
    }
}

/// What arrived at once, and where its bytes lie.
enum Arrival {
    Returned {
        item: u64,
        bytes: Range<usize>,
    },
    /// In a buffer of its own.
    Long {
        item: u64,
        bytes: Vec<u8>,
    },
    /// Items from `first` on, in the frames in which a worker has sent them.
    Run {
        first: u64,
        frames: Range<usize>,
    },
    Failed {
        item: u64,
        error: Box<Error>,
    },
}

/// Longer results stay in the buffer that they were received in, which is the value in the end, if it is bytes.
const TAKEN_OVER_FROM: usize = 16 << 10;

/// How many results are many, and how many bytes.
const MANY_ITEMS: usize = 4096;
const MANY_BYTES: usize = 256 << 10;

impl Results {
    /// One failure.
    pub fn failed(error: Error) -> Self {
        let mut results = Self::default();
        results.fail(0, error);
        results
    }

    /// How many items have arrived.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Whether so many wait, or so much, that they should be handed out: bytes are best decoded while a processor has them at hand,
    /// and where those before lay.
    pub fn are_many(&self) -> bool {
        self.items >= MANY_ITEMS || self.bytes.len() >= MANY_BYTES
    }

    /// The failures among them.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.arrived.iter().filter_map(|arrival| match arrival {
            Arrival::Failed { error, .. } => Some(&**error),
            Arrival::Returned { .. } | Arrival::Long { .. } | Arrival::Run { .. } => None,
        })
    }

    /// An item returned. A long result takes the buffer along.
    pub fn arrive(&mut self, item: u64, bytes: &mut Vec<u8>, handles: Vec<Handle>) {
        if !handles.is_empty() {
            self.handles.insert(item, handles);
        }
        self.arrived.push(if bytes.len() > TAKEN_OVER_FROM {
            Arrival::Long { item, bytes: std::mem::take(bytes) }
        } else {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            Arrival::Returned { item, bytes: start..self.bytes.len() }
        });
        self.items += 1;
    }

    /// An item failed.
    pub fn fail(&mut self, item: u64, error: Error) {
        self.arrived.push(Arrival::Failed { item, error: Box::new(error) });
        self.items += 1;
    }

    /// Lets `take` append the frames of items from `first` on; it says how many they are.
    pub fn arrive_in_frames(&mut self, first: u64, take: impl FnOnce(&mut Vec<u8>) -> u64) -> u64 {
        let start = self.bytes.len();
        let items = take(&mut self.bytes);
        if items > 0 {
            self.arrived.push(Arrival::Run { first, frames: start..self.bytes.len() });
            self.items += items as usize;
        }
        items
    }

    /// Hands out each item's number and its result, and leaves storage to be used again.
    pub fn drain(&mut self, mut sink: impl FnMut(u64, Result<Encoding<'_>, Error>)) {
        let mut none = Vec::new();
        self.drain_batches(|batch| match batch {
            Batch::One { item, ending } => sink(item, ending),
            Batch::Run { first, payloads } => {
                for (item, bytes) in (first..).zip(payloads) {
                    sink(item, Ok(Encoding { bytes: Content::Lent(bytes), handles: &mut none }));
                }
            }
        });
    }

    /// The same; results that came together come together.
    #[inline]
    pub fn drain_batches(&mut self, mut sink: impl FnMut(Batch<'_>)) {
        for arrival in self.arrived.drain(..) {
            let mut handles;
            sink(match arrival {
                Arrival::Returned { item, bytes } => {
                    handles = take_handles(&mut self.handles, item);
                    let bytes = Content::Lent(&self.bytes[bytes]);
                    Batch::One { item, ending: Ok(Encoding { bytes, handles: &mut handles }) }
                }
                Arrival::Long { item, bytes } => {
                    handles = take_handles(&mut self.handles, item);
                    let bytes = Content::Owned(bytes);
                    Batch::One { item, ending: Ok(Encoding { bytes, handles: &mut handles }) }
                }
                Arrival::Run { first, frames } => {
                    Batch::Run { first, payloads: Payloads { frames: &self.bytes[frames] } }
                }
                Arrival::Failed { item, error } => Batch::One { item, ending: Err(*error) },
            });
        }
        self.bytes.clear();
        self.handles.clear();
        self.items = 0;
    }

    /// The bytes and the descriptors of the only item's result, `None` if it was taken before.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    pub fn into_only(mut self) -> Option<Result<(Vec<u8>, Vec<Handle>), Error>> {
        match self.arrived.pop()? {
            Arrival::Returned { item, .. } => {
                let handles = take_handles(&mut self.handles, item);
                Some(Ok((self.bytes, handles)))
            }
            Arrival::Long { item, bytes } => Some(Ok((bytes, take_handles(&mut self.handles, item)))),
            Arrival::Failed { error, .. } => Some(Err(*error)),
            Arrival::Run { .. } => {
                never!("one item came in a run");
                None
            }
        }
    }
}

fn take_handles(handles: &mut HashMap<u64, Vec<Handle>>, item: u64) -> Vec<Handle> {
    if handles.is_empty() { Vec::new() } else { handles.remove(&item).unwrap_or_default() }
}

/// The only result of a job as its owner wants it.
pub fn decode_vec<R: DeserializeOwned>(
    bytes: Vec<u8>,
    mut handles: Vec<Handle>,
    task: &'static str,
) -> Result<R, Error> {
    decode(Encoding { bytes: Content::Owned(bytes), handles: &mut handles }, task, None)
}

/// A result without descriptors.
#[inline]
pub fn decode_plain<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, Error> {
    codec::decode_result(bytes).map_err(|error| undecodable::<R>(&error))
}

#[cold]
fn undecodable<R>(error: &codec::CodecError) -> Error {
    Error::result_undecodable(std::any::type_name::<R>(), &error.to_string())
}

/// A result as its owner wants it.
#[inline]
pub fn decode<R: DeserializeOwned>(
    Encoding { bytes, handles }: Encoding<'_>,
    task: &'static str,
    item: Option<u64>,
) -> Result<R, Error> {
    let decode = || match bytes {
        Content::Lent(bytes) => codec::decode_result(bytes),
        Content::Owned(bytes) => codec::decode_result_vec(bytes),
    };
    let decoded = if handles.is_empty() { decode() } else { providing(std::mem::take(handles), decode) };
    decoded.map_err(|error| {
        let error = undecodable::<R>(&error).for_task(task);
        match item {
            Some(item) => error.on_item(item),
            None => error,
        }
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn results_are_many_by_their_number_or_by_their_bytes() {
        for (len, many) in [(0, MANY_ITEMS), (8, MANY_ITEMS), (TAKEN_OVER_FROM, MANY_BYTES / TAKEN_OVER_FROM)]
        {
            let mut results = Results::default();
            for item in 0..many {
                assert!(!results.are_many(), "{item} of {len} bytes");
                results.arrive(item as u64, &mut vec![1; len], Vec::new());
            }
            assert!(results.are_many(), "{many} of {len} bytes");
            results.drain(|_, _| {});
            assert!(!results.are_many());
        }
    }

    #[test]
    fn long_results_become_values_without_a_copy() {
        let mut results = Results::default();
        let mut buffer = Vec::new();
        let mut places = Vec::new();
        for item in 0..3 {
            results.arrive(10 + item, &mut vec![item as u8; 3], Vec::new());
            buffer.resize(TAKEN_OVER_FROM + 1, item as u8);
            places.push(buffer.as_ptr());
            results.arrive(item, &mut buffer, Vec::new());
            assert!(buffer.is_empty());
        }
        assert_eq!(results.len(), 6);
        let mut arrived = Vec::new();
        results.drain(|item, ending| {
            arrived.push((item, decode::<Vec<u8>>(ending.expect("a value"), "task", None).expect("bytes")));
        });
        for (item, place) in (0..).zip(places) {
            let [(short_item, short), (long_item, long)] = [arrived.remove(0), arrived.remove(0)];
            assert_eq!((short_item, short), (10 + item, vec![item as u8; 3]));
            assert_eq!((long_item, long.as_ptr(), long.len()), (item, place, TAKEN_OVER_FROM + 1));
            assert!(long.iter().all(|&byte| byte == item as u8));
        }
        assert!(arrived.is_empty() && results.is_empty());
    }
}
