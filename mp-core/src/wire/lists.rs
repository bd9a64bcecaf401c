//! Lists of numbers, which serde would go through one by one, and text. All but [long lists of integers](super::packed) are as postcard
//! has them.

use super::bytes::{self, Raw, Room, Seen};
use super::packed::{self, Kind};
use super::spare;
use super::varint;
use crate::sys::memory::in_large_pages;
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use std::any::TypeId;
use std::fmt;

/// A list that is written at once.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    count: usize,
    /// How, if its numbers are integers of more than a byte.
    kind: Option<Kind>,
    memory: &'a [u8],
}

impl<'a> Run<'a> {
    /// Bytes, or text.
    #[inline]
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { count: bytes.len(), kind: None, memory: bytes }
    }

    #[inline]
    fn of<E: Raw>(numbers: &'a [E]) -> Self {
        Self { count: numbers.len(), kind: None, memory: bytes::raw(numbers) }
    }

    /// Writes what stands before the list.
    #[inline]
    pub fn put_head(&self, out: &mut Vec<u8>) {
        match self.kind {
            None => varint::put(self.count as u64, out),
            Some(kind) => kind.put_head(self.count, out),
        }
    }

    /// What is behind the head, if it is what the list has in memory.
    #[inline]
    pub fn as_it_lies(&self) -> Option<&'a [u8]> {
        self.kind.is_none_or(|kind| kind.is_whole(self.count, self.memory)).then_some(self.memory)
    }

    /// Writes the list.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let len = self.memory.len() + HEAD_MAX;
        if len > out.capacity() - out.len() {
            make_room(out, len);
        }
        self.put_head(out);
        match (self.kind, self.as_it_lies()) {
            (Some(kind), None) => kind.put_numbers(self.count, self.memory, out),
            _ => out.extend_from_slice(self.memory),
        }
    }
}

/// As long as a head gets.
const HEAD_MAX: usize = 16;

/// Room for a run, and for a little that comes behind it: to grow once more would copy it.
#[cold]
fn make_room(out: &mut Vec<u8>, len: usize) {
    out.reserve(len.saturating_add(len.min(4096)));
    in_large_pages(out.spare_capacity_mut());
}

