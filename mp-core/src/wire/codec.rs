//! The wire format, that of [postcard](https://postcard.jamesmunns.com/wire-format) but for [long lists of integers](super::packed), behind
//! these functions only.

use super::bytes::{self, Seen};
use super::handles::collecting_into;
use super::lists;
use super::outgoing::Outgoing;
use super::reader;
use super::spare;
use super::varint::{self, Short};
use super::writer;
use crate::sys::Handle;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a value could not be written or read.
#[derive(Debug)]
pub struct CodecError(String);

/// What to do about a type that the wire format cannot carry.
const WAY_OUT: &str = " (the wire format is postcard, which does not say what its bytes are: serde's `flatten`, `untagged` and \
                       `tag`, and what is skipped by the writing or the reading side alone do not work with it; send a plain \
                       struct or enum, or a string or bytes that you encode yourself)";

impl CodecError {
    /// The format cannot carry the type, or its two sides disagree.
    pub(super) fn of_format(reason: impl fmt::Display) -> Self {
        Self(format!("{reason}{WAY_OUT}"))
    }

    /// The code of the type says so.
    pub(super) fn of_type(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }

    /// It is about a part of the value.
    pub(super) fn at(self, path: &str) -> Self {
        Self(format!("at `{path}`: {}", self.0))
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends `value` to `out`. On an error `out` is as long as before.
#[inline]
pub fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    if encode_plain(value, out) { Ok(()) } else { writer::write(value, out) }
}

/// As [`encode`]; the handles of the value are appended to `handles`.
#[inline]
pub fn encode_with<T: Serialize>(
    value: &T,
    out: &mut Vec<u8>,
    handles: &mut Vec<Handle>,
) -> Result<(), CodecError> {
    // What is plain has none: nothing is set up for them.
    if encode_plain(value, out) {
        return Ok(());
    }
    collecting_into(handles, || writer::write(value, out))
}

/// Appends `value` if its type is one of those that need no serde; whether it is.
#[inline]
fn encode_plain<T>(value: &T, out: &mut Vec<u8>) -> bool {
    if let Some(run) = lists::run_of(value) {
        run.append_to(out);
        return true;
    }
    if let Some(number) = bytes::varint_of(value) {
        varint::put(number, out);
        return true;
    }
    false
}

/// As [`encode_with`].
#[inline]
pub fn encode_into<T: Serialize>(value: &T, out: &mut Outgoing<'_, '_>) -> Result<(), CodecError> {
    let (bytes, handles) = out.parts();
    encode_with(value, bytes, handles)
}

/// As [`encode_with`]; long runs of bytes may stay where they are.
#[inline]
pub fn encode_out<'a, T: Serialize>(value: &'a T, out: &mut Outgoing<'_, 'a>) -> Result<(), CodecError> {
    let Some(run) = lists::run_of(value) else { return encode_into(value, out) };
    match run.as_it_lies() {
        Some(memory) => {
            run.put_head(out.bytes());
            out.run(memory);
        }
        None => run.append_to(out.bytes()),
    }
    Ok(())
}

/// Reads a value from the front of `bytes` and says what is left.
#[inline]
pub fn decode_front<'de, T: Deserialize<'de>>(input: &'de [u8]) -> Result<(T, &'de [u8]), CodecError> {
    if let Some(number) = decode_number(input) { Ok(number) } else { reader::read(input) }
}

/// The same, if it is a number of few bytes.
#[inline]
pub fn decode_number<T>(input: &[u8]) -> Option<(T, &[u8])> {
    if !bytes::is_varint::<T>() {
        return None;
    }
    let (number, rest) = varint::take(input)?;
    Some((bytes::from_varint(number)?, rest))
}

/// Reads a vector of bytes from the front of `len` bytes while they are written, if `T` is one. `part(from, least)` waits until so
/// many bytes are there, or all, and returns what is there from `from` on. Says also how many bytes were read.
pub fn decode_arriving<'de, T>(len: usize, part: impl Fn(usize, usize) -> &'de [u8]) -> Option<(T, usize)> {
    if !bytes::is_owned::<T>() {
        return None;
    }
    let front = part(0, varint::BYTES_MAX);
    let (content, rest) = varint::take(front)?;
    let start = front.len() - rest.len();
    let end = start.checked_add(usize::try_from(content).ok()?).filter(|&end| end <= len)?;
    let mut copy = spare::with_room(end - start);
    while start + copy.len() < end {
        let at = start + copy.len();
        let there = part(at, 1);
        copy.extend_from_slice(there.get(..end - at).unwrap_or(there));
        if there.is_empty() {
            return None;
        }
    }
    Some((bytes::into(copy)?, end))
}

