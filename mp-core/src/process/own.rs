//! What belongs to this process and not to a copy of it: a process that is forked finds the memory of another.

use std::sync::{PoisonError, RwLock};

/// A value that is made once in each process and stays.
#[derive(Debug)]
pub struct Own<T: 'static>(RwLock<Option<(u32, &'static T)>>);

impl<T> Own<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The value of this process, if it has been made.
    pub fn get(&self) -> Option<&'static T> {
        // Written in one assignment: a panic elsewhere cannot have left it half done.
        let value = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        value.filter(|(owner, _)| *owner == std::process::id()).map(|(_, value)| value)
    }

    /// Makes it the value of this process, unless there is one: that one is returned.
    pub fn get_or_set(&self, value: T) -> &'static T {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match *place {
            Some((owner, value)) if owner == std::process::id() => value,
            Some(_) | None => {
                // Kept for the life of the process, in each process once.
                let value = Box::leak(Box::new(value));
                *place = Some((std::process::id(), value));
                value
            }
        }
    }
}
