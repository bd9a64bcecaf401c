//! What a worker says in its ring.

use crate::ids::CallSeq;
use crate::protocol::frame::response;
use crate::shm::frame::FrameHead;

/// One frame from a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The call that it is about.
    pub seq: CallSeq,
    /// What happened.
    pub kind: ResponseKind,
}

/// What happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseKind {
    /// It returned.
    Done,
    /// It failed.
    Failed,
    /// It, and the revoked ones after it, did not run.
    Skipped,
}

/// Something that no worker of ours would do, or that leaves nothing to be done with it: why it is killed.
#[derive(Debug)]
pub struct Violation(pub String);

impl Violation {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(format!("its parent killed it because it broke the protocol: {}", what.into()))
    }
}

/// Whether a response says no more than that a call returned.
pub fn is_plain(head: FrameHead) -> bool {
    head == FrameHead::default() || (head.kind, head.flags) == (response::DONE, 0)
}
