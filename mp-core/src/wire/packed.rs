//! Long lists of integers. All numbers of a list take as many bytes as the widest of them, so that they are copied, and not computed
//! one by one: null suppression with a width for each list (Abadi, Madden, Ferreira, "Integrating compression and execution in
//! column-oriented database systems", 2006). Short lists, and those that are no slice, are as postcard has them.
//!
//! Such a list is [`MARK`], its [`Kind`], a varint of how many numbers there are, and the numbers, the lowest byte of each first.

use super::bytes::{self, Raw, Room, Seen};
use super::lists::reader_of;
use super::reader::{ended, too_large};
use super::refusal::Refusal;
use super::varint;
use crate::sys::memory::in_large_pages;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;
use std::any::TypeId;
use std::slice::{ChunksExact, Iter};

/// What no other list begins with: a length of zero that has a byte too many.
const MARK: [u8; 2] = [0x80, 0];

/// Lists of fewer numbers gain nothing.
const LEAST: usize = 32;

/// How the numbers of a list are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// How many bytes each has: 1, 2, 4 or 8.
    width: usize,
    /// Whether the highest bit is a sign.
    signed: bool,
}

impl Kind {
    /// Beside the width.
    const SIGNED: u8 = 0x10;

    fn of(byte: u8) -> Option<Self> {
        let width = byte & !Self::SIGNED;
        matches!(width, 1 | 2 | 4 | 8).then(|| Self { width: width.into(), signed: byte & Self::SIGNED != 0 })
    }

    /// What stands before so many numbers.
    #[inline]
    pub fn put_head(self, count: usize, out: &mut Vec<u8>) {
        let sign = if self.signed { Self::SIGNED } else { 0 };
        out.extend_from_slice(&[MARK[0], MARK[1], self.width as u8 | sign]);
        varint::put(count as u64, out);
    }

    /// Appends the numbers with this memory.
    pub fn put_numbers(self, count: usize, memory: &[u8], out: &mut Vec<u8>) {
        match (memory.len() / count, self.width) {
            (8, 4) => put_lowest::<8, 4>(memory, out),
            (8, 2) => put_lowest::<8, 2>(memory, out),
            (8, 1) => put_lowest::<8, 1>(memory, out),
            (4, 2) => put_lowest::<4, 2>(memory, out),
            (4, 1) => put_lowest::<4, 1>(memory, out),
            (2, 1) => put_lowest::<2, 1>(memory, out),
            _ => out.extend_from_slice(memory),
        }
    }

    /// Whether numbers with this memory are written as they lie there.
    #[inline]
    pub fn is_whole(self, count: usize, memory: &[u8]) -> bool {
        count * self.width == memory.len()
    }
}

/// Of each `SIZE` bytes the first `WIDTH`.
fn put_lowest<const SIZE: usize, const WIDTH: usize>(memory: &[u8], out: &mut Vec<u8>) {
    let (numbers, _) = memory.as_chunks::<SIZE>();
    let before = out.len();
    out.resize(before + numbers.len() * WIDTH, 0);
    let (places, _) = out[before..].as_chunks_mut::<WIDTH>();
    for (place, number) in places.iter_mut().zip(numbers) {
        place.copy_from_slice(&number[..WIDTH]);
    }
}

/// A long list of integers: its numbers, how many they are, and their memory.
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn of(list: Seen<'_>) -> Option<(Kind, usize, &[u8])> {
    #[inline]
    fn of<E: Integer>(numbers: &[E]) -> Option<(Kind, usize, &[u8])> {
        let kind = || Kind { width: E::width(numbers), signed: E::SIGNED };
        (numbers.len() >= LEAST).then(|| (kind(), numbers.len(), bytes::raw(numbers)))
    }
    macro_rules! first {
        ($($number:ident)+) => {
            $(if let Some(numbers) = list.items::<$number>() { return of(numbers); })+
        };
    }
    if cfg!(target_endian = "little") {
        first!(u64 u32 u16 usize i64 i32 i16 isize);
    }
    None
}

/// What has lists that are written so.
trait Integer: Raw + DeserializeOwned {
    const SIGNED: bool;

    /// How many bytes the widest of the numbers needs: 1, 2, 4 or 8.
    fn width(numbers: &[Self]) -> usize;

    /// The numbers in `memory`, which have `width` bytes, but no more than this type has.
    fn list(memory: &[u8], width: usize) -> Vec<Self>;
}

/// So many numbers are looked at before it is asked whether one of them needs all bytes.
const BLOCK: usize = 256;

/// The last of each line is what must have room: a number itself, or, if it is negative, its complement, and a bit for the sign.
macro_rules! integers {
    ($($number:ident $unsigned:ident $signed:literal $one:ident $two:ident $four:ident $eight:ident $bits:expr;)+) => {$(
        #[allow(clippy::cast_lossless, clippy::cast_possible_wrap, trivial_numeric_casts)] // some casts do nothing
        impl Integer for $number {
            const SIGNED: bool = $signed;

            #[inline]
            fn width(numbers: &[Self]) -> usize {
                let bits: fn($number) -> $unsigned = $bits;
                let mut all: $unsigned = 0;
                for block in numbers.chunks(BLOCK) {
                    all = block.iter().fold(all, |all, number| all | bits(*number));
                    if all > $unsigned::MAX >> ($unsigned::BITS / 2) {
                        return size_of::<Self>();
                    }
                }
                let bits = $unsigned::BITS - all.leading_zeros();
                (bits as usize).div_ceil(8).next_power_of_two()
            }

            fn list(memory: &[u8], width: usize) -> Vec<Self> {
                match width {
                    1 => collected(memory, |bytes| $one::from_le_bytes(*bytes) as Self),
                    2 => collected(memory, |bytes| $two::from_le_bytes(*bytes) as Self),
                    4 => collected(memory, |bytes| $four::from_le_bytes(*bytes) as Self),
                    _ => collected(memory, |bytes| $eight::from_le_bytes(*bytes) as Self),
                }
            }
        }
    )+};
}

