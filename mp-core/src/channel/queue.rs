//! Queues: many put, many get, in any process of the family.

use super::end::Wait;
use super::parcel::{self, Parcel};
use super::post::{Address, Post};
use super::refusal::SendError;
use super::scratch;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::shm::backlog::Shape;
use crate::wire::codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A queue between processes: any number put, any number get, first in, first out.
///
/// It is a serde value: as an argument, in a result or in a message it becomes another handle of the same queue, as
/// `clone` does here. When `put` returns, the message is in the queue, and its process may end. A process that is killed,
/// at whatever moment, leaves whole messages only and no lock behind: at most the message that it was just getting is lost.
///
/// The messages of one producer keep their order. Messages are copies.
///
/// ```
/// #[mp::task]
/// fn square_all(todo: mp::Queue<u64>, done: mp::Queue<u64>) {
///     for number in &todo {
///         done.put(number.expect("a number").pow(2)).expect("somebody waits for it");
///     }
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let (todo, done) = (mp::Queue::bounded(10)?, mp::Queue::unbounded()?);
///     let child = mp::spawn(square_all, (todo.clone(), done.clone()))?;
///     for number in 1..=3 {
///         todo.put(number)?;
///     }
///     todo.shutdown(mp::Shutdown::Drain)?;
///     child.join()?;
///     assert_eq!(done.get()? + done.get()? + done.get()?, 1 + 4 + 9);
///     Ok(())
/// }
/// ```
pub struct Queue<T> {
    post: Arc<Post>,
    types: PhantomData<fn(T) -> T>,
}

/// A queue in the making: made by [`Queue::builder`].
#[must_use = "a builder does nothing by itself"]
pub struct QueueBuilder<T> {
    items: Option<usize>,
    bytes: Option<usize>,
    types: PhantomData<fn(T) -> T>,
}

/// How to end a queue: see [`Queue::shutdown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Nothing goes in any more; what is in it comes out.
    Drain,
    /// Nothing goes in or out any more.
    Immediate,
}

/// The messages of a queue until it is shut down: made by [`Queue::iter`].
pub struct Messages<'a, T>(&'a Queue<T>);

impl<T> Queue<T> {
    /// A queue of at most `items` messages. Two more limits hold whatever `items` is: all messages together have 1 GiB (64 MiB where
    /// addresses have 32 bits; [`QueueBuilder::bytes`] asks for another number), and about 270 may wait at once that are longer than
    /// 512 KiB or carry descriptors. A put beyond either waits, as for a full queue.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for none or for 2³¹ and more, [`ErrorKind::Os`] when the process has no descriptors or
    /// no address space left.
    pub fn bounded(items: usize) -> Result<Self, Error> {
        Self::builder().items(items).build()
    }

    /// A queue in which messages of together 1 GiB find room (64 MiB where addresses have 32 bits). Putting never waits: beyond that
    /// it fails with [`ErrorKind::Full`], and also when about 270 messages wait that are longer than 512 KiB or carry descriptors.
    ///
    /// # Errors
    /// [`ErrorKind::Os`] when the process has no descriptors or no address space left.
    pub fn unbounded() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A queue with bounds of both kinds.
    ///
    /// ```
    /// fn main() -> Result<(), mp::Error> {
    ///     let queue = mp::Queue::builder().items(2).bytes(1 << 16).build()?;
    ///     queue.put("one".to_owned())?;
    ///     queue.put("two".to_owned())?;
    ///     assert!(queue.is_full() && queue.try_put("three".to_owned()).is_err());
    ///     Ok(())
    /// }
    /// ```
    pub fn builder() -> QueueBuilder<T> {
        QueueBuilder { items: None, bytes: None, types: PhantomData }
    }

    /// How many messages there are: exact at an instant during the call. None after an immediate [`shutdown`](Self::shutdown).
    pub fn len(&self) -> usize {
        self.post.backlog().len() as usize
    }

    /// Whether there are none: exact at an instant during the call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are as many messages as there may be: exact at an instant during the call. A queue that is bounded by bytes is full
    /// when a small message would have no room; a longer one, or one that carries descriptors, may have to wait before that.
    pub fn is_full(&self) -> bool {
        self.post.backlog().is_full()
    }

    /// Ends the queue for everybody. From now on puts fail with [`ErrorKind::Closed`], and so do gets, at once or when the
    /// queue is empty; who waits wakes up. Once immediate, always immediate.
    ///
    /// # Errors
    /// [`ErrorKind::Os`] when the lock of the queue is of no use any more.
    pub fn shutdown(&self, how: Shutdown) -> Result<(), Error> {
        let immediate = how == Shutdown::Immediate;
        let closed = self.post.backlog().close(immediate);
        let closed = if immediate { closed.and_then(|()| self.post.discard_bundles()) } else { closed };
        // Whoever watches finds that there will be nothing.
        self.post.bell().ring();
        closed.map_err(|error| Error::os("cannot shut a queue down", error))
    }