/// A list of numbers, or text, that is written at once.
#[inline]
pub fn run_of<T: ?Sized>(list: &T) -> Option<Run<'_>> {
    run_in(Seen::new(list))
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn run_in(list: Seen<'_>) -> Option<Run<'_>> {
    #[cfg(target_endian = "little")]
    if let Some(floats) = list.items().map(Run::of::<f64>).or_else(|| list.items().map(Run::of::<f32>)) {
        return Some(floats);
    }
    if let Some(bytes) = list.items().or_else(|| list.text().map(str::as_bytes)) {
        return Some(Run::of_bytes(bytes));
    }
    if let Some(bytes) = list.items() {
        return Some(Run::of::<i8>(bytes));
    }
    packed::of(list).map(|(kind, count, memory)| Run { count, kind: Some(kind), memory })
}

/// Such a list from the front of `input`, for a visitor of serde's that would read one number by number, and what is behind it. None
/// for any other visitor; serde says what is wrong with bytes that are none.
#[inline]
pub fn take_for<V, T>(input: &[u8]) -> Option<(T, &[u8])> {
    let mut list = None;
    let behind = take(bytes::type_of::<V>(), input, Room::new(&mut list))?;
    Some((list?, behind))
}

/// Puts the list there; what is behind it.
#[cfg_attr(not(debug_assertions), inline(always))]
fn take<'i>(visitor: TypeId, input: &'i [u8], list: Room<'_>) -> Option<&'i [u8]> {
    macro_rules! first {
        ($($number:ident $copied:path)+) => {$(
            if Some(visitor) == reader_of::<$number>() {
                let (memory, behind) = memory_from::<$number>(input)?;
                list.put_list::<$number>($copied(memory));
                return Some(behind);
            }
        )+};
    }
    #[cfg(target_endian = "little")]
    first!(f64 bytes::from_raw f32 bytes::from_raw);
    first!(u8 spare::copied i8 bytes::from_raw);
    None
}

/// The memory of a list at the front of `input`, and what is behind it.
#[inline]
fn memory_from<E>(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = varint::take(input)?;
    let len = usize::try_from(count).ok()?.checked_mul(size_of::<E>())?;
    rest.split_at_checked(len)
}

/// What serde reads a `Vec<E>` with: every list of that type comes to a reader with it, whatever it is part of.
#[inline]
pub fn reader_of<E: DeserializeOwned>() -> Option<TypeId> {
    Vec::<E>::deserialize(Probe).err().map(|Visited(id)| id)
}

/// Reads nothing: it finds out who reads.
struct Probe;

/// The type of the visitor that came.
#[derive(Debug)]
struct Visited(TypeId);

impl<'de> Deserializer<'de> for Probe {
    type Error = Visited;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Visited> {
        Err(Visited(bytes::type_of::<V>()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl fmt::Display for Visited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was read")
    }
}

impl std::error::Error for Visited {}

impl de::Error for Visited {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(TypeId::of::<Probe>())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::codec::{decode, decode_front, encode, encode_out};
    use super::super::outgoing::{Outgoing, pieces};
    use super::*;
    use serde::Serialize;
    use std::fmt::Debug;

    /// What both ways of writing a list make of it.
    fn written<T: Serialize>(list: &T) -> Vec<u8> {
        let mut out = Vec::new();
        encode(list, &mut out).expect("numbers");
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        let mut outgoing = Outgoing::new(&mut bytes, &mut handles);
        encode_out(list, &mut outgoing).expect("numbers");
        let apart = outgoing.into_apart();
        assert_eq!(pieces(&bytes, &apart).collect::<Vec<_>>().concat(), out);
        out
    }

    /// There and back, in all forms, beside what postcard does.
    fn check<E: Serialize + DeserializeOwned + Clone + PartialEq + Debug + 'static>(numbers: &[E]) {
        let expected = postcard::to_allocvec(numbers).expect("numbers");
        let vec = numbers.to_vec();
        let boxed: Box<[E]> = numbers.into();
        for bytes in [written(&vec), written(&boxed), written(&numbers), written(&&vec), written(&&boxed)] {
            assert_eq!(bytes, expected);
        }
        assert_eq!(decode::<Vec<E>>(&expected).expect("what was written"), numbers);
        assert_eq!(*decode::<Box<[E]>>(&expected).expect("what was written"), *numbers);
        let more = [expected.as_slice(), &[7, 7]].concat();
        assert_eq!(decode_front::<Vec<E>>(&more).expect("what was written"), (vec, &[7, 7][..]));
        for len in 0..expected.len().min(40) {
            assert!(decode::<Vec<E>>(&expected[..len]).is_err(), "{len} of {} bytes", expected.len());
        }
    }

    #[test]
    fn lists_are_written_as_postcard_writes_them() {
        for len in [0, 1, 2, 127, 128, 20_000_u64] {
            let numbers = || (0..len).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            check(&numbers().map(|number| number as i8).collect::<Vec<i8>>());
            check(&numbers().map(|number| number as u8).collect::<Vec<u8>>());
            check(&numbers().map(|number| f64::from(number as u32) / 3.0).collect::<Vec<f64>>());
            check(&numbers().map(|number| f32::from(number as u16) / 3.0).collect::<Vec<f32>>());
            // By serde.
            check(&numbers().map(|number| number % 2 == 0).collect::<Vec<bool>>());
        }
        check(&[f64::INFINITY, -0.0, f64::MIN_POSITIVE]);
    }

    #[test]
    fn text_is_written_as_postcard_writes_it() {
        for text in ["", "a", "añb", &"añb".repeat(10_000)] {
            let expected = postcard::to_allocvec(text).expect("text");
            let (owned, boxed) = (text.to_owned(), Box::<str>::from(text));
            for bytes in [written(&owned), written(&boxed), written(&text), written(&&owned)] {
                assert_eq!(bytes, expected);
            }
            assert_eq!(decode::<String>(&expected).expect("text"), text);
            assert_eq!(decode::<&str>(&expected).expect("text"), text);
            let more = [expected.as_slice(), &[7, 7]].concat();
            assert_eq!(decode_front::<Box<str>>(&more).expect("text"), (boxed, &[7, 7][..]));
            for len in 0..expected.len().min(40) {
                assert!(decode::<String>(&expected[..len]).is_err(), "{len} of {} bytes", expected.len());
            }
        }
        assert!(decode::<String>(&[2, 0xff, 0xfe]).is_err());
    }

    #[test]
    fn all_bits_of_a_float_survive() {
        let bits = [0x7ff8_0000_dead_beef_u64, 0xfff0_0000_0000_0001, 1];
        let mut bytes = Vec::new();
        encode(&bits.map(f64::from_bits).to_vec(), &mut bytes).expect("numbers");
        let back = decode::<Vec<f64>>(&bytes).expect("numbers");
        assert_eq!(back.into_iter().map(f64::to_bits).collect::<Vec<_>>(), bits);
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        let mut bytes = Vec::new();
        varint::put(1 << 50, &mut bytes);
        bytes.extend([1; 32]);
        assert!(decode::<Vec<f64>>(&bytes).is_err() && decode::<Vec<i8>>(&bytes).is_err());
        assert!(decode::<String>(&bytes).is_err());
    }
}
