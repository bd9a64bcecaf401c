//! A queue that knows whether what was put into it has been worked on.

use super::queue::Queue;
use crate::error::{Error, ErrorKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// A [`Queue`] with [`task_done`](Self::task_done) and [`join`](Self::join): it can be waited for until everything that was
/// put into it has been worked on. Everything else it does as a queue.
///
/// A message whose receiver is killed before it says `task_done` is never done: name a time-out, or put it again.
///
/// ```
/// #[mp::task]
/// fn work(todo: mp::JoinableQueue<String>) {
///     for item in &*todo {
///         println!("working on {}", item.expect("an item"));
///         todo.task_done().expect("one item, once");
///     }
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let todo = mp::JoinableQueue::bounded(10)?;
///     let worker = mp::spawn(work, (todo.clone(),))?;
///     todo.put("this".into())?;
///     todo.put("that".into())?;
///     todo.join()?; // both are done
///     todo.shutdown(mp::Shutdown::Drain)?;
///     worker.join()
/// }
/// ```
pub struct JoinableQueue<T>(Queue<T>);

impl<T> JoinableQueue<T> {
    /// A queue of at most `items` messages: see [`Queue::bounded`].
    pub fn bounded(items: usize) -> Result<Self, Error> {
        Queue::bounded(items).map(Self)
    }

    /// A queue without a bound: see [`Queue::unbounded`].
    pub fn unbounded() -> Result<Self, Error> {
        Queue::unbounded().map(Self)
    }

    /// Says that one message was worked on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when it is said more often than messages were put.
    pub fn task_done(&self) -> Result<(), Error> {
        if self.0.post().backlog().task_done() {
            return Ok(());
        }
        let message = "task_done was called more often than messages were put";
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    /// Waits until every message that was put has been worked on.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when the queue is shut down at once before that.
    ///
    /// # Blocking and death
    /// A worker that is killed does not say that it is done: where that can be, name a time-out
    /// ([`join_timeout`](Self::join_timeout)).
    pub fn join(&self) -> Result<(), Error> {
        self.join_within(None)
    }

    /// Waits until every message that was put has been worked on, at most `timeout`. Zero looks once.
    ///
    /// # Errors
    /// As [`join`](Self::join), and [`ErrorKind::TimedOut`].
    ///
    /// # Blocking and death
    /// Returns when it is so, when the queue is shut down at once, or when the time is over.
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), Error> {
        self.join_within(Some(timeout))
    }

    fn join_within(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let backlog = self.0.post().backlog();
        let ended = backlog.wait_until_finished(timeout);
        if backlog.is_finished() {
            Ok(())
        } else if backlog.is_closed() {
            Err(Error::new(ErrorKind::Closed, "not everything was worked on: the queue was shut down"))
        } else if ended {
            // It was finished when the wait ended, and more was put since.
            Ok(())
        } else {
            let message = format!("not everything was worked on within {:?}", timeout.unwrap_or_default());
            Err(Error::new(ErrorKind::TimedOut, message))
        }
    }
}

impl<T> Deref for JoinableQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Serialize for JoinableQueue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for JoinableQueue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Queue::deserialize(deserializer).map(Self)
    }
}

impl<T> fmt::Debug for JoinableQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinableQueue").field(&self.0).finish()
    }
}
