//! `chunks_mut`: tasks that work in place on pieces of the caller's memory.
//!
//! ```text
//!  vector, other arguments ─► encoded once: bytes, descriptors
//!  pieces ─► calls of a few bytes each ─► frames of many calls ─► a worker has the vector in view for all calls of a frame
//! ```
//! Each piece is a call of its own, with an outcome of its own. What came for a frame is let go before the outcome of its last call is
//! published: when all outcomes are there, nobody can write to the vector any more.

use super::map::{Input, Run};
use super::outcomes::{All, Outcomes};
use super::scheduler::OnFailure;
use super::ticket::TaskRef;
use super::verbs::Pool;
use crate::error::{Error, ErrorKind};
use crate::shared::shareable::Shareable;
use crate::shared::vector::{ChunkMut, Lending, Lent, SharedVec};
use crate::sys::Handle;
use crate::task::arguments::{Args, Behind, Task};
use crate::wire::codec::CodecError;
use crate::wire::handles;
use crate::wire::outgoing::Outgoing;
use serde::de::DeserializeOwned;
use std::num::NonZeroUsize;
use std::sync::Arc;

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
    /// The failure of the earliest chunk that failed; later ones that no worker has begun by then are not lent. If the pool ended while
    /// workers still ran, the chunks whose calls had not ended are zero: what is still running writes into memory that
    /// is no longer the vector's. [`ErrorKind::InvalidInput`] for a `size` of zero.
    ///
    /// # Panics
    /// If the `Deserialize` of a result does. Every loan is over then as well; if a call was still at work, each chunk whose result had
    /// not been read is zero.
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
        self.lend_all(self.find(task)?, vector, size, &())
    }

    /// As [`chunks_mut`](Self::chunks_mut), for tasks that take more than the chunk: each call is given these arguments as well.
    ///
    /// They are a tuple as that of [`apply`](Self::apply), or a reference to one, and are encoded once for all calls. What is large
    /// should be [`Shared`](crate::shm::Shared), which is read in place; a `Vec` is sent with each chunk.
    ///
    /// ```
    /// use mp::shm::{ChunkMut, Shared, SharedVec};
    ///
    /// /// Blurs some rows: each pixel becomes the mean of itself and its neighbours to the left and to the right.
    /// #[mp::task]
    /// fn blur(mut rows: ChunkMut<'_, f32>, image: Shared<[f32]>, width: usize) {
    ///     let first = rows.start();
    ///     for (pixel, at) in rows.iter_mut().zip(first..) {
    ///         let row = at - at % width..at - at % width + width;
    ///         let near = &image[row.start.max(at.saturating_sub(1))..row.end.min(at + 2)];
    ///         *pixel = near.iter().sum::<f32>() / near.len() as f32;
    ///     }
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let image = Shared::from_slice(&[0.0, 3.0, 0.0, 6.0, 6.0, 0.0])?;
    ///     let mut blurred = SharedVec::zeroed(image.len())?;
    ///     mp::Pool::new(2)?.chunks_mut_with(blur, &mut blurred, 3, (&image, 3))?;
    ///     assert_eq!(*blurred, [1.5, 1.0, 1.5, 6.0, 4.0, 3.0]);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`chunks_mut`](Self::chunks_mut). [`ErrorKind::Encode`] for an argument that cannot travel, and for one that only a single
    /// process can have, as the receiving end of a pipe.
    ///
    /// # Panics
    /// As [`chunks_mut`](Self::chunks_mut).
    ///
    /// # Blocking and death
    /// As [`chunks_mut`](Self::chunks_mut).
    #[track_caller]
    pub fn chunks_mut_with<'c, F, T, P, A>(
        &self,
        task: F,
        vector: &mut SharedVec<T>,
        size: usize,
        args: A,
    ) -> Result<Vec<F::Output>, Error>
    where
        F: Task<P::All>,
        T: Shareable,
        P: Behind<ChunkMut<'c, T>>,
        A: Args<P>,
        F::Output: DeserializeOwned,
    {
        self.lend_all(self.find(task)?, vector, size, &args)
    }

    fn lend_all<T, P, R>(
        &self,
        task: TaskRef,
        vector: &mut SharedVec<T>,
        size: usize,
        args: &impl Args<P>,
    ) -> Result<Vec<R>, Error>
    where
        T: Shareable,
        R: DeserializeOwned,
    {
        let Some(size) = NonZeroUsize::new(size) else {
            return Err(Error::new(ErrorKind::InvalidInput, "chunks of no elements would never end"));
        };
        self.shared.refuse_inside()?;
        let lending = vector.lend(size);
        let encoded = encode(&lending, args);
        let (behind, handles) = encoded.map_err(|error| error.for_task(task.1.name))?;
        let mut outcomes = Noted { all: All::with_capacity(lending.count()), lending: &lending };
        let mut pieces = Input::new(lending.chunks(&behind), write::<T>);
        let run =
            Run { shared: &self.shared, task, on_failure: OnFailure::CancelLater, common: Some(&handles) };
        let ran = run.run(&mut pieces, &mut outcomes);
        let all = outcomes.all;
        drop(pieces);
        let chunks = lending.count();
        lending.finish()?;
        ran?;
        let results = all.whole()?.filter(|results| results.len() == chunks);
        results.ok_or_else(|| {
            Error::new(ErrorKind::Closed, "the pool ended before all chunks were done").for_task(task.1.name)
        })
    }
}

/// The arguments behind the chunk, and the descriptors that go with each call.
fn encode<T: Shareable, P>(
    lending: &Lending<'_, T>,
    args: &impl Args<P>,
) -> Result<(Vec<u8>, Arc<[Handle]>), Error> {
    let (mut bytes, mut given) = (Vec::new(), Vec::new());
    lending.give(&mut given).map_err(|error| unencodable::<T>(&error))?;
    let mut out = Outgoing::whole(&mut bytes, &mut given);
    let written = args.write(&mut out);
    // Nothing leaves this process with a call of many.
    let leaves = handles::leaving().is_any();
    written?;
    if leaves {
        let what = "only one process can have it, and each chunk would need one";
        return Err(Error::argument_unencodable(std::any::type_name::<P>(), what));
    }
    Ok((bytes, given.into()))
}

fn write<'a, T: Shareable>(piece: &'a Lent<'_>, out: &mut Outgoing<'_, 'a>) -> Result<(), Error> {
    piece.write(out).map_err(|error| unencodable::<T>(&error))
}

fn unencodable<T: Shareable>(error: &CodecError) -> Error {
    Error::argument_unencodable(std::any::type_name::<ChunkMut<'_, T>>(), &error.to_string())
}

/// What the calls returned, and which of them run no more.
struct Noted<'l, 'v, T: Shareable, R> {
    all: All<R>,
    lending: &'l Lending<'v, T>,
}

impl<T: Shareable, R> Outcomes<R> for Noted<'_, '_, T, R> {
    #[inline]
    fn value(&mut self, number: u64, value: R) {
        self.lending.note(number, true);
        self.all.value(number, value);
    }

    fn failure(&mut self, number: u64, error: Error) -> Option<u64> {
        self.lending.note(number, has_ended(&error));
        self.all.failure(number, error)
    }
}

/// Whether a call with this outcome is known to run no more, or never began.
fn has_ended(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Panicked
            | ErrorKind::WorkerLost
            | ErrorKind::Encode
            | ErrorKind::Decode
            | ErrorKind::Cancelled
    )
}