/// Reads a value that fills `bytes` to the last byte.
#[inline]
pub fn decode<'de, T: Deserialize<'de>>(input: &'de [u8]) -> Result<T, CodecError> {
    let (value, rest) = decode_front(input)?;
    refuse_rest(rest)?;
    Ok(value)
}

/// A result that is a number of a few bytes: what [`encode_result`] would write.
#[inline]
pub fn encode_short<T>(value: &T) -> Option<Short> {
    bytes::varint_of(value).and_then(Short::of)
}

/// Reads what [`encode_short`] made of a value; `None` for what it did not make.
#[inline]
pub fn decode_short<T>(short: Short) -> Option<T> {
    if bytes::is_varint::<T>() { short.number().and_then(bytes::from_varint) } else { None }
}

/// Whether there is a run in `value` that [`encode_result`] sets apart where it is longer than `max`.
#[inline]
pub fn has_run_over<T>(max: usize, value: &T) -> bool {
    lists::run_of(value).and_then(|run| run.as_it_lies()).is_some_and(|memory| memory.len() > max)
}

/// What [`encode_result`] writes, all of it into `out`; the handles of the value are appended to `handles`.
#[inline]
pub fn encode_result_with<T: Serialize>(
    value: &T,
    out: &mut Vec<u8>,
    handles: &mut Vec<Handle>,
) -> Result<(), CodecError> {
    match alone(value) {
        Some(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        None => encode_with(value, out, handles),
    }
}

/// What needs no length, as it ends where all ends: owned bytes, owned text.
#[inline]
fn alone<T>(value: &T) -> Option<&[u8]> {
    if bytes::is_owned::<T>() {
        Seen::new(value).items()
    } else if bytes::is_text::<T>() {
        Seen::new(value).text().map(str::as_bytes)
    } else {
        None
    }
}

/// Writes a result. It ends where its bytes end, so that a `Vec<u8>`, a `String` or a box of them is itself and needs no length.
#[inline]
pub fn encode_result<'a, T: Serialize>(value: &'a T, out: &mut Outgoing<'_, 'a>) -> Result<(), CodecError> {
    match alone(value) {
        Some(bytes) => {
            out.run(bytes);
            Ok(())
        }
        None => encode_out(value, out),
    }
}

/// Reads what [`encode_result`] wrote.
#[inline]
pub fn decode_result<T: DeserializeOwned>(input: &[u8]) -> Result<T, CodecError> {
    if bytes::is_owned::<T>() {
        decode_result_vec(spare::copied(input))
    } else if bytes::is_text::<T>() {
        decode_result_vec(input.to_vec())
    } else {
        decode(input)
    }
}

/// As [`decode_result`]; the vector becomes the value if it can.
pub fn decode_result_vec<T: DeserializeOwned>(input: Vec<u8>) -> Result<T, CodecError> {
    if bytes::is_text::<T>() {
        let text = String::from_utf8(input)
            .map_err(|error| CodecError::of_type(format_args!("the text is not text: {error}")))?;
        return bytes::into_text(text).ok_or_else(|| CodecError::of_type("the text is of another type"));
    }
    if bytes::is_owned::<T>() {
        return bytes::into(input).ok_or_else(|| CodecError::of_type("the bytes are of another type"));
    }
    let decoded = decode(&input);
    spare::leave_received(input);
    decoded
}

/// Bytes that nobody read mean that the two sides disagree about the type.
#[inline]
pub fn refuse_rest(rest: &[u8]) -> Result<(), CodecError> {
    if rest.is_empty() { Ok(()) } else { Err(left_over(rest)) }
}

