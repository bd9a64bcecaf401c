//! Pools whose workers are started in a way that somebody has chosen.

use super::{Pool, PoolBuilder};
use crate::error::Error;
use crate::process::method::Context;

impl Context {
    /// A pool of so many workers, as [`Pool::new`].
    ///
    /// # Errors
    /// As those of [`PoolBuilder::build`].
    pub fn pool(&self, workers: usize) -> Result<Pool, Error> {
        self.pool_builder().workers(workers).build()
    }

    /// Builds a pool, as [`Pool::builder`].
    pub fn pool_builder(&self) -> PoolBuilder {
        Pool::builder().context(self)
    }
}
