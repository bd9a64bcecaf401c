use super::super::codec;
use super::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, SerializeSeq};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

/// What is written is what postcard writes, behind what is there already, and reads as the same.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let expected = postcard::to_allocvec(value).expect("a value that postcard carries");
    let mut bytes = vec![9];
    write(value, &mut bytes).expect("a value that postcard carries");
    assert_eq!(bytes[1..], expected, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes[1..]).expect("what was written"), *value);
}

/// Why it is not written; then nothing is.
#[track_caller]
fn refused<T: Serialize>(value: &T) -> String {
    let mut bytes = vec![9];
    let refused = write(value, &mut bytes).expect_err("it is refused").to_string();
    assert_eq!(bytes, [9], "nothing is left");
    refused
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Box<Kind>),
    Tuple(u8, i64),
    Struct { name: String, next: Option<Box<Kind>> },
    Empty {},
    Bare(),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(f32, Unit);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nested<T> {
    kinds: Vec<Kind>,
    table: BTreeMap<(u16, char), Option<T>>,
    pair: Newtype<Pair>,
    inner: Option<Box<Nested<T>>>,
    #[serde(rename = "otherwise", default)]
    arrays: [[u8; 32]; 2],
    #[serde(skip)]
    skipped_on_both_sides: u32,
}

fn kinds() -> Vec<Kind> {
    let unit = || Box::new(Kind::Unit);
    let named = |next| Kind::Struct { name: "ñ".repeat(100), next };
    let plain = [Kind::Unit, Kind::Newtype(unit()), Kind::Tuple(200, -3), named(None), named(Some(unit()))];
    plain.into_iter().chain([Kind::Empty {}, Kind::Bare()]).collect()
}

/// More than 128, so that the number of a variant has two bytes.
macro_rules! many {
    ($($name:ident)+) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        enum Many {
            $($name,)+
            Last(u8, u8),
            Named { x: u8 },
            Boxed(Box<u8>),
        }
        const MANY: &[Many] = &[$(Many::$name),+];
    };
}

many! {
    A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 D0 D1 D2 D3 D4 D5 D6 D7 D8 D9
    E0 E1 E2 E3 E4 E5 E6 E7 E8 E9 F0 F1 F2 F3 F4 F5 F6 F7 F8 F9 G0 G1 G2 G3 G4 G5 G6 G7 G8 G9 H0 H1 H2 H3 H4 H5 H6 H7 H8 H9
    I0 I1 I2 I3 I4 I5 I6 I7 I8 I9 J0 J1 J2 J3 J4 J5 J6 J7 J8 J9 K0 K1 K2 K3 K4 K5 K6 K7 K8 K9 L0 L1 L2 L3 L4 L5 L6 L7 L8 L9
    M0 M1 M2 M3 M4 M5 M6 M7 M8 M9
}

