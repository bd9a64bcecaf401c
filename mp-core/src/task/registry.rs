//! The table of all tasks of this program: the same in every process of the family.
//!
//! Constructors push nodes onto a list before `main` (numbered, so that they are all done before any unnumbered
//! constructor, such as the one of `mp::test_main!`, runs). The first look-up turns the list into a table. Both
//! processes run the same image, so the order of the list, and with it a task's slot, is the same in both; the handshake
//! compares a fingerprint of the whole table all the same. A worker that is told slots needs no more than the list: only
//! who looks for a function has it sorted by type.

use super::entry::{Entry, Node};
use super::frame::{Arguments, Reply};
use super::instance;
use crate::error::{Error, ErrorKind, Failure};
use crate::fnv::Fnv;
use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A task's place in the table: what travels in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u32);

/// The table.
#[derive(Debug)]
pub struct Registry {
    entries: Vec<&'static Entry>,
    fingerprint: u64,
    index: OnceLock<Index>,
}

/// Where the entry of a function is.
#[derive(Debug)]
struct Index {
    by_type: ByType,
    problem: Option<Error>,
}

type ByType = HashMap<TypeId, Slot, BuildHasherDefault<IdHasher>>;

/// Types have random ids: they are their own hashes.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| hash.rotate_left(8) ^ u64::from(byte));
    }

    #[inline]
    fn write_u64(&mut self, part: u64) {
        self.0 ^= part;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

static HEAD: AtomicPtr<Node> = AtomicPtr::new(std::ptr::null_mut());

/// Adds a task to the list. Called by constructors; allocates nothing and runs nothing.
pub fn register(node: &'static Node) {
    let ours = std::ptr::from_ref(node).cast_mut();
    let mut head = HEAD.load(Ordering::Relaxed);
    loop {
        node.next.store(head, Ordering::Relaxed);
        // PAIR: `nodes` acquires the list that this releases.
        match HEAD.compare_exchange_weak(head, ours, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => head = now,
        }
    }
}

/// The table, made at the first call.
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::new(nodes()))
}

/// The entry of a task, or an error that says which line to add where.
#[track_caller]
pub fn of<F: Copy + 'static>(_task: F) -> Result<(Slot, &'static Entry), Error> {
    find::<F>()
}

/// The entry of `F`, or an error that says which line to add where.
#[track_caller]
pub fn find<F: 'static>() -> Result<(Slot, &'static Entry), Error> {
    registry().find(TypeId::of::<F>(), std::any::type_name::<F>(), Location::caller())
}

impl Registry {
    fn new(mut nodes: Vec<&'static Node>) -> Self {
        // The list grows at its head; the table is in the order of registration.
        nodes.reverse();
        let fingerprint = fingerprint(&nodes);
        Self {
            entries: nodes.into_iter().map(|node| &node.entry).collect(),
            fingerprint,
            index: OnceLock::new(),
        }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.entries))
    }

    /// The entry in a slot that came from outside.
    pub fn get(&self, slot: Slot) -> Option<&'static Entry> {
        self.entries.get(slot.0 as usize).copied()
    }

    /// A hash over everything the two sides of a call must agree on.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What is wrong with the table as a whole.
    pub fn check(&self) -> Result<(), Error> {
        self.index().problem.clone().map_or(Ok(()), Err)
    }

    fn find(
        &self,
        type_id: TypeId,
        type_name: &str,
        caller: &Location<'_>,
    ) -> Result<(Slot, &'static Entry), Error> {
        self.check()?;
        let found = self.index().by_type.get(&type_id).and_then(|&slot| Some((slot, self.get(slot)?)));
        found.ok_or_else(|| not_a_task(type_name, caller))
    }
}

impl Index {
    fn new(entries: &[&'static Entry]) -> Self {
        let mut by_type = ByType::with_capacity_and_hasher(entries.len(), BuildHasherDefault::default());
        let mut kept: Vec<&'static Entry> = Vec::with_capacity(entries.len());
        for (slot, entry) in entries.iter().enumerate() {
            // The same instance of a generic function may be listed in several places; the first one counts.
            if let std::collections::hash_map::Entry::Vacant(place) = by_type.entry((entry.type_id)()) {
                place.insert(Slot(slot as u32));
                kept.push(entry);
            }
        }
        let problem = missing_canary(&by_type).or_else(|| duplicate(&kept));
        Self { by_type, problem }
    }
}

fn not_a_task(type_name: &str, caller: &Location<'_>) -> Error {
    let what = if type_name.contains("{{closure}}") {
        format!(
            "the closure `{type_name}` cannot be run in another process: write a function with `#[mp::task]` above it"
        )
    } else if type_name.starts_with("fn(") || type_name.contains(" fn(") {
        format!(
            "a function pointer `{type_name}` does not say which task it is: pass the function by its name"
        )
    } else if is_without_attributes(type_name) {
        format!("`{type_name}` is not an mp task: write a function with `#[mp::task]` that calls it")
    } else if type_name.contains('<') {
        format!(
            "`{type_name}` is not an mp task: list this instance in its attribute, `#[mp::task(instances(..))]`, or \
             write `mp::task_of!({})` here",
            type_name.replacen('<', "::<", 1)
        )
    } else {
        format!("`{type_name}` is not an mp task: add `#[mp::task]` above its definition")
    };
    Error::new(ErrorKind::NotATask, format!("{what} (used at {caller})")).for_task(type_name.to_owned())
}

/// Whether no attribute can stand above this function: one of the standard library, or of a trait.
fn is_without_attributes(type_name: &str) -> bool {
    let places = ["core::", "alloc::", "std::", "<"];
    places.iter().any(|place| type_name.starts_with(place)) || type_name.contains("<impl ")
}

fn nodes() -> Vec<&'static Node> {
    crate::sys::constructor::run_registering();
    let mut nodes = Vec::new();
    // PAIR: acquires what `register` released.
    let mut next = HEAD.load(Ordering::Acquire);
    while let Some(node) = instance::node_of(next) {
        nodes.push(node);
        next = node.next.load(Ordering::Acquire);
    }
    nodes
}

