use super::super::codec::{self, decode};
use super::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::{self, Debug};
use std::num::NonZeroU8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Pet {
    None,
    Cat(u32),
    Dog { name: String, ages: Vec<i16>, good: Option<bool> },
    Fish(i8, f32, u128),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Owner {
    id: u64,
    pets: Vec<Pet>,
    hash: [u8; 8],
    photo: Option<Vec<u8>>,
    weights: Box<[f64]>,
    debts: BTreeMap<i64, (i32, u16)>,
    lucky: NonZeroU8,
}

fn owner() -> Owner {
    Owner {
        id: u64::MAX,
        pets: vec![
            Pet::Dog { name: "Añb".into(), ages: vec![-1, i16::MAX, i16::MIN], good: Some(true) },
            Pet::None,
            Pet::Cat(1 << 31),
            Pet::Fish(-127, 1.5, u128::MAX),
        ],
        hash: *b"01234567",
        photo: Some(vec![0; 200]),
        weights: [0.1, -0.0].into(),
        debts: BTreeMap::from([(i64::MIN, (i32::MIN, u16::MAX)), (3, (0, 0))]),
        lucky: NonZeroU8::MIN,
    }
}

fn written<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("a value that postcard carries")
}

fn refused<T: DeserializeOwned + Debug>(bytes: &[u8]) -> String {
    decode::<T>(bytes).expect_err("it is refused").to_string()
}

#[test]
fn what_postcard_writes_is_read() {
    assert_eq!(decode::<Owner>(&written(&owner())).expect("an owner"), owner());
    let numbers: Vec<_> = (0..128).flat_map(|bit| [1_u128 << bit, (1 << bit) - 1]).collect();
    assert_eq!(decode::<Vec<u128>>(&written(&numbers)).expect("numbers"), numbers);
    let signed: Vec<_> = numbers.iter().flat_map(|n| [n.cast_signed(), !n.cast_signed()]).collect();
    assert_eq!(decode::<Vec<i128>>(&written(&signed)).expect("numbers"), signed);
    let narrow: Vec<_> = signed.iter().map(|n| (*n as i64, *n as i32, *n as i16, *n as i8)).collect();
    assert_eq!(decode::<Vec<(i64, i32, i16, i8)>>(&written(&narrow)).expect("numbers"), narrow);
    let shapes =
        ((), ('ß', false), [[1_u16; 3]; 2], Some(Some(())), Ok::<_, ()>(1.5_f32), VecDeque::from([1]));
    assert_eq!(decode(&written(&shapes)).ok(), Some(shapes));
    let sets = (BTreeSet::from(["a".to_owned()]), HashMap::from([(1_u8, vec![()])]));
    assert_eq!(decode(&written(&sets)).ok(), Some(sets));
}

#[test]
fn text_and_bytes_are_borrowed() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Borrowed<'a> {
        text: &'a str,
        bytes: &'a [u8],
        #[serde(borrow)]
        either: Cow<'a, str>,
    }
    let value = Borrowed { text: "añb", bytes: &[1, 2], either: "c".into() };
    let bytes = written(&value);
    let read: Borrowed<'_> = decode(&bytes).expect("what was written");
    assert_eq!(read, value);
    let within = bytes.as_ptr_range();
    assert!(within.contains(&read.text.as_ptr()) && within.contains(&read.bytes.as_ptr()));
    assert!(matches!(read.either, Cow::Borrowed(_)));
}

