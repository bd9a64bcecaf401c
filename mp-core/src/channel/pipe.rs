//! Pipes: messages from one end to the other, in order, until one of them is gone.

use super::end::{End, Wait};
use super::parcel::Parcel;
use super::refusal::SendError;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::sys::{BorrowedHandle, lends_kernel_handle};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Makes a pipe: what is sent at the one end comes out at the other, in any process of the family.
///
/// ```
/// #[mp::task]
/// fn greet(sender: mp::Sender<String>) {
///     sender.send("hello from another process".into()).expect("somebody listens");
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let (sender, receiver) = mp::pipe::<String>()?;
///     let child = mp::spawn(greet, (sender,))?;
///     assert_eq!(receiver.recv()?, "hello from another process");
///     assert!(receiver.recv().unwrap_err().is_closed()); // its sender is gone
///     child.join()
/// }
/// ```
///
/// # Errors
/// [`ErrorKind::Os`] when the process has no descriptors left.
pub fn pipe<T>() -> Result<(Sender<T>, Receiver<T>), Error> {
    let (one, other) = End::pair()?;
    Ok((Sender { end: one, types: PhantomData }, Receiver { end: other, types: PhantomData }))
}

/// Makes a pipe for both directions: `A` goes from the first end to the second, `B` comes back.
///
/// ```
/// let (here, there) = mp::duplex::<u32, String>()?;
/// here.send(7)?;
/// there.send(format!("got {}", there.recv()?))?;
/// assert_eq!(here.recv()?, "got 7");
/// # Ok::<(), mp::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Os`] when the process has no descriptors left.
#[allow(clippy::type_complexity)] // two ends, as `pipe` has
pub fn duplex<A, B>() -> Result<(Duplex<A, B>, Duplex<B, A>), Error> {
    let (one, other) = End::pair()?;
    Ok((Duplex { end: one, types: PhantomData }, Duplex { end: other, types: PhantomData }))
}

/// The end of a [`pipe`] that messages go into.
///
/// It is a serde value: as an argument, in a result or in another message it moves to another process, and is of no use
/// here afterwards ([`ErrorKind::AlreadyTaken`]). It stays if that message was not sent, or not all of the arguments could be
/// encoded. Several threads may send; messages are never mixed.
///
/// One argument tuple, result or message carries at most 64 descriptors: one for each end of a pipe, lock, event or piece of
/// shared memory in it, and four for a queue.
pub struct Sender<T> {
    end: End,
    types: PhantomData<fn(T)>,
}

/// The end of a [`pipe`] that messages come out of.
///
/// It is a serde value, as [`Sender`] is. Several threads may receive; each message goes to one of them.
pub struct Receiver<T> {
    end: End,
    types: PhantomData<fn() -> T>,
}

/// An end of a [`duplex`]: `A` goes in, `B` comes out.
///
/// It is a serde value, as [`Sender`] is.
///
/// ```
/// use mp::Duplex;
///
/// #[mp::task]
/// fn answer(questions: Duplex<usize, String>) -> Result<(), mp::Error> {
///     for question in &questions {
///         questions.send(question?.len())?;
///     }
///     Ok(())
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let (ours, theirs) = mp::duplex::<String, usize>()?;
///     let child = mp::spawn(answer, (theirs,))?;
///     ours.send("how long?".to_owned())?;
///     assert_eq!(ours.recv()?, 9);
///     drop(ours); // the end of its questions
///     child.join()?
/// }
/// ```
pub struct Duplex<A, B> {
    end: End,
    #[allow(clippy::type_complexity)] // neither of the two is owned
    types: PhantomData<fn(A) -> B>,
}

/// The messages of an end until its sender is gone: made by [`Receiver::iter`] and [`Duplex::iter`].
pub struct Iter<'a, T> {
    end: &'a End,
    types: PhantomData<fn() -> T>,
}

