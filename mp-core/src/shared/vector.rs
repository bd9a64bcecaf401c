//! Memory with one owner, who lends pieces of it.

#![allow(unsafe_code)] // slices of a mapping

use super::elements::{Elements, Kind};
use super::sealed::Shared;
use super::shareable::Shareable;
use crate::error::Error;
use crate::sys::Handle;
use crate::sys::memory::{Access, Memory};
use crate::wire::codec::{self, CodecError};
use crate::wire::handles;
use crate::wire::outgoing::Outgoing;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

/// A slice in shared memory with one owner, whose pieces
/// [`Pool::chunks_mut`](crate::Pool::chunks_mut) lends to tasks: they work on it in place.
///
/// Sent as a value, it is like a [`Vec`]: who receives it owns a copy. [`into_shared`](Self::into_shared) makes it a
/// [`Shared`] slice, which is sent without one.
///
/// ```
/// let mut squares = mp::shm::SharedVec::zeroed(4)?;
/// squares.iter_mut().zip(0_u32..).for_each(|(place, number)| *place = number * number);
/// assert_eq!(*squares, [0, 1, 4, 9]);
/// # Ok::<(), mp::Error>(())
/// ```
pub struct SharedVec<T: Shareable>(Elements<T>);

impl<T: Shareable> SharedVec<T> {
    /// `len` elements of which all bytes are zero. Pages that nobody touches cost nothing.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn zeroed(len: usize) -> Result<Self, Error> {
        Elements::create(Kind::Vector, len).map(Self)
    }

    /// A copy of `elements`.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn from_slice(elements: &[T]) -> Result<Self, Error> {
        let mut copy = Self::zeroed(elements.len())?;
        copy.copy_from_slice(elements);
        Ok(copy)
    }

    /// Gives up writing, so that every process can read in place.
    ///
    /// # Errors
    /// If the system gives no memory: where a task did not give its piece back (it forgot it), the elements are copied; on macOS
    /// wherever pieces were lent at all.
    pub fn into_shared(self) -> Result<Shared<[T]>, Error> {
        let len = self.0.len();
        let (memory, still_writable) = match self.0.seal() {
            Ok(sealed) => return Ok(Shared::new(sealed)),
            Err(why) => why,
        };
        let again = crate::sys::duplicate(memory.handle())
            .and_then(|spare| Elements::<T>::attach(spare, Kind::Sealed, len as u64, Access::Read));
        let Ok(again) = again else { return Err(Error::os("cannot seal shared memory", still_writable)) };
        let copy = Elements::create(Kind::Vector, len)?;
        copy_elements(&again, &copy, 0..len);
        copy.seal().map(Shared::new).map_err(|(_, error)| Error::os("cannot seal shared memory", error))
    }

    /// Starts lending pieces of `size` elements.
    pub(crate) fn lend(&mut self, size: NonZeroUsize) -> Lending<'_, T> {
        let round = self.0.header().loans.open();
        Lending { vector: self, round, size, lent: Cell::new(0), ended: RefCell::default() }
    }
}

impl<T: Shareable> Deref for SharedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: duty: in bounds, aligned, alive, valid: as for `Shared`. Duty: unchanging: this is the owner, and no
        // piece is lent: `Lending` borrows it mutably, and ends with nobody inside.
        unsafe { std::slice::from_raw_parts(self.0.data(), self.0.len()) }
    }
}

impl<T: Shareable> DerefMut for SharedVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably: nobody else in this process reaches it.
        unsafe { std::slice::from_raw_parts_mut(self.0.data(), self.0.len()) }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for SharedVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: Shareable> Serialize for SharedVec<T> {
    /// Sends a sealed copy: this one stays as it is, and whoever reads the message, how often ever, gets what it is now.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shared::from_slice(self).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for SharedVec<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Shared::<[T]>::deserialize(deserializer)?;
        Self::from_slice(&sent).map_err(serde::de::Error::custom)
    }
}

/// A round of lending. It ends when this is dropped, also by a panic.
pub(crate) struct Lending<'v, T: Shareable> {
    vector: &'v mut SharedVec<T>,
    round: u32,
    size: NonZeroUsize,
    /// How many pieces have been lent.
    lent: Cell<usize>,
    /// Of the pieces whose calls have been heard of, whether these are known to run no more.
    ended: RefCell<Vec<bool>>,
}

/// Where the memory is among the handles that go with a piece.
const PLACE: u32 = 0;