fn duplicate(entries: &[&'static Entry]) -> Option<Error> {
    let mut named: Vec<_> = entries.iter().filter(|entry| entry.named).collect();
    // Stable: the first of two stays the first.
    named.sort_by_key(|entry| entry.name);
    let (first, entry) = named.iter().zip(named.get(1..)?).find(|(one, next)| one.name == next.name)?;
    Some(Error::new(
        ErrorKind::DuplicateTask,
        format!(
            "two tasks have the name \"{}\": one at {}:{}, the other at {}:{}: change the `name = ..` of one",
            entry.name, first.file, first.line, entry.file, entry.line
        ),
    ))
}

/// A hash over every entry: it must be the same in all processes of one build, and differ between builds.
fn fingerprint(nodes: &[&'static Node]) -> u64 {
    const BUILD: Fnv = Fnv::new()
        .text(env!("CARGO_PKG_VERSION"))
        .text(env!("CARGO_PKG_NAME"))
        .number(size_of::<usize>() as u64);
    nodes.iter().fold(BUILD, |hash, node| hash.number(node.fingerprint)).0
}

/// A task of our own. If it is not in the table, registration does not work on this target or linker, and every
/// "not a task" would be a lie.
fn canary() {}

fn canary_invoke(arguments: &mut Arguments<'_>, reply: Reply<'_>) -> Result<(), Failure> {
    arguments.finish()?;
    canary();
    reply.value(())
}

static CANARY: Node = Node::new(Entry {
    name: "mp::canary",
    named: true,
    package: concat!(env!("CARGO_PKG_NAME"), "@", env!("CARGO_PKG_VERSION")),
    signature: "fn canary()",
    file: file!(),
    line: line!(),
    column: column!(),
    type_id: super::entry::type_id_of(&canary),
    invoke: instance::glue(&canary_invoke),
});

crate::__mp_constructor!(registering: register(&CANARY));

fn missing_canary(by_type: &ByType) -> Option<Error> {
    let canary = super::entry::type_id_of(&canary)();
    (!by_type.contains_key(&canary)).then(|| {
        Error::new(
            ErrorKind::Registry,
            "the registry of tasks is empty: constructors do not run before `main` on this target or with this \
             linker, so no task can be found (see docs/platforms.md)",
        )
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const PLAIN: Entry = Entry {
        name: "name",
        named: false,
        package: "package@1",
        signature: "fn f()",
        file: "file.rs",
        line: 1,
        column: 2,
        type_id: super::super::entry::type_id_of(&canary),
        invoke: instance::glue(&canary_invoke),
    };

    fn of_table(entries: impl IntoIterator<Item = Entry>) -> u64 {
        let nodes = entries.into_iter().map(|entry| &*Box::leak(Box::new(Node::new(entry))));
        fingerprint(&nodes.collect::<Vec<_>>())
    }

    #[test]
    fn tables_that_differ_in_anything_have_other_fingerprints() {
        let other = [
            Entry { name: "names", ..PLAIN },
            Entry { package: "package@2", ..PLAIN },
            Entry { signature: "fn f() -> u8", ..PLAIN },
            Entry { file: "files.rs", ..PLAIN },
            Entry { line: 2, ..PLAIN },
            Entry { column: 1, ..PLAIN },
            Entry { line: 2, column: 1, ..PLAIN },
        ];
        let mut tables: Vec<_> = other.into_iter().map(|entry| of_table([entry])).collect();
        let second = || Entry { name: "second", ..PLAIN };
        tables.extend([
            of_table([]),
            of_table([PLAIN]),
            of_table([PLAIN, PLAIN]),
            of_table([PLAIN, second()]),
            of_table([second(), PLAIN]),
        ]);
        assert_eq!(of_table([PLAIN]), tables[8], "the same in every process");
        assert_eq!(tables.iter().collect::<HashSet<_>>().len(), tables.len(), "{tables:x?}");
    }

    #[test]
    fn a_function_that_is_listed_twice_has_the_first_place() {
        let node = |entry| &*Box::leak(Box::new(Node::new(entry)));
        // The list is read from its end.
        let table = Registry::new(vec![node(Entry { line: 3, ..PLAIN }), node(PLAIN)]);
        table.check().expect("neither was given its name");
        let found = table.find((PLAIN.type_id)(), "canary", Location::caller());
        assert_eq!(found.map(|(slot, entry)| (slot, entry.line)).expect("it is there"), (Slot(0), 1));
        assert_eq!(table.get(Slot(1)).map(|entry| entry.line), Some(3), "slots are places of the list");
    }
}
