//! Items of different types under a lock.
//!
//! ```text
//!  count │ (start, room) of each item │ items: turn │ first copy │ second copy        a copy: tag, length, bytes
//! ```
//! As a [`Value`](super::value::Value), an item has two copies, and `turn` says which one counts: a process that is killed
//! while it writes has changed the item, or it has not. Lengths are written down, so text and bytes come back to the last
//! NUL.

use super::array::{Array, ArrayGuard};
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::atomic::{Ordering, compiler_fence};

/// An item of a [`ShareableList`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Item {
    /// Nothing.
    None,
    /// An integer.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A list of fixed length whose items have different types and may change them, shared by processes.
///
/// An item has as much room as it needed at first, rounded up to 8 bytes. Clones and copies in other processes are the
/// same list.
///
/// ```
/// use mp::shm::{Item, ShareableList};
///
/// let list = ShareableList::new([Item::from("howdy"), 273.154.into(), 100.into(), Item::None, true.into()])?;
/// list.set(2, "changed")?;
/// assert_eq!(list.get(2)?, Some(Item::from("changed")));
/// assert!(list.set(2, "much too long for its place").is_err());
/// assert_eq!(list.index(&"changed".into())?, Some(2));
/// # Ok::<(), mp::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Decode`] if the memory holds no list.
///
/// # Blocking and death
/// Each method holds the list's lock for a moment; a holder that is killed hands it on.
#[derive(Clone)]
pub struct ShareableList(Array<u8>);

const WORD: usize = 8;
/// Tag and length before the bytes of a copy.
const HEAD: usize = 2 * WORD;

