//! `chunks_mut`: tasks that work in place on pieces of the caller's memory.

use super::verbs::Pool;
use crate::error::{Error, ErrorKind};
use crate::shared::shareable::Shareable;
use crate::shared::vector::{ChunkMut, Lent, SharedVec};
use crate::task::arguments::{Arg, Task};
use crate::wire::codec;
use crate::wire::outgoing::Outgoing;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::num::NonZeroUsize;

/// How many chunks are on their way for each worker: enough that none waits, few enough descriptors.
const CHUNKS_PER_WORKER: usize = 4;

impl Pool {
    /// Lends the elements of `vector` to a task, `size` at a time, and returns what the calls returned, in order.
    ///
    /// The task takes a [`ChunkMut`](crate::shm::ChunkMut), which is a `&mut [T]` to the same memory: nothing is copied.
    /// Every loan is over when this returns, whatever became of the worker. Where a call failed, the elements are as it
    /// left them.
    ///
    /// ```
    /// #[mp::task]
    /// fn smooth(mut chunk: mp::shm::ChunkMut<'_, f64>) -> f64 {
    ///     let mean = chunk.iter().sum::<f64>() / chunk.len() as f64;
    ///     chunk.fill(mean);
    ///     mean
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let mut samples = mp::shm::SharedVec::from_slice(&[1.0, 3.0, 5.0, 9.0])?;
    ///     assert_eq!(mp::Pool::new(2)?.chunks_mut(smooth, &mut samples, 2)?, [2.0, 7.0]);
    ///     assert_eq!(*samples, [2.0, 2.0, 7.0, 7.0]);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The failure of the earliest chunk that failed; no more chunks are lent after one did. If the pool ended while
    /// workers still ran, the chunks whose calls had not ended are zero: what is still running writes into memory that
    /// is no longer the vector's. [`ErrorKind::InvalidInput`] for a `size` of zero.
    ///
    /// # Panics
    /// If the `Deserialize` of a result does. Every loan is over then as well; what calls that had not ended worked on is zero.
    ///
    /// # Blocking and death
    /// Returns when all calls have ended, their workers have died, or the pool ends. A call of a killed worker fails; it
    /// is not tried again, because its chunk may be half done.
    #[track_caller]
    pub fn chunks_mut<'c, F, T>(
        &self,
        task: F,
        vector: &mut SharedVec<T>,
        size: usize,
    ) -> Result<Vec<F::Output>, Error>
    where
        F: Task<(ChunkMut<'c, T>,)>,
        T: Shareable,
        F::Output: DeserializeOwned,
    {
        let Some(size) = NonZeroUsize::new(size) else {
            return Err(Error::new(ErrorKind::InvalidInput, "chunks of no elements would never end"));
        };
        let ahead = NonZeroUsize::new(CHUNKS_PER_WORKER * self.size()).unwrap_or(NonZeroUsize::MIN);
        let lending = vector.lend(size);
        let (chunks, failed) = (lending.count(), Cell::new(false));
        let mut outcomes = Vec::with_capacity(chunks);
        {
            let pieces = lending.chunks(|| !failed.get());
            for outcome in self.imap(task, pieces).read_ahead(ahead) {
                failed.set(failed.get() || outcome.is_err());
                lending.note(outcome.as_ref().err().is_none_or(has_ended));
                outcomes.push(outcome);
            }
        }
        lending.finish()?;
        let results = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        if results.len() == chunks {
            Ok(results)
        } else {
            Err(Error::new(ErrorKind::Closed, "the pool ended before all chunks were done"))
        }
    }
}

/// Whether a call with this outcome is known to run no more.
fn has_ended(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Panicked | ErrorKind::WorkerLost | ErrorKind::Encode | ErrorKind::Decode
    )
}

#[diagnostic::do_not_recommend] // nobody can name it
impl<T: Shareable> Arg<ChunkMut<'_, T>> for Lent<'_, T> {
    fn write<'a>(&'a self, out: &mut Outgoing<'_, 'a>) -> Result<(), Error> {
        codec::encode_into(self, out).map_err(|error| {
            Error::argument_unencodable(std::any::type_name::<ChunkMut<'_, T>>(), &error.to_string())
        })
    }
}