    pub(super) fn post(&self) -> &Post {
        &self.post
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts a message in. Waits for room while the queue is full; when it returns, the message is in the queue.
    ///
    /// # Errors
    /// The value comes back with the reason: [`ErrorKind::Closed`] after a shutdown, [`ErrorKind::Encode`] when the value
    /// cannot be encoded; [`ErrorKind::Full`] for an unbounded queue at its limit.
    ///
    /// # Blocking and death
    /// Returns when somebody has made room, or after a shutdown. Nobody may be left who makes room: name a time-out
    /// ([`put_timeout`](Self::put_timeout)) where that can be. Who is killed while he puts has put the message or not.
    pub fn put(&self, value: T) -> Result<(), SendError<T>> {
        self.put_how(value, Wait::Forever)
    }

    /// Puts a message in if there is room now.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`ErrorKind::Full`].
    pub fn try_put(&self, value: T) -> Result<(), SendError<T>> {
        self.put_how(value, Wait::No)
    }

    /// Puts a message in; waits for room at most `timeout`. Zero looks once.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`ErrorKind::TimedOut`].
    ///
    /// # Blocking and death
    /// As [`put`](Self::put), and when the time is over.
    pub fn put_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.put_how(value, Wait::AtMost(timeout))
    }

    fn put_how(&self, value: T, wait: Wait) -> Result<(), SendError<T>> {
        let inline_max = self.post.backlog().inline_max();
        let put = if codec::has_run_over(inline_max, &value) {
            Parcel::of_value(&value, inline_max).and_then(|parcel| self.post.put_parcel(parcel, wait))
        } else {
            scratch::with(|bytes| {
                let handles = parcel::encode(&value, bytes)?;
                self.post.put(bytes, handles, wait)
            })
        };
        match put {
            Ok(()) => Ok(()),
            Err(error) => Err(SendError::new(value, error)),
        }
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Waits for the next message and takes it.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] after a shutdown, [`ErrorKind::Decode`] when the message is of another type, [`ErrorKind::Os`] when this
    /// process has no descriptors left for what it holds: it is gone then, and for a [`JoinableQueue`](crate::JoinableQueue) not done.
    ///
    /// # Blocking and death
    /// Returns when there is a message, or after a shutdown. A queue does not know who might still put: nobody may be
    /// left. Name a time-out ([`get_timeout`](Self::get_timeout)) where that can be.
    pub fn get(&self) -> Result<T, Error> {
        self.get_how(Wait::Forever)
    }

    /// Takes the next message if there is one now.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`ErrorKind::Empty`].
    pub fn try_get(&self) -> Result<T, Error> {
        self.get_how(Wait::No)
    }

    /// Waits for the next message at most `timeout` and takes it. Zero looks once.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`ErrorKind::TimedOut`].
    ///
    /// # Blocking and death
    /// As [`get`](Self::get), and when the time is over.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, Error> {
        self.get_how(Wait::AtMost(timeout))
    }

    fn get_how(&self, wait: Wait) -> Result<T, Error> {
        scratch::with(|bytes| match self.post.get(bytes, wait)? {
            None => parcel::decode(bytes),
            Some(beside) => beside.join(std::mem::take(bytes))?.into_value(),
        })
    }

    /// The messages from now on, shared with everybody else who gets. It ends after a shutdown.
    pub fn iter(&self) -> Messages<'_, T> {
        Messages(self)
    }
}

impl<T> QueueBuilder<T> {
    /// At most so many messages.
    pub fn items(mut self, items: usize) -> Self {
        self.items = Some(items);
        self
    }

    /// At most so many bytes of encoded messages, rounded up to a power of two from 4 KiB to 1 GiB. Each message counts as 16 bytes
    /// and its own, rounded up to a multiple of 16: a `u8` as 32. A message that is longer than a quarter of it, or than 512 KiB, counts as an empty one.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Makes the queue.
    ///
    /// # Errors
    /// As [`Queue::bounded`]; [`ErrorKind::InvalidInput`] also for no bytes or more than 1 GiB.
    pub fn build(self) -> Result<Queue<T>, Error> {
        let items = match (self.items, self.bytes) {
            (None, None) => limits::QUEUE_ITEMS_MAX,
            (None, Some(_)) => limits::QUEUE_ITEMS_MAX - 1,
            (Some(items), _) => u32::try_from(items).unwrap_or(0),
        };
        if items == 0 || (self.items.is_some() && items >= limits::QUEUE_ITEMS_MAX) {
            let message = format!(
                "a queue of {} messages was asked for; it must be of 1 to {} (`Queue::unbounded` takes them as they come)",
                self.items.unwrap_or_default(),
                limits::QUEUE_ITEMS_MAX - 1
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let bytes = self.bytes.map_or(limits::QUEUE_BYTES, |bytes| u32::try_from(bytes).unwrap_or(0));
        if bytes == 0 || bytes > limits::QUEUE_BYTES_MAX {
            let message = format!(
                "a queue of {} bytes was asked for; it must be of 1 to {}",
                self.bytes.unwrap_or_default(),
                limits::QUEUE_BYTES_MAX
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let ring_bytes = bytes.next_power_of_two().max(limits::QUEUE_BYTES_MIN);
        Ok(Queue { post: Arc::new(Post::create(Shape { items, ring_bytes })?), types: PhantomData })
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { post: self.post.clone(), types: PhantomData }
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.post.give().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let post = Post::take(Address::deserialize(deserializer)?).map_err(de::Error::custom)?;
        Ok(Self { post: Arc::new(post), types: PhantomData })
    }
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a Queue<T> {
    type Item = Result<T, Error>;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: DeserializeOwned> Iterator for Messages<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.get() {
            Ok(value) => Some(Ok(value)),
            Err(error) if error.is_closed() => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Messages<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(self.0).finish()
    }
}

impl<T> fmt::Debug for QueueBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBuilder").field("items", &self.items).field("bytes", &self.bytes).finish()
    }
}