impl ShareableList {
    /// A list of these items.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn new<I: Into<Item>>(items: impl IntoIterator<Item = I>) -> Result<Self, Error> {
        let items: Vec<Item> = items.into_iter().map(Into::into).collect();
        let table = WORD + items.len() * 2 * WORD;
        let mut places = Vec::with_capacity(items.len());
        let mut end = table;
        for item in &items {
            let room = item.bytes().len().next_multiple_of(WORD).max(WORD);
            places.push(Place { start: end, room });
            end += WORD + 2 * (HEAD + room);
        }
        let list = Self(Array::zeroed(end)?);
        {
            let mut bytes = list.0.lock()?;
            put_word(&mut bytes, 0, items.len())?;
            for (index, (place, item)) in places.iter().zip(&items).enumerate() {
                put_word(&mut bytes, WORD + index * 2 * WORD, place.start)?;
                put_word(&mut bytes, 2 * WORD + index * 2 * WORD, place.room)?;
                place.write(&mut bytes, item)?;
            }
        }
        Ok(list)
    }

    /// How many items there are.
    pub fn len(&self) -> Result<usize, Error> {
        count(&self.0.lock()?)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// The item at `index`; `None` if there is none.
    pub fn get(&self, index: usize) -> Result<Option<Item>, Error> {
        let bytes = self.0.lock()?;
        if index >= count(&bytes)? {
            return Ok(None);
        }
        Place::of(&bytes, index)?.read(&bytes).map(Some)
    }

    /// Replaces the item at `index`; its type may change.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is none, or the new one needs more room than the first one did: the old one
    /// stays.
    pub fn set(&self, index: usize, item: impl Into<Item>) -> Result<(), Error> {
        let mut bytes = self.0.lock()?;
        let count = count(&bytes)?;
        if index >= count {
            let text = format!("there is no item {index} in a list of {count}");
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        Place::of(&bytes, index)?.write(&mut bytes, &item.into())
    }

    /// All items, as they are at one moment.
    pub fn to_vec(&self) -> Result<Vec<Item>, Error> {
        all(&self.0.lock()?)
    }

    /// Goes through the items, as they are now.
    #[allow(clippy::iter_not_returning_iterator, reason = "it can fail")]
    pub fn iter(&self) -> Result<std::vec::IntoIter<Item>, Error> {
        self.to_vec().map(IntoIterator::into_iter)
    }

    /// How many items are equal to this one.
    pub fn count(&self, item: &Item) -> Result<usize, Error> {
        Ok(self.iter()?.filter(|other| other == item).count())
    }

    /// The position of the first item that is equal to this one.
    pub fn index(&self, item: &Item) -> Result<Option<usize>, Error> {
        Ok(self.iter()?.position(|other| other == *item))
    }
}

/// Where an item is.
struct Place {
    start: usize,
    room: usize,
}

impl Place {
    fn of(bytes: &ArrayGuard<u8>, index: usize) -> Result<Self, Error> {
        let at = WORD + index * 2 * WORD;
        let place = Self { start: word(bytes, at)?, room: word(bytes, at + WORD)? };
        let size = place.room.checked_add(HEAD).and_then(|copy| copy.checked_mul(2)?.checked_add(WORD));
        let end = size.and_then(|size| size.checked_add(place.start));
        if end.is_some_and(|end| end <= bytes.len()) { Ok(place) } else { Err(broken()) }
    }

    fn read(&self, bytes: &ArrayGuard<u8>) -> Result<Item, Error> {
        let copy = self.copy(usize::from(bytes[self.start] & 1));
        let (tag, len) = (word(bytes, copy)?, word(bytes, copy + WORD)?);
        let content = copy + HEAD;
        if len > self.room {
            return Err(broken());
        }
        Item::read(tag, &bytes[content..content + len]).ok_or_else(broken)
    }

    fn write(&self, bytes: &mut ArrayGuard<u8>, item: &Item) -> Result<(), Error> {
        let content = item.bytes();
        if content.len() > self.room {
            let (needed, room) = (content.len(), self.room);
            let text = format!("the item needs {needed} bytes, and there is room for {room} in its place");
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let turn = (bytes[self.start] & 1) ^ 1;
        let copy = self.copy(usize::from(turn));
        put_word(bytes, copy, item.tag())?;
        put_word(bytes, copy + WORD, content.len())?;
        bytes[copy + HEAD..copy + HEAD + content.len()].copy_from_slice(&content);
        // The copy is there before it counts, also for who gets the lock of a process that is killed between.
        compiler_fence(Ordering::Release);
        bytes[self.start] = turn;
        Ok(())
    }

    fn copy(&self, number: usize) -> usize {
        self.start + WORD + number * (HEAD + self.room)
    }
}

impl Item {
    fn tag(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Int(_) => 1,
            Self::Float(_) => 2,
            Self::Bool(_) => 3,
            Self::Text(_) => 4,
            Self::Bytes(_) => 5,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Int(number) => number.to_le_bytes().to_vec(),
            Self::Float(number) => number.to_le_bytes().to_vec(),
            Self::Bool(value) => vec![u8::from(*value)],
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }

    fn read(tag: usize, bytes: &[u8]) -> Option<Self> {
        Some(match (tag, bytes) {
            (0, []) => Self::None,
            (1, number) => Self::Int(i64::from_le_bytes(number.try_into().ok()?)),
            (2, number) => Self::Float(f64::from_le_bytes(number.try_into().ok()?)),
            (3, [value]) => Self::Bool(*value != 0),
            (4, text) => Self::Text(String::from_utf8(text.to_vec()).ok()?),
            (5, bytes) => Self::Bytes(bytes.to_vec()),
            _ => return None,
        })
    }
}

macro_rules! items {
    ($($from:ty, $value:ident => $item:expr;)+) => {$(
        impl From<$from> for Item {
            fn from($value: $from) -> Self {
                $item
            }
        }
    )+};
}

items! {
    i32, number => Self::Int(number.into());
    i64, number => Self::Int(number);
    u32, number => Self::Int(number.into());
    f64, number => Self::Float(number);
    bool, value => Self::Bool(value);
    &str, text => Self::Text(text.to_owned());
    String, text => Self::Text(text);
    &[u8], bytes => Self::Bytes(bytes.to_vec());
    Vec<u8>, bytes => Self::Bytes(bytes);
}

impl<const N: usize> From<&[u8; N]> for Item {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

fn all(bytes: &ArrayGuard<u8>) -> Result<Vec<Item>, Error> {
    (0..count(bytes)?).map(|index| Place::of(bytes, index)?.read(bytes)).collect()
}

fn count(bytes: &[u8]) -> Result<usize, Error> {
    word(bytes, 0)
}

fn word(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let end = at.checked_add(WORD).ok_or_else(broken)?;
    let word = bytes.get(at..end).and_then(|word| word.try_into().ok()).ok_or_else(broken)?;
    usize::try_from(u64::from_le_bytes(word)).map_err(|_| broken())
}

fn put_word(bytes: &mut [u8], at: usize, number: usize) -> Result<(), Error> {
    let place = bytes.get_mut(at..at + WORD).ok_or_else(broken)?;
    place.copy_from_slice(&(number as u64).to_le_bytes());
    Ok(())
}

fn broken() -> Error {
    Error::new(ErrorKind::Decode, "the shared memory does not hold a list")
}

impl fmt::Debug for ShareableList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_tuple("ShareableList");
        match self.0.try_lock().and_then(|bytes| all(&bytes)) {
            Ok(items) => text.field(&items),
            Err(error) if error.is_timeout() => text.field(&format_args!("<locked>")),
            Err(error) => text.field(&error),
        };
        text.finish()
    }
}

impl Serialize for ShareableList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShareableList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Array::deserialize(deserializer).map(Self)
    }
}