macro_rules! sends {
    ([$($generics:ident),*] $name:ty, $message:ident) => {
        impl<$($generics),*> $name {
            /// Sends bytes as they are, for [`recv_bytes`](Receiver::recv_bytes) at the other end.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            ///
            /// # Blocking and death
            /// As [`send`](Self::send).
            pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
                self.send_bytes_how(bytes, Wait::Forever)
            }

            /// Sends bytes as they are if there is room for them now.
            ///
            /// # Errors
            /// As [`try_send`](Self::try_send).
            pub fn try_send_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
                self.send_bytes_how(bytes, Wait::No)
            }

            /// Sends bytes as they are, and waits for room at most `timeout`. Zero tries once.
            ///
            /// # Errors
            /// As [`send_timeout`](Self::send_timeout).
            ///
            /// # Blocking and death
            /// As [`send_timeout`](Self::send_timeout).
            pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<(), Error> {
                self.send_bytes_how(bytes, Wait::AtMost(timeout))
            }

            fn send_bytes_how(&self, bytes: &[u8], wait: Wait) -> Result<(), Error> {
                self.end.send(Parcel::of_bytes(bytes, limits::PACKET_BYTES_MAX)?, wait)
            }
        }

        impl<$($generics),*> $name
        where
            $message: Serialize,
        {
            /// Sends a message. Waits for room while the pipe is full; when it returns, the message is in the pipe, and this
            /// process may end.
            ///
            /// # Errors
            /// The value comes back with the reason: [`ErrorKind::Closed`] when the receiver is gone, [`ErrorKind::Encode`]
            /// when the value cannot be encoded, [`ErrorKind::AlreadyTaken`] when this end or one in the value was sent away.
            ///
            /// # Blocking and death
            /// Returns when the receiver has made room, or is gone, whatever ended it. A sender that is killed leaves the
            /// whole message or nothing.
            pub fn send(&self, value: $message) -> Result<(), SendError<$message>> {
                self.send_how(value, Wait::Forever)
            }

            /// Sends a message if there is room for it now.
            ///
            /// # Errors
            /// As [`send`](Self::send), and [`ErrorKind::Full`].
            pub fn try_send(&self, value: $message) -> Result<(), SendError<$message>> {
                self.send_how(value, Wait::No)
            }

            /// Sends a message, and waits for room at most `timeout`. Zero tries once.
            ///
            /// # Errors
            /// As [`send`](Self::send), and [`ErrorKind::TimedOut`].
            ///
            /// # Blocking and death
            /// As [`send`](Self::send), and when the time is over.
            pub fn send_timeout(&self, value: $message, timeout: Duration) -> Result<(), SendError<$message>> {
                self.send_how(value, Wait::AtMost(timeout))
            }

            fn send_how(&self, value: $message, wait: Wait) -> Result<(), SendError<$message>> {
                let parcel = Parcel::of_value(&value, limits::PACKET_BYTES_MAX);
                let sent = parcel.and_then(|parcel| self.end.send(parcel, wait));
                sent.map_err(|error| SendError::new(value, error))
            }
        }
    };
}