#[test]
fn numbers_are_written_as_postcard_writes_them() {
    for bit in 0..128 {
        for near in [-1, 0, 1] {
            let wide = (1_u128 << bit).wrapping_add_signed(near);
            for wide in [wide, !wide] {
                check(&wide);
                check(&wide.cast_signed());
                check(&(wide as u64, wide as i64, wide as usize, wide as isize));
                check(&(wide as u32, wide as i32, wide as u16, wide as i16));
                check(&(wide as u8, wide as i8));
            }
        }
    }
    check(&(i8::MIN, i8::MAX, i16::MIN, i16::MAX, i32::MIN, i32::MAX, i64::MIN, i64::MAX));
    check(&(i128::MIN, i128::MAX, u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    for float in [0.0, -0.0, 1.5, f64::MIN_POSITIVE, f64::INFINITY, f64::MAX] {
        check(&(float, float as f32));
    }
    check(&NonZeroU16::MAX);
}

#[test]
fn text_and_small_things_are_written_as_postcard_writes_them() {
    check(&(true, false, (), Unit, Newtype(Newtype(3_u8))));
    for character in ['\0', 'a', 'é', '€', '\u{10ffff}'] {
        check(&character);
    }
    for len in [0, 1, 127, 128, 16_383, 16_384] {
        check(&"x".repeat(len));
        check(&Newtype("é".repeat(len)));
    }
    check(&[None, Some(None), Some(Some(1_u32))]);
    check(&("127.0.0.1".parse::<IpAddr>().expect("an address"), Duration::MAX, PathBuf::from("a/é")));
    check(&(Ok::<u8, String>(1), Err::<u8, _>("no".to_owned()), -1_i64..7));
}

#[test]
fn types_of_every_shape_are_written_as_postcard_writes_them() {
    check(&kinds());
    for kind in MANY.iter().chain(&[Many::Last(1, 2), Many::Named { x: 1 }, Many::Boxed(Box::new(7))]) {
        check(kind);
    }
    let small = Nested {
        kinds: vec![],
        table: BTreeMap::new(),
        pair: Newtype(Pair(0.5, Unit)),
        inner: None,
        arrays: [[0; 32]; 2],
        skipped_on_both_sides: 0,
    };
    let table = (0..300_u16).map(|n| ((n, 'é'), (n % 3 > 0).then(|| "v".repeat(n.into())))).collect();
    let bytes = std::array::from_fn(|n| n as u8 * 8);
    let inner = Some(Box::new(small.clone()));
    check(&small);
    check(&Nested { kinds: kinds(), table, inner, arrays: [bytes, [255; 32]], ..small });
}

#[test]
fn collections_are_written_as_postcard_writes_them() {
    for len in [0, 1, 127, 128, 1000_u32] {
        check(&(0..len).collect::<BTreeSet<u32>>());
        check(&(0..len).map(|n| (n.to_string(), n % 2 == 0)).collect::<HashMap<_, _>>());
        check(&(0..len).map(|n| kinds()[n as usize % 7].clone()).collect::<BTreeSet<_>>());
        check(&(0..len).map(|n| vec![(); n as usize]).collect::<Vec<_>>());
    }
    check(&([1_u8; 32], [[-1_i16; 3]; 3], [(); 3], [0.5_f32; 2], ["a".to_owned(), "b".to_owned()]));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Lists {
    Named { floats: Vec<f64>, hash: [u8; 32], text: Box<str> },
    Tuple(Option<Vec<f32>>, Box<[u8]>, [u8; 16]),
    One(Vec<u8>),
}

#[test]
fn lists_within_values_are_written_as_postcard_writes_them() {
    for len in [0, 1, 127, 128, 1000_u32] {
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let floats: Vec<f64> = (0..len).map(|n| f64::from(n) / 3.0).collect();
        let hash = std::array::from_fn(|n| n as u8);
        let narrow = || floats.iter().map(|float| *float as f32).collect();
        let text = "é".repeat(len as usize).into();
        check(&Lists::Named { floats: floats.clone(), hash: [len as u8; 32], text });
        check(&Lists::Tuple(Some(narrow()), bytes.clone().into(), hash));
        check(&vec![Lists::One(bytes.clone()), Lists::Tuple(None, [].into(), hash)]);
        check(&Newtype((bytes.clone(), Newtype(floats), [[7_u8; 4]; 2])));
        check(&BTreeMap::from([(bytes.clone(), vec![-1_i8; len as usize])]));
        check(&[[[1_u8; 6], [2; 6]], [[3; 6], [4; 6]]]);
    }
    check(&([1_u8; 3], [2_u8; 4], [3_u8; 31], [4_u8; 32]));
}

#[test]
fn what_comes_behind_a_long_list_finds_room() {
    let long = (vec![1_u8; 1 << 20], 7_u32, vec![1.5_f64; 1 << 17], "x");
    let mut bytes = Vec::new();
    write(&long, &mut bytes).expect("bytes and numbers");
    assert_eq!(bytes, postcard::to_allocvec(&long).expect("bytes and numbers"));
    let mut bytes = Vec::new();
    write(&(&long.0, long.1, long.3), &mut bytes).expect("bytes and numbers");
    assert!(bytes.capacity() < 3 << 19, "it was copied once more: {}", bytes.capacity());
}

/// Serde code by hand.
enum ByHand {
    Bytes(&'static [u8]),
    Displayed(&'static str),
    Readable,
    Fails,
    Unknown,
    UnknownMap,
    Miscounted(usize),
    MiscountedMap(usize),
    LongTuple,
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Displayed(text) = self { write!(f, "{text} {text}") } else { Err(fmt::Error) }
    }
}

impl Serialize for ByHand {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Readable => serializer.is_human_readable().serialize(serializer),
            Self::Displayed(_) | Self::Fails => serializer.collect_str(self),
            Self::Unknown => serializer.collect_seq((0..9).filter(|n| n % 2 == 0)),
            Self::UnknownMap => serializer.serialize_map(None)?.end(),
            Self::Miscounted(said) => {
                let mut seq = serializer.serialize_seq(Some(*said))?;
                (0..3).try_for_each(|n| seq.serialize_element(&n))?;
                seq.end()
            }
            Self::MiscountedMap(said) => {
                let mut map = serializer.serialize_map(Some(*said))?;
                (0..3).try_for_each(|n| map.serialize_entry(&n, "x"))?;
                map.end()
            }
            Self::LongTuple => ser::SerializeTuple::end(serializer.serialize_tuple(usize::MAX)?),
        }
    }
}

#[test]
fn what_is_written_by_hand_is_written_as_postcard_writes_it() {
    let many = [
        ByHand::Bytes(b""),
        ByHand::Bytes(&[200; 200]),
        ByHand::Displayed("é"),
        ByHand::Displayed(concat!(
            "0123456789012345678901234567890123456789",
            "0123456789012345678901234567890123"
        )),
        ByHand::Readable,
        ByHand::Miscounted(3),
        ByHand::MiscountedMap(3),
        ByHand::LongTuple,
    ];
    for value in many {
        let mut bytes = Vec::new();
        write(&value, &mut bytes).expect("a value that postcard carries");
        assert_eq!(bytes, postcard::to_allocvec(&value).expect("a value that postcard carries"));
    }
}

#[test]
fn a_list_that_is_not_as_long_as_was_said_is_refused() {
    for said in [0, 2, 4, usize::MAX] {
        for value in [ByHand::Miscounted(said), ByHand::MiscountedMap(said)] {
            let text = refused(&value);
            assert!(text.contains(&format!("has {said} items, and wrote 3")), "{text}");
        }
    }
    for (value, what, advice) in [
        (ByHand::Unknown, "a sequence", "collect it into a `Vec`"),
        (ByHand::UnknownMap, "a map", "send a plain struct or enum"),
    ] {
        let text = refused(&value);
        assert!(text.starts_with(&format!("the length of {what} is not known")), "{text}");
        assert!(text.contains(advice), "{text}");
    }
}

#[derive(Debug, Serialize)]
struct Skipping {
    first: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
}

#[derive(Debug, Serialize)]
enum SkippingVariant {
    Struct {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        names: Vec<String>,
    },
}

#[test]
fn a_field_that_is_skipped_is_refused_by_its_name() {
    let skipping = |weight| Skipping { first: 1, weight };
    let expected = "the field `weight` was skipped (`skip_serializing_if`), and the receiver could not tell: remove the \
                    attribute, or send a type without it";
    assert_eq!(refused(&skipping(None)), expected);
    let second = refused(&vec![(1, skipping(Some(1))), (2, skipping(None))]);
    assert_eq!(second, format!("at `[1]`: {expected}"));
    assert!(refused(&Some(SkippingVariant::Struct { names: vec![] })).contains("the field `names`"));
    let there = (skipping(Some(7)), SkippingVariant::Struct { names: vec!["a".into()] });
    let mut bytes = Vec::new();
    write(&there, &mut bytes).expect("nothing is skipped");
    assert_eq!(bytes, postcard::to_allocvec(&there).expect("nothing is skipped"));
}

#[test]
fn a_type_that_refuses_is_quoted() {
    #[derive(Serialize)]
    struct Deep<T> {
        inner: T,
    }
    struct Stubborn(u8);
    impl Serialize for Stubborn {
        fn serialize<S: ser::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom(format_args!("I will not, {} times", self.0)))
        }
    }
    assert_eq!(refused(&Newtype(Stubborn(3))), "I will not, 3 times");
    let deep = (1, Deep { inner: vec![None, Some(Deep { inner: Newtype(Stubborn(3)) })] });
    assert_eq!(refused(&deep), "at `inner[1].inner`: I will not, 3 times");
    assert_eq!(refused(&BTreeMap::from([(1, Stubborn(3))])), "at `[0]`: I will not, 3 times");
    assert_eq!(refused(&ByHand::Fails), "a `Display` in it returned an error");
}
