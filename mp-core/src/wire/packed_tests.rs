use super::super::codec::{decode, decode_front, encode, encode_out};
use super::super::outgoing::{Outgoing, pieces};
use super::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;

/// What both ways of writing a value make of it, and as a part of another.
fn written<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, &mut out).expect("numbers");
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    let mut outgoing = Outgoing::new(&mut bytes, &mut handles);
    encode_out(value, &mut outgoing).expect("numbers");
    let apart = outgoing.into_apart();
    assert_eq!(pieces(&bytes, &apart).collect::<Vec<_>>().concat(), out);
    let mut within = Vec::new();
    encode(&(1_u8, value), &mut within).expect("numbers");
    assert_eq!(within[1..], out);
    out
}

/// There and back in all forms, `width` bytes for each number.
#[track_caller]
fn check<E: Serialize + DeserializeOwned + Copy + PartialEq + Debug + 'static>(numbers: &[E], width: usize) {
    let vec = numbers.to_vec();
    let bytes = written(&vec);
    if cfg!(target_endian = "little") {
        assert!(is_next(&bytes), "{numbers:?}");
        let head = bytes.len() - numbers.len() * width;
        assert!((4..8).contains(&head), "{} bytes for {numbers:?}", bytes.len());
    }
    let boxed: Box<[E]> = numbers.into();
    for other in [written(&boxed), written(&numbers), written(&&vec)] {
        assert_eq!(other, bytes);
    }
    assert_eq!(decode::<Vec<E>>(&bytes).expect("what was written"), numbers);
    assert_eq!(*decode::<Box<[E]>>(&bytes).expect("what was written"), *numbers);
    // By a visitor that takes one after the other.
    assert_eq!(decode::<VecDeque<E>>(&bytes).expect("what was written"), numbers);
    let more = [&bytes[..], &[7, 7]].concat();
    assert_eq!(decode_front::<Vec<E>>(&more).expect("what was written"), (vec, &[7, 7][..]));
    for len in 0..bytes.len().min(80) {
        let refused = decode::<Vec<E>>(&bytes[..len]).expect_err("it is cut off").to_string();
        assert!(refused.contains("the bytes end too early"), "{len} of {}: {refused}", bytes.len());
    }
}

macro_rules! check_all {
    ($($number:ident)+) => {$({
        const SIZE: u32 = size_of::<$number>() as u32;
        for count in [LEAST, 127, 128, BLOCK, BLOCK + 1, 2_000] {
            for width in [1, 2, 4, 8].into_iter().filter(|width| *width <= SIZE) {
                // The largest and the smallest that have that width, anywhere among others.
                let (max, min) = ($number::MAX >> (8 * (SIZE - width)), $number::MIN >> (8 * (SIZE - width)));
                for at in [0, count / 2, count - 1] {
                    for wide in [max, if min == 0 { max } else { min }] {
                        let mut numbers: Vec<$number> = (0..100).cycle().take(count).collect();
                        numbers[at] = wide;
                        check(&numbers, width as usize);
                    }
                }
                // One more than fits.
                if width < SIZE {
                    for wide in [max + 1, if min == 0 { max + 1 } else { min - 1 }] {
                        let mut numbers = vec![0; count];
                        numbers[count - 1] = wide;
                        check(&numbers, 2 * width as usize);
                    }
                }
            }
        }
        check::<$number>(&[0; LEAST], 1);
        let short: Vec<$number> = vec![$number::MAX; LEAST - 1];
        assert_eq!(written(&short), postcard::to_allocvec(&short).expect("numbers"));
    })+};
}

#[test]
fn lists_of_integers_take_as_many_bytes_for_each_as_the_widest_needs() {
    check_all!(u16 u32 u64 usize i16 i32 i64 isize);
}

#[test]
fn what_is_no_slice_of_integers_is_written_as_postcard_writes_it() {
    let deque: VecDeque<u64> = (0..1000).collect();
    assert_eq!(written(&deque), postcard::to_allocvec(&deque).expect("numbers"));
    let wide = [1_u128 << 90; 50].to_vec();
    assert_eq!(written(&wide), postcard::to_allocvec(&wide).expect("numbers"));
    let pairs = [(1_u32, 2_u64); 50].to_vec();
    assert_eq!(written(&pairs), postcard::to_allocvec(&pairs).expect("numbers"));
    assert_eq!(deque, decode::<Vec<u64>>(&written(&deque)).expect("numbers"));
}

/// Whether this is what a value of the type asks for first.
fn is_read_at_once<T: DeserializeOwned>(kind: Kind) -> bool {
    struct Ask(Kind);
    impl<'de> de::Deserializer<'de> for Ask {
        type Error = de::value::Error;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("no list"))
        }
        fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            list_for::<V, V::Value>(self.0, &[0; 64]).ok_or_else(|| de::Error::custom("one by one"))
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    T::deserialize(Ask(kind)).is_ok()
}