impl<T: Shareable> Lending<'_, T> {
    /// Appends to `handles`, which are none yet, what goes with each piece.
    ///
    /// # Errors
    /// If this process has no descriptors left.
    pub(crate) fn give(&self, handles: &mut Vec<Handle>) -> Result<(), CodecError> {
        codec::encode_with(&Given(self.vector.0.memory()), &mut Vec::new(), handles)
    }

    /// The pieces, each with the encoded arguments that come behind it; the last may be shorter. No two of them overlap.
    pub(crate) fn chunks<'l>(&'l self, behind: &'l [u8]) -> impl Iterator<Item = Lent<'l>> {
        let len = self.vector.0.len() as u64;
        (0..self.count()).map(move |chunk| {
            self.lent.set(chunk + 1);
            let Range { start, end } = self.range(chunk);
            Lent { head: (PLACE, len, self.round, start as u64, end as u64), behind }
        })
    }

    /// How many pieces there are.
    pub(crate) fn count(&self) -> usize {
        self.vector.0.len().div_ceil(self.size.get())
    }

    /// The call for this piece has come to its end, or may run on.
    pub(crate) fn note(&self, chunk: u64, has_ended: bool) {
        let (mut ended, chunk) = (self.ended.borrow_mut(), chunk as usize);
        if ended.len() <= chunk {
            ended.resize(chunk + 1, false);
        }
        ended[chunk] = has_ended;
    }

    /// Ends the round. If some calls are not known to have ended and a borrower may still be inside, the vector moves to other
    /// memory, in which the elements of those are zero.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let inside = self.vector.0.header().loans.close();
        let ended = self.ended.take();
        let lent = self.lent.take();
        let over = |chunk: &usize| *chunk >= lent || ended.get(*chunk) == Some(&true);
        if inside == 0 || (0..self.count()).all(|chunk| over(&chunk)) {
            return Ok(());
        }
        let moved = Elements::create(Kind::Vector, self.vector.0.len());
        let moved = match moved {
            Ok(moved) => moved,
            Err(error) => {
                // Empty is the only thing it can safely be.
                self.vector.0 = Elements::create(Kind::Vector, 0)?;
                return Err(error);
            }
        };
        for chunk in (0..self.count()).filter(over) {
            copy_elements(&self.vector.0, &moved, self.range(chunk));
        }
        self.vector.0 = moved;
        Ok(())
    }

    fn range(&self, chunk: usize) -> Range<usize> {
        let from = chunk * self.size.get();
        from..from.saturating_add(self.size.get()).min(self.vector.0.len())
    }
}

impl<T: Shareable> Drop for Lending<'_, T> {
    fn drop(&mut self) {
        if self.vector.0.header().loans.is_open(self.round) {
            // Nobody is there to be told that the vector is empty now, for want of memory.
            let _ = self.end();
        }
    }
}

/// A piece on its way to a task, which sees it as [`ChunkMut`], and what the task is given behind it.
pub(crate) struct Lent<'l> {
    head: Head,
    behind: &'l [u8],
}

/// The place of the memory, the length of the vector, the round, and where the piece begins and ends.
type Head = (u32, u64, u32, u64, u64);

impl Lent<'_> {
    /// Appends it to `out`.
    pub(crate) fn write<'a>(&'a self, out: &mut Outgoing<'_, 'a>) -> Result<(), CodecError> {
        codec::encode(&self.head, out.bytes())?;
        out.run(self.behind);
        Ok(())
    }
}

/// Puts the handle of a memory aside.
struct Given<'v>(&'v Memory);

impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = handles::give(self.0.handle()).map_err(serde::ser::Error::custom)?;
        debug_assert_eq!(place, PLACE, "it is the first");
        serializer.serialize_unit()
    }
}

/// A piece of a [`SharedVec`] in a task that [`Pool::chunks_mut`](crate::Pool::chunks_mut) lent it to: a slice to work on
/// in place.
///
/// Its lifetime is that of the call, so a task cannot keep it, and it is no serde value, so a task cannot pass it on.
/// That is why it is a type of its own and not a `&mut [T]`.
///
/// ```
/// #[mp::task]
/// fn negate(mut chunk: mp::shm::ChunkMut<'_, i64>) {
///     chunk.iter_mut().for_each(|number| *number = -*number);
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let mut numbers = mp::shm::SharedVec::from_slice(&[1, 2, 3])?;
///     mp::Pool::new(2)?.chunks_mut(negate, &mut numbers, 2)?;
///     assert_eq!(*numbers, [-1, -2, -3]);
///     Ok(())
/// }
/// ```
pub struct ChunkMut<'c, T: Shareable> {
    /// The memory in view, which may be that of the next chunk as well; its writable view is gone before the last of them is answered.
    elements: Arc<Elements<T>>,
    round: u32,
    range: Range<usize>,
    call: PhantomData<&'c mut [T]>,
}

impl<T: Shareable> ChunkMut<'_, T> {
    /// The position of the first element in the whole vector.
    pub fn start(&self) -> usize {
        self.range.start
    }
}

impl<T: Shareable> Deref for ChunkMut<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: duty: in bounds: checked when it was decoded; aligned, alive, valid: as for `Shared`. Duty: unchanging:
        // its lender lends each element once in a round, and touches nothing while somebody is inside.
        unsafe { std::slice::from_raw_parts(self.elements.data().add(self.range.start), self.range.len()) }
    }
}

impl<T: Shareable> DerefMut for ChunkMut<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe {
            std::slice::from_raw_parts_mut(self.elements.data().add(self.range.start), self.range.len())
        }
    }
}

impl<T: Shareable> Drop for ChunkMut<'_, T> {
    fn drop(&mut self) {
        self.elements.header().loans.leave(self.round);
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for ChunkMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for ChunkMut<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (place, len, round, from, to) = Head::deserialize(deserializer)?;
        let elements = Elements::<T>::attach_once::<D::Error>(place, Kind::Vector, len, Access::ReadWrite)?;
        if from > to || to > len {
            return Err(serde::de::Error::custom("the piece of shared memory is out of bounds"));
        }
        if !elements.header().loans.enter(round) {
            return Err(serde::de::Error::custom("the loan of this piece of shared memory is over"));
        }
        Ok(Self { elements, round, range: from as usize..to as usize, call: PhantomData })
    }
}

fn copy_elements<T: Shareable>(from: &Elements<T>, to: &Elements<T>, range: Range<usize>) {
    if range.end > from.len().min(to.len()) {
        crate::check::never!("a copy between vectors out of bounds");
        return;
    }
    // SAFETY: duty: in bounds of both: the line above; apart: two memories. Nobody writes what is copied: these elements
    // are not lent, by the callers.
    unsafe {
        std::ptr::copy_nonoverlapping(from.data().add(range.start), to.data().add(range.start), range.len());
    }
}
