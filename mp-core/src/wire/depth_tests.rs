use super::super::codec::{self, CodecError};
use crate::sys::stack;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeStructVariant, SerializeTupleVariant};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::thread;

/// So deep that no stack has room for it.
const DEEP: usize = 1 << 18;

fn on_stack<R: Send + 'static>(bytes: usize, body: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = thread::Builder::new().stack_size(bytes).spawn(body).expect("a thread can be started");
    thread.join().expect("it does not panic")
}

#[derive(Serialize, Deserialize)]
struct Chain(Option<Box<Self>>);

impl Chain {
    fn new(depth: usize) -> Self {
        (0..depth).fold(Self(None), |chain, _| Self(Some(Box::new(chain))))
    }

    fn depth(&self) -> usize {
        std::iter::successors(self.0.as_ref(), |chain| chain.0.as_ref()).count()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut chain) = next {
            next = chain.0.take();
        }
    }
}

#[derive(Serialize, Deserialize)]
struct List(Vec<Self>);

#[derive(Serialize, Deserialize)]
struct Map(BTreeMap<u8, Self>);

#[derive(Serialize, Deserialize)]
enum Variant {
    Newtype(Box<Self>),
    Tuple(Box<Self>, u8),
    Struct { within: Box<Self> },
}

fn written(chain: &Chain) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    codec::encode(chain, &mut bytes).map(|()| bytes)
}

/// Reads what begins with many of these bytes.
fn read<T: DeserializeOwned>(part: &'static [u8]) {
    let refused = on_stack(512 << 10, move || {
        let refused = codec::decode::<T>(&part.repeat(DEEP)).err().expect("no stack has room for it");
        // The rest of the stack serves.
        assert!(codec::decode::<Chain>(&[1, 1, 0]).is_ok());
        refused.to_string()
    });
    assert!(refused.contains("nested too deeply for the stack of this thread"), "{refused}");
    assert!(refused.len() < 1000, "{refused}");
}

#[test]
fn what_is_nested_too_deeply_to_be_read_is_refused() {
    read::<Chain>(&[1]);
    read::<List>(&[1]);
    read::<Map>(&[1, 7]);
    read::<Variant>(&[0]);
    read::<Variant>(&[1]);
    read::<Variant>(&[2]);
}

/// Writes a value that holds itself without an end.
fn write<T: Serialize + Default + Send + 'static>() {
    let refused = on_stack(512 << 10, || {
        let mut bytes = Vec::new();
        let refused = codec::encode(&T::default(), &mut bytes).expect_err("no stack has room for it");
        refused.to_string()
    });
    assert!(refused.contains("nested too deeply for the stack of this thread"), "{refused}");
    assert!(refused.len() < 1000, "{refused}");
}

/// As which part of itself a value without an end is written.
#[derive(Default)]
struct Endless<const PART: u8> {
    _owned: String,
}

impl<const PART: u8> Serialize for Endless<PART> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match PART {
            0 => serializer.serialize_some(self),
            1 => serializer.serialize_newtype_variant("", 0, "", self),
            2 => serializer.collect_seq([self]),
            3 => serializer.collect_map([(self, self)]),
            4 => {
                let mut parts = serializer.serialize_tuple_variant("", 0, "", 1)?;
                parts.serialize_field(self)?;
                parts.end()
            }
            _ => {
                let mut parts = serializer.serialize_struct_variant("", 0, "", 1)?;
                parts.serialize_field("within", self)?;
                parts.end()
            }
        }
    }
}

#[test]
fn what_is_nested_too_deeply_to_be_written_is_refused() {
    let refused =
        on_stack(512 << 10, || written(&Chain::new(DEEP)).expect_err("no stack has room for it").to_string());
    assert!(refused.contains("nested too deeply for the stack of this thread"), "{refused}");
    write::<Endless<0>>();
    write::<Endless<1>>();
    write::<Endless<2>>();
    write::<Endless<3>>();
    write::<Endless<4>>();
    write::<Endless<5>>();
}

#[test]
fn a_larger_stack_takes_deeper_values() {
    const DEPTH: usize = 20_000;
    let bytes = on_stack(64 << 20, || written(&Chain::new(DEPTH)).expect("there is room"));
    let again = bytes.clone();
    assert!(on_stack(512 << 10, move || codec::decode::<Chain>(&bytes).is_err()));
    assert_eq!(
        on_stack(64 << 20, move || codec::decode::<Chain>(&again).expect("there is room").depth()),
        DEPTH
    );
}

#[test]
fn a_small_stack_takes_small_values() {
    let chain = on_stack(64 << 10, || codec::decode::<Chain>(&[1, 1, 1, 0]).expect("there is room"));
    assert_eq!(chain.depth(), 3);
}

#[test]
fn a_thread_runs_on_the_stack_that_the_system_names() {
    for bytes in [256 << 10, 3 << 20] {
        let (mark, bounds) = on_stack(bytes, || {
            let mark = 0_u8;
            ((&raw const mark).addr(), stack::bounds().expect("it is known"))
        });
        assert!(bounds.contains(&mark), "{mark:#x} in {bounds:x?}");
        assert!(bounds.len() >= bytes && bounds.len() < bytes + (1 << 20), "{bytes} and {bounds:x?}");
    }
}
