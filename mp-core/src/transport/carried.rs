//! Descriptors that came ahead of the results they belong to.

use super::control::Arrived;
use crate::ids::CallSeq;
use std::collections::VecDeque;

/// Those of results that have not been heard yet.
#[derive(Debug, Default)]
pub struct Carried(VecDeque<(CallSeq, Arrived)>);

impl Carried {
    /// Keeps what came for the result of a call, be it that there was no room for it.
    pub fn keep(&mut self, call: CallSeq, arrived: Arrived) {
        self.0.push_back((call, arrived));
    }

    /// What came for the result of this call, if it is there. That of calls before it, whose results nobody heard, goes.
    pub fn take(&mut self, call: CallSeq) -> Option<Arrived> {
        while let Some((of, arrived)) = self.0.pop_front() {
            if of == call {
                return Some(arrived);
            }
        }
        None
    }
}