#[test]
fn a_list_is_read_at_once_if_its_numbers_fit_by_their_width() {
    let (byte, word) = (Kind { width: 1, signed: false }, Kind { width: 8, signed: false });
    assert!(is_read_at_once::<Vec<u64>>(byte) && is_read_at_once::<Vec<u64>>(word));
    assert!(is_read_at_once::<Box<[u16]>>(byte) && is_read_at_once::<Box<[usize]>>(byte));
    assert!(!is_read_at_once::<Vec<u32>>(word) && !is_read_at_once::<Vec<i64>>(byte));
    let signed = Kind { width: 4, signed: true };
    assert!(is_read_at_once::<Vec<i32>>(signed) && is_read_at_once::<Vec<i64>>(signed));
    assert!(!is_read_at_once::<Vec<i16>>(signed) && !is_read_at_once::<Vec<u32>>(signed));
    assert!(!is_read_at_once::<Vec<Id>>(word) && !is_read_at_once::<VecDeque<u64>>(word));
}

/// A number under a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Id(u64);

#[test]
fn whoever_reads_integers_may_read_them() {
    let numbers: Vec<u64> = (0..300).map(|number| number * 200).collect();
    let bytes = written(&numbers);
    assert!(decode::<Vec<Id>>(&bytes).expect("numbers").iter().map(|id| id.0).eq(numbers.iter().copied()));
    assert!(decode::<BTreeSet<u64>>(&bytes).expect("numbers").into_iter().eq(numbers.iter().copied()));
    assert!(
        decode::<Vec<u32>>(&bytes).expect("numbers").into_iter().map(u64::from).eq(numbers.iter().copied())
    );
    assert!(
        decode::<Vec<i128>>(&bytes).expect("numbers").into_iter().eq(numbers.iter().map(|n| i128::from(*n)))
    );
    let signed = written(&[-1_i64; 40].to_vec());
    assert_eq!(decode::<Vec<i16>>(&signed).expect("numbers"), [-1; 40]);
    assert_eq!(decode::<Vec<i128>>(&signed).expect("numbers"), [-1; 40]);
}

type Tables = (Option<Vec<Vec<i32>>>, HashMap<String, Vec<i32>>, Vec<i32>);

#[test]
fn lists_within_others_keep_their_places() {
    let table: Vec<Vec<i32>> = (0..100).map(|row| (0..row).map(|cell| cell * cell - row).collect()).collect();
    let value =
        (Some(table.clone()), HashMap::from([("a".to_owned(), table[99].clone())]), table[50].clone());
    let bytes = written(&value);
    assert_eq!(decode::<Tables>(&bytes).expect("what was written"), value);
    let borrowed: &[i32] = &table[99];
    assert_eq!(decode::<Vec<i32>>(&written(&borrowed)).expect("what was written"), borrowed);
}

#[track_caller]
fn refused<T: DeserializeOwned + Debug>(bytes: &[u8]) -> String {
    decode::<T>(bytes).expect_err("it is refused").to_string()
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let mut numbers = vec![1_u64; 100];
    numbers[77] = 1 << 20;
    let bytes = written(&numbers);
    assert!(refused::<Vec<u16>>(&bytes).starts_with("at `[77]`: a number is too large for its type"));
    let text = refused::<(Vec<u16>,)>(&bytes);
    assert!(text.starts_with("at `[77]`: "), "{text}");
    let signed = written(&[-1_i32; 40].to_vec());
    assert!(refused::<Vec<u32>>(&signed).starts_with("at `[0]`: a number is too large"));
    let text = refused::<Vec<String>>(&bytes);
    assert!(
        text.starts_with("at `[0]`: a list of integers was written, and a list of something else"),
        "{text}"
    );
}

#[test]
fn bytes_that_lie_are_refused_and_take_no_memory() {
    let head = |kind: u8, count: u64| {
        let mut bytes = [&MARK[..], &[kind]].concat();
        varint::put(count, &mut bytes);
        bytes.extend([1; 32]);
        bytes
    };
    for kind in [1, 2, 4, 8, 0x11, 0x18] {
        for count in [33, 1 << 40, u64::MAX >> 3, u64::MAX] {
            let text = refused::<Vec<u64>>(&head(kind, count));
            assert!(text.contains("the bytes end too early"), "{text}");
        }
    }
    for kind in [0, 3, 16, 0x13, 0x21, 0xff] {
        let text = refused::<Vec<u64>>(&head(kind, 1));
        assert!(text.contains(&format!("unknown kind {kind}")), "{text}");
    }
    assert!(refused::<Vec<u64>>(&MARK).contains("the bytes end too early"));
}