fn left_over(rest: &[u8]) -> CodecError {
    CodecError::of_format(format_args!("{} bytes were left over", rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_at_once_are_the_bytes_one_by_one() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|number: u32| number as u8).collect();
            let mut at_once = Vec::new();
            encode(&bytes, &mut at_once).unwrap();
            assert_eq!(at_once, postcard::to_allocvec(&bytes).unwrap(), "{len} bytes");
            assert_eq!(decode::<Vec<u8>>(&at_once).unwrap(), bytes);
            assert_eq!(decode::<&[u8]>(&at_once).unwrap(), bytes);
            let boxed = bytes.into_boxed_slice();
            let mut in_a_box = Vec::new();
            encode(&boxed, &mut in_a_box).unwrap();
            assert_eq!(in_a_box, at_once);
            assert_eq!(decode::<Box<[u8]>>(&in_a_box).unwrap(), boxed);
        }
    }

    #[test]
    fn bytes_are_read_while_they_arrive() {
        let content: Vec<u8> = (0..1000_u32).map(|number| number as u8).collect();
        let mut whole = Vec::new();
        encode(&content, &mut whole).unwrap();
        let used = whole.len();
        encode(&7_u32, &mut whole).unwrap();
        // As little as may be, and more.
        for more in [0, 1, 100, 2000] {
            let part = |from: usize, least: usize| &whole[from..(from + least + more).min(whole.len())];
            assert_eq!(decode_arriving::<Vec<u8>>(whole.len(), part), Some((content.clone(), used)));
            assert_eq!(decode_arriving::<Box<[u8]>>(whole.len(), part).unwrap().0[..], content);
            assert_eq!(decode_arriving::<&[u8]>(whole.len(), part), None, "it stays where it is");
            assert_eq!(decode_arriving::<Vec<u8>>(used - 1, part), None, "a length that is beyond the end");
        }
        assert_eq!(decode_arriving::<Vec<u8>>(used, |_, _| &[]), None);
    }

    #[test]
    fn what_is_left_over_is_refused() {
        assert!(decode::<u8>(&[1, 2]).unwrap_err().to_string().contains("1 bytes"));
        assert!(decode::<Vec<u8>>(&[3, 1, 2]).is_err());
        assert!(decode_result_vec::<Vec<String>>(vec![0, 1, 2]).is_err());
        assert!(decode_result::<u8>(&[1, 2]).unwrap_err().to_string().contains("1 bytes"));
    }

    #[test]
    fn a_result_of_bytes_or_text_is_itself() {
        fn written<T: Serialize>(value: &T) -> Vec<u8> {
            let (mut bytes, mut at_once) = (Vec::new(), Vec::new());
            encode_result(value, &mut Outgoing::new(&mut bytes, &mut Vec::new())).unwrap();
            encode_result_with(value, &mut at_once, &mut Vec::new()).unwrap();
            assert_eq!(at_once, bytes);
            bytes
        }
        for text in ["", "a", "añb"] {
            assert_eq!(written(&text.to_owned()), text.as_bytes());
            assert_eq!(written(&Box::<str>::from(text)), text.as_bytes());
            assert_eq!(decode_result::<String>(text.as_bytes()).unwrap(), text);
            assert_eq!(*decode_result::<Box<str>>(text.as_bytes()).unwrap(), *text);
            let bytes = text.as_bytes().to_vec();
            let place = bytes.as_ptr();
            let back: String = decode_result_vec(bytes).unwrap();
            assert_eq!((back.as_str(), back.as_ptr()), (text, place), "moved");
        }
        let refused = decode_result::<String>(&[0xff]).unwrap_err().to_string();
        assert!(refused.contains("utf-8"), "{refused}");
        for bytes in [vec![], vec![200], vec![1, 2, 3]] {
            assert_eq!(written(&bytes), bytes);
            assert_eq!(decode_result::<Vec<u8>>(&bytes).unwrap(), bytes);
            let boxed: Box<[u8]> = bytes.clone().into();
            assert_eq!(written(&boxed), bytes);
            assert_eq!(decode_result::<Box<[u8]>>(&bytes).unwrap(), boxed);
            assert_eq!(decode_result_vec::<Box<[u8]>>(bytes.clone()).unwrap(), boxed);
            let place = bytes.as_ptr();
            let back: Vec<u8> = decode_result_vec(bytes).unwrap();
            assert_eq!(back.as_ptr(), place, "moved");
        }
        let mut bytes = Vec::new();
        encode_result(&(9_u8, vec![1_u8, 2]), &mut Outgoing::new(&mut bytes, &mut Vec::new())).unwrap();
        assert_eq!(decode_result::<(u8, Vec<u8>)>(&bytes).unwrap(), (9, vec![1, 2]));
        assert_eq!(decode_result_vec::<(u8, Vec<u8>)>(bytes).unwrap(), (9, vec![1, 2]));
    }
}
