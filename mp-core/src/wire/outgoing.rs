//! Encoded arguments on their way out. Long runs of bytes stay with the caller until they are copied to where the worker reads
//! them: a copy in between costs more than all the rest, for the pages it touches first.

use super::handles;
use crate::limits;
use crate::sys::Handle;

/// Runs of bytes and the places where they belong among the bytes that were written.
pub type Apart<'a> = Vec<(usize, &'a [u8])>;

/// Where arguments are written. `'a` is how long the caller's own bytes stay.
#[derive(Debug)]
pub struct Outgoing<'o, 'a> {
    bytes: &'o mut Vec<u8>,
    handles: &'o mut Vec<Handle>,
    start: usize,
    apart: Apart<'a>,
    apart_from: usize,
}

impl<'o, 'a> Outgoing<'o, 'a> {
    /// Appends to `bytes` all but long runs, and to `handles` what goes beside the bytes.
    #[inline]
    pub fn new(bytes: &'o mut Vec<u8>, handles: &'o mut Vec<Handle>) -> Self {
        Self::with_runs_from(limits::INLINE_BYTES_MAX, bytes, handles)
    }

    /// The same, where runs are long from `apart_from` on.
    #[inline]
    pub fn with_runs_from(apart_from: usize, bytes: &'o mut Vec<u8>, handles: &'o mut Vec<Handle>) -> Self {
        Self { start: bytes.len(), bytes, handles, apart: Vec::new(), apart_from }
    }

    /// Appends everything to `bytes`, and to `handles` what goes beside them.
    pub fn whole(bytes: &'o mut Vec<u8>, handles: &'o mut Vec<Handle>) -> Self {
        Self { apart_from: usize::MAX, ..Self::new(bytes, handles) }
    }

    /// Where what cannot be a run is appended.
    #[inline]
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        self.bytes
    }

    /// The same, and where handles are appended.
    #[inline]
    pub fn parts(&mut self) -> (&mut Vec<u8>, &mut Vec<Handle>) {
        (self.bytes, self.handles)
    }

    /// All is written, or will not be: what was to leave this process with it [goes or stays](handles::settle).
    #[inline]
    pub fn settle(&self, goes: bool) {
        if !goes || !self.handles.is_empty() {
            handles::settle(goes);
        }
    }

    /// Appends a run.
    pub fn run(&mut self, run: &'a [u8]) {
        if run.len() < self.apart_from {
            self.bytes.extend_from_slice(run);
        } else {
            self.apart.push((self.bytes.len() - self.start, run));
        }
    }

    /// Whether everything was appended.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.apart.is_empty()
    }

    /// The runs that were not appended; their places count from where this began to write.
    #[inline]
    pub fn into_apart(self) -> Apart<'a> {
        self.apart
    }
}

/// What was written and what was not, in order.
pub fn pieces<'p>(bytes: &'p [u8], apart: &'p Apart<'_>) -> impl Iterator<Item = &'p [u8]> {
    let mut from = 0;
    let runs = apart.iter().flat_map(move |&(place, run)| {
        let before = &bytes[from..place];
        from = place;
        [before, run]
    });
    let last = apart.last().map_or(0, |&(place, _)| place);
    runs.chain([&bytes[last..]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_stay_apart_and_come_in_their_place() {
        let long = vec![7; limits::INLINE_BYTES_MAX];
        let mut bytes = b"before".to_vec();
        let mut handles = Vec::new();
        let mut out = Outgoing::new(&mut bytes, &mut handles);
        out.run(b"a");
        out.run(&long);
        out.run(&long);
        out.bytes().push(b'b');
        let apart = out.into_apart();
        assert_eq!((bytes.as_slice(), apart.len()), (&b"beforeab"[..], 2));
        let all: Vec<u8> = pieces(&bytes[6..], &apart).flatten().copied().collect();
        assert_eq!(all, [b"a", long.as_slice(), &long, b"b"].concat());

        let mut bytes = Vec::new();
        let mut out = Outgoing::whole(&mut bytes, &mut handles);
        out.run(&long);
        assert!(out.into_apart().is_empty());
        assert_eq!(bytes, long);
    }
}