macro_rules! receives {
    ([$($generics:ident),*] $name:ty, $message:ident) => {
        impl<$($generics),*> $name {
            /// Whether a message, or the news that none will come, is there within `timeout`. Zero looks once.
            ///
            /// # Errors
            /// [`ErrorKind::AlreadyTaken`] when the end was sent away.
            ///
            /// # Blocking and death
            /// Returns when a message is there, the sender is gone, or the time is over.
            pub fn poll(&self, timeout: Duration) -> Result<bool, Error> {
                self.end.poll(timeout)
            }

            /// Waits for a message that was sent as bytes.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Blocking and death
            /// As [`recv`](Self::recv).
            pub fn recv_bytes(&self) -> Result<Vec<u8>, Error> {
                self.end.receive(Wait::Forever)?.into_bytes()
            }

            /// A message that was sent as bytes, if it is there now.
            ///
            /// # Errors
            /// As [`try_recv`](Self::try_recv).
            pub fn try_recv_bytes(&self) -> Result<Vec<u8>, Error> {
                self.end.receive(Wait::No)?.into_bytes()
            }

            /// Waits for a message that was sent as bytes, at most `timeout`. Zero looks once.
            ///
            /// # Errors
            /// As [`recv_timeout`](Self::recv_timeout).
            ///
            /// # Blocking and death
            /// As [`recv_timeout`](Self::recv_timeout).
            pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, Error> {
                self.end.receive(Wait::AtMost(timeout))?.into_bytes()
            }

            /// Waits for a message that was sent as bytes, writes it to the front of `buffer`, and returns its length.
            ///
            /// # Errors
            /// As [`recv`](Self::recv). [`ErrorKind::InvalidInput`] when the message is longer than `buffer`: it stays, and
            /// can be received in another way.
            ///
            /// # Blocking and death
            /// As [`recv`](Self::recv).
            pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, Error> {
                let len = self.end.next_len()?;
                if len > buffer.len() as u64 {
                    let message = format!("a message of {len} bytes is longer than the buffer of {}", buffer.len());
                    return Err(Error::new(ErrorKind::InvalidInput, message));
                }
                let bytes = self.end.receive(Wait::Forever)?.into_bytes()?;
                let room = buffer.get_mut(..bytes.len()).ok_or_else(|| {
                    Error::new(ErrorKind::InvalidInput, "two threads received from one end, and one took the other's message")
                })?;
                room.copy_from_slice(&bytes);
                Ok(bytes.len())
            }

            /// Refuses longer messages from now on, counted in encoded bytes: they are dropped, and receiving them is an
            /// [`ErrorKind::InvalidInput`]. The limit moves along when the end does.
            #[must_use]
            pub fn max_len(mut self, bytes: u64) -> Self {
                self.end.limit(bytes);
                self
            }
        }

        impl<$($generics),*> $name
        where
            $message: DeserializeOwned,
        {
            /// Waits for the next message.
            ///
            /// # Errors
            /// [`ErrorKind::Closed`] when the sender is gone and everything it sent was read, [`ErrorKind::Decode`] when the
            /// message is of another type, [`ErrorKind::Os`] when this process has no descriptors left for what it holds: it is
            /// dropped then. [`ErrorKind::AlreadyTaken`] when this end was sent away.
            ///
            /// # Blocking and death
            /// Returns when a message is there, or the sender is gone, whatever ended it.
            pub fn recv(&self) -> Result<$message, Error> {
                self.end.receive(Wait::Forever)?.into_value()
            }

            /// The next message if it is there now.
            ///
            /// # Errors
            /// As [`recv`](Self::recv), and [`ErrorKind::Empty`].
            pub fn try_recv(&self) -> Result<$message, Error> {
                self.end.receive(Wait::No)?.into_value()
            }

            /// Waits for the next message, at most `timeout`. Zero looks once.
            ///
            /// # Errors
            /// As [`recv`](Self::recv), and [`ErrorKind::TimedOut`].
            ///
            /// # Blocking and death
            /// As [`recv`](Self::recv), and when the time is over.
            pub fn recv_timeout(&self, timeout: Duration) -> Result<$message, Error> {
                self.end.receive(Wait::AtMost(timeout))?.into_value()
            }

            /// The messages from now on. It ends when the sender is gone and everything it sent was read.
            pub fn iter(&self) -> Iter<'_, $message> {
                Iter { end: &self.end, types: PhantomData }
            }
        }

        impl<$($generics),*> $name {
            fn handle(&self) -> BorrowedHandle<'_> {
                self.end.handle()
            }
        }

        lends_kernel_handle!($name $(, $generics)*);

        impl<'a, $($generics),*> IntoIterator for &'a $name
        where
            $message: DeserializeOwned,
        {
            type Item = Result<$message, Error>;
            type IntoIter = Iter<'a, $message>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }
    };
}

macro_rules! travels {
    ([$($generics:ident),*] $name:ty, $title:literal) => {
        impl<$($generics),*> $name {
            /// The descriptor, for any poll loop. It stays open while this end lives, also after the end was sent away; it
            /// is readable for ever then.
            pub fn as_fd(&self) -> BorrowedHandle<'_> {
                self.end.handle()
            }
        }

        impl<$($generics),*> Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.end.depart().map_err(ser::Error::custom)?.serialize(serializer)
            }
        }

        impl<'de, $($generics),*> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let end = End::arrive(Deserialize::deserialize(deserializer)?).map_err(de::Error::custom)?;
                Ok(Self { end, types: PhantomData })
            }
        }

        impl<$($generics),*> fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($title).field(&self.end.handle()).finish()
            }
        }
    };
}

sends!([T] Sender<T>, T);
travels!([T] Sender<T>, "Sender");
receives!([T] Receiver<T>, T);
travels!([T] Receiver<T>, "Receiver");
sends!([A, B] Duplex<A, B>, A);
receives!([A, B] Duplex<A, B>, B);
travels!([A, B] Duplex<A, B>, "Duplex");

impl<T: DeserializeOwned> Iterator for Iter<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.end.receive(Wait::Forever) {
            Ok(parcel) => Some(parcel.into_value()),
            Err(error) if error.is_closed() => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(&self.end.handle()).finish()
    }
}
