//! Lists of floats and of bytes, which serde would go through one by one, and text. What is written is what postcard writes.

use super::bytes::{self, Raw};
use super::varint;

/// A list whose numbers are written as they lie in memory, or text: how many there are, and that memory.
#[inline]
pub fn memory_of<T: ?Sized>(list: &T) -> Option<(usize, &[u8])> {
    fn of<E: Raw, T: ?Sized>(list: &T) -> Option<(usize, &[u8])> {
        bytes::items::<E, T>(list).map(|numbers| (numbers.len(), bytes::raw(numbers)))
    }
    #[cfg(target_endian = "little")]
    if let Some(floats) = of::<f64, T>(list).or_else(|| of::<f32, T>(list)) {
        return Some(floats);
    }
    let text = || bytes::text(list).map(|text| (text.len(), text.as_bytes()));
    of::<u8, T>(list).or_else(|| of::<i8, T>(list)).or_else(text)
}

/// Such a list or text from the front of `input`, and what is behind it. None for any other type; serde says what is wrong with bytes
/// that are none.
#[inline]
pub fn take<T>(input: &[u8]) -> Option<(T, &[u8])> {
    #[cfg(target_endian = "little")]
    if let Some(floats) = take_raw::<f64, T>(input).or_else(|| take_raw::<f32, T>(input)) {
        return Some(floats);
    }
    if bytes::is_text::<T>() {
        return take_text(input);
    }
    take_raw::<i8, T>(input)
}

#[inline]
fn take_raw<E: Raw, T>(input: &[u8]) -> Option<(T, &[u8])> {
    if !bytes::is_list_of::<E, T>() {
        return None;
    }
    let (count, rest) = varint::take(input)?;
    let len = usize::try_from(count).ok()?.checked_mul(size_of::<E>())?;
    let (memory, behind) = rest.split_at_checked(len)?;
    Some((bytes::into(bytes::from_raw::<E>(memory)).ok()?, behind))
}

#[inline]
fn take_text<T>(input: &[u8]) -> Option<(T, &[u8])> {
    let (len, rest) = varint::take(input)?;
    let (text, behind) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some((bytes::into_text(str::from_utf8(text).ok()?.into()).ok()?, behind))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::codec::{decode, decode_front, encode, encode_out};
    use super::super::outgoing::{Outgoing, pieces};
    use super::*;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
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
            check(&numbers().collect::<Vec<u64>>());
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