/// Bytes that are cut off or changed at random are read as postcard reads them, or refused as there.
#[test]
fn garbled_bytes_are_refused_where_postcard_refuses_them() {
    let bytes = written(&owner());
    for len in 0..bytes.len() {
        refused::<Owner>(&bytes[..len]);
    }
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut read = 0;
    for _ in 0..10_000 {
        let mut garbled = bytes.clone();
        for _ in 0..=random(3) {
            let at = random(garbled.len());
            garbled[at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        if garbled.windows(2).any(packed::is_next) {
            continue; // a list of integers as postcard does not have them
        }
        match (postcard::take_from_bytes::<Owner>(&garbled), codec::decode_front::<Owner>(&garbled)) {
            (Ok((expected, behind)), Ok((found, rest))) => {
                assert_eq!((written(&found), rest), (written(&expected), behind), "{garbled:?}");
                read += 1;
            }
            (Err(_), Err(_)) => {}
            (expected, found) => panic!("{expected:?}, {found:?}: {garbled:?}"),
        }
    }
    assert!(read > 1000, "most changes are of a value, not of the form: {read}");
}

#[test]
fn numbers_that_are_too_large_are_refused() {
    let bytes = |number: u128| written(&number);
    assert_eq!(decode::<u16>(&bytes(0xffff)).ok(), Some(0xffff));
    assert!(refused::<u16>(&bytes(0x1_0000)).contains("too large"));
    assert!(refused::<u32>(&bytes(1 << 32)).contains("too large"));
    assert!(refused::<u64>(&bytes(1 << 64)).contains("too large"));
    assert!(refused::<i64>(&[0xff; 10]).contains("too large"));
    assert!(refused::<u128>(&[0xff; 19]).contains("too large"));
    assert!(refused::<bool>(&[2]).contains("2 where 0 or 1"));
    assert!(refused::<Option<u8>>(&[7, 1]).contains("7 where 0 or 1"));
    assert!(refused::<char>(&[2, b'a', b'b']).contains("not one character"));
    assert!(refused::<String>(&[1, 0xff]).contains("utf-8"));
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    let mut bytes = written(&(usize::MAX >> 4));
    bytes.extend([1; 32]);
    for refused in [
        refused::<Vec<u64>>(&bytes),
        refused::<Vec<[u64; 32]>>(&bytes),
        refused::<Vec<u8>>(&bytes),
        refused::<Vec<f64>>(&bytes),
        refused::<HashMap<u64, u64>>(&bytes),
        refused::<String>(&bytes),
    ] {
        assert!(refused.contains("the bytes end too early"), "{refused}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i32")]
struct Positive;

impl TryFrom<i32> for Positive {
    type Error = String;

    fn try_from(number: i32) -> Result<Self, String> {
        if number > 0 { Ok(Self) } else { Err(format!("{number} is not positive")) }
    }
}

#[test]
fn a_length_that_lies_makes_nothing_out_of_nothing() {
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Skipped {
        #[serde(skip)]
        cache: [u64; 32],
    }
    let most = limits::EMPTY_ITEMS_MAX;
    let list = vec![(); most];
    let bytes = written(&list);
    assert_eq!(decode::<Vec<()>>(&bytes).expect("as many as may be"), list);
    for len in [most + 1, 1 << 29] {
        let bytes = written(&len);
        decode::<Vec<()>>(&bytes).expect_err("nothing for each");
        decode::<Vec<Skipped>>(&bytes).expect_err("nothing for each");
        decode::<BTreeMap<(), Skipped>>(&bytes).expect_err("nothing for each");
    }
    let mut out = Vec::new();
    let error = codec::encode(&vec![(); most + 1], &mut out).expect_err("too many").to_string();
    assert!(error.contains("1048577 items") && error.contains("take no byte"), "{error}");
}

#[test]
fn a_refusal_says_why_and_where() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "nobody gets one")]
    struct Order {
        name: String,
        items: Vec<(u8, Positive)>,
        to: Place,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "nobody gets one")]
    enum Place {
        Street { number: Positive },
    }
    assert_eq!(refused::<Positive>(&written(&-1)), "-1 is not positive");
    let order = |first: i32, number: i32| written(&("x", vec![(1_u8, 1), (2, first)], (0_u32, number)));
    assert_eq!(refused::<Order>(&order(-3, 1)), "at `items[1]`: -3 is not positive");
    assert_eq!(
        refused::<Vec<Order>>(&[&[1], &order(1, 0)[..]].concat()),
        "at `[0].to.number`: 0 is not positive"
    );
    let unknown = refused::<Place>(&[7, 2]);
    assert!(unknown.starts_with("integer `7` where variant index 0 <= i < 1 was expected: "), "{unknown}");
    assert!(unknown.contains("what its `Serialize` wrote"), "{unknown}");
    let short = refused::<Vec<Order>>(&[1]);
    assert!(short.starts_with("at `[0].name`: the bytes end too early (the wire format"), "{short}");
}

#[test]
fn what_needs_to_be_told_what_it_reads_is_refused() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "nobody gets one")]
    enum Any {
        Number(u8),
    }
    #[derive(Debug)]
    struct Ignoring;
    impl<'de> Deserialize<'de> for Ignoring {
        fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            de::IgnoredAny::deserialize(deserializer).map(|_| Self)
        }
    }
    for refused in [refused::<Any>(&[1]), refused::<Ignoring>(&[1])] {
        assert!(refused.contains("self-describing") && refused.contains("send a plain struct"), "{refused}");
    }
}

/// Whether a value of this type comes to the reader with a visitor for which there is a list at once.
fn is_read_at_once<T: DeserializeOwned>() -> bool {
    struct Ask;
    #[derive(Debug)]
    struct Answer(bool);
    impl<'de> de::Deserializer<'de> for Ask {
        type Error = Answer;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
            Err(Answer(false))
        }
        fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
            Err(Answer(lists::take_for::<V, V::Value>(&[0]).is_some()))
        }
        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, Answer> {
            visitor.visit_newtype_struct(self)
        }
        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
            visitor.visit_some(self)
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct
            map struct enum identifier ignored_any
        }
    }
    impl fmt::Display for Answer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)
        }
    }
    impl std::error::Error for Answer {}
    impl de::Error for Answer {
        fn custom<T: fmt::Display>(_: T) -> Self {
            Self(false)
        }
    }
    matches!(T::deserialize(Ask), Err(Answer(true)))
}

/// It has the items of a list of bytes, and a way of its own to read them.
struct Doubled;
impl<'de> Deserialize<'de> for Doubled {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Doubling;
        impl<'de> Visitor<'de> for Doubling {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                let mut out = Vec::new();
                while let Some(byte) = seq.next_element::<u8>()? {
                    out.push(2 * byte);
                }
                Ok(out)
            }
        }
        deserializer.deserialize_seq(Doubling).map(|bytes| {
            assert_eq!(bytes, [2, 4]);
            Self
        })
    }
}

#[test]
fn lists_of_numbers_are_read_at_once_whatever_they_are_part_of() {
    #[derive(Deserialize)]
    struct Image(#[expect(dead_code, reason = "nobody gets one")] Vec<u8>);
    assert!(is_read_at_once::<Vec<u8>>() && is_read_at_once::<Vec<i8>>() && is_read_at_once::<Image>());
    assert!(is_read_at_once::<Box<[u8]>>() && is_read_at_once::<Option<Image>>());
    let floats = is_read_at_once::<Box<[f64]>>() && is_read_at_once::<Vec<f32>>();
    assert_eq!(floats, cfg!(target_endian = "little"));
    assert!(!is_read_at_once::<Doubled>() && !is_read_at_once::<VecDeque<u8>>());
    assert!(!is_read_at_once::<Vec<u16>>(), "not as postcard has it");
    assert!(!is_read_at_once::<Vec<bool>>() && !is_read_at_once::<BTreeSet<u8>>());
    assert!(decode::<Doubled>(&[2, 1, 2]).is_ok());
}
