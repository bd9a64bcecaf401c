//! What the attribute leaves behind for each task.

use super::calls::Invoke;
use crate::fnv::Fnv;
use std::any::TypeId;
use std::sync::atomic::AtomicPtr;

/// One annotated function.
#[derive(Debug)]
pub struct Entry {
    /// The name given with `name = ".."`, or module path and function name.
    pub name: &'static str,
    /// Whether the name was given; given names are unique over the program.
    pub named: bool,
    /// Package name and version, `pkg@1.2.3`.
    pub package: &'static str,
    /// The signature as written, for the fingerprint and for messages.
    pub signature: &'static str,
    /// Where the function stands.
    pub file: &'static str,
    /// The line of its name, from 1.
    pub line: u32,
    /// The column of its name, from 1.
    pub column: u32,
    /// The type of the function item: how a call finds its entry.
    pub type_id: fn() -> TypeId,
    /// The glue.
    pub invoke: Invoke,
}

impl Entry {
    /// A hash over what two processes must agree on to mean the same task.
    const fn fingerprint(&self) -> u64 {
        Fnv::new()
            .text(self.name)
            .text(self.package)
            .text(self.signature)
            .text(self.file)
            .number(self.line as u64)
            .number(self.column as u64)
            .0
    }
}

/// An [`Entry`] as a link of the list that constructors build before `main`.
#[derive(Debug)]
pub struct Node {
    pub(super) entry: Entry,
    /// The entry's, computed by the compiler: each process that starts needs it.
    pub(super) fingerprint: u64,
    pub(super) next: AtomicPtr<Node>,
}

impl Node {
    /// A node that is not in the list yet.
    pub const fn new(entry: Entry) -> Self {
        let fingerprint = entry.fingerprint();
        Self { entry, fingerprint, next: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

/// How to ask for the type of a function item, which has no name.
pub const fn type_id_of<F: 'static>(_: &F) -> fn() -> TypeId {
    TypeId::of::<F>
}