integers! {
    u16 u16 false u8 u16 u32 u64 |number| number;
    u32 u32 false u8 u16 u32 u64 |number| number;
    u64 u64 false u8 u16 u32 u64 |number| number;
    usize usize false u8 u16 u32 u64 |number| number;
    i16 u16 true i8 i16 i32 i64 |number| (number << 1 ^ number >> 15).cast_unsigned();
    i32 u32 true i8 i16 i32 i64 |number| (number << 1 ^ number >> 31).cast_unsigned();
    i64 u64 true i8 i16 i32 i64 |number| (number << 1 ^ number >> 63).cast_unsigned();
    isize usize true i8 i16 i32 i64 |number| (number << 1 ^ number >> (isize::BITS - 1)).cast_unsigned();
}

fn collected<const WIDTH: usize, E>(memory: &[u8], number: impl Fn(&[u8; WIDTH]) -> E) -> Vec<E> {
    let (numbers, _) = memory.as_chunks();
    let mut list = Vec::with_capacity(numbers.len());
    in_large_pages(list.spare_capacity_mut());
    list.extend(numbers.iter().map(number));
    list
}

/// Whether the list at the front of `input` is one of these.
#[inline]
pub fn is_next(input: &[u8]) -> bool {
    input.starts_with(&MARK)
}

/// Reads such a list, for whom it is.
pub fn read<'de, V: Visitor<'de>>(input: &mut Iter<'de, u8>, visitor: V) -> Result<V::Value, Refusal> {
    let (kind, memory, rest) = taken(input.as_slice())?;
    *input = rest.iter();
    match list_for::<V, V::Value>(kind, memory) {
        Some(list) => Ok(list),
        None => {
            visitor.visit_seq(Numbers { signed: kind.signed, left: memory.chunks_exact(kind.width), read: 0 })
        }
    }
}

/// The numbers at the front of `input`, and what is behind them.
fn taken(input: &[u8]) -> Result<(Kind, &[u8], &[u8]), Refusal> {
    let (kind, rest) = input[MARK.len()..].split_first().ok_or_else(ended)?;
    let unknown = || Refusal::of_format(format_args!("integers of the unknown kind {kind}"));
    let kind = Kind::of(*kind).ok_or_else(unknown)?;
    let (count, rest) = varint::take(rest).ok_or_else(ended)?;
    let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(kind.width));
    let (memory, rest) = len.and_then(|len| rest.split_at_checked(len)).ok_or_else(ended)?;
    Ok((kind, memory, rest))
}

/// The whole list, for a visitor of serde's that would take one number after the other.
#[inline]
fn list_for<V, T>(kind: Kind, memory: &[u8]) -> Option<T> {
    let mut list = None;
    put_list(bytes::type_of::<V>(), kind, memory, Room::new(&mut list))?;
    list
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn put_list(visitor: TypeId, kind: Kind, memory: &[u8], list: Room<'_>) -> Option<()> {
    macro_rules! first {
        ($($number:ident)+) => {
            $(if Some(visitor) == reader_of::<$number>() { return Some(list.put_list(list_of::<$number>(kind, memory)?)); })+
        };
    }
    first!(u64 u32 u16 usize i64 i32 i16 isize);
    None
}

fn list_of<E: Integer>(kind: Kind, memory: &[u8]) -> Option<Vec<E>> {
    let fits = kind.signed == E::SIGNED && kind.width <= size_of::<E>();
    fits.then(|| E::list(memory, kind.width))
}

/// The numbers one after the other, for anybody else.
struct Numbers<'de> {
    signed: bool,
    left: ChunksExact<'de, u8>,
    read: usize,
}

impl<'de> de::SeqAccess<'de> for Numbers<'de> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        let Some(bytes) = self.left.next() else { return Ok(None) };
        let index = self.read;
        self.read += 1;
        let number = Number::of(bytes, self.signed);
        seed.deserialize(number).map(Some).map_err(|refusal| refusal.within_item(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// One number.
#[derive(Clone, Copy)]
enum Number {
    Signed(i64),
    Unsigned(u64),
}

impl Number {
    fn of(bytes: &[u8], signed: bool) -> Self {
        let negative = signed && bytes.last().is_some_and(|last| *last >= 0x80);
        let mut all = [if negative { 0xff } else { 0 }; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        if signed { Self::Signed(i64::from_le_bytes(all)) } else { Self::Unsigned(u64::from_le_bytes(all)) }
    }

    fn to<T: TryFrom<i64> + TryFrom<u64>>(self) -> Result<T, Refusal> {
        match self {
            Self::Signed(number) => T::try_from(number).map_err(|_| too_large()),
            Self::Unsigned(number) => T::try_from(number).map_err(|_| too_large()),
        }
    }
}

macro_rules! read {
    ($($method:ident $visit:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            visitor.$visit(self.to()?)
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Number {
    type Error = Refusal;

    read! {
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
        deserialize_u128 visit_u128
        deserialize_i8 visit_i8
        deserialize_i16 visit_i16
        deserialize_i32 visit_i32
        deserialize_i64 visit_i64
        deserialize_i128 visit_i128
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(Refusal::of_format("a list of integers was written, and a list of something else is read"))
    }

    forward_to_deserialize_any! {
        bool f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

#[cfg(all(test, not(loom)))]
#[path = "packed_tests.rs"]
mod tests;
