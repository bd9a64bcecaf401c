//! The live children of this process: for `active_children`, for waiting at exit, and for reaping those whose handles
//! were dropped.

use super::current::{ProcessInfo, identity};
use super::own::Own;
use super::running::Running;
use crate::sys;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// A pool worker in the list.
#[derive(Debug)]
pub struct Listed(Weak<sys::process::Child>);

enum Child {
    Worker {
        name: String,
        process: Weak<sys::process::Child>,
    },
    Process(Weak<Running>),
    /// A process that nobody holds a handle of: the list keeps it until it ends.
    Dropped(Arc<Running>),
}

static CHILDREN: Own<Children> = Own::new();

#[derive(Default)]
struct Children {
    list: Mutex<Vec<Child>>,
    /// How many names were given.
    ordinal: AtomicU32,
    /// A thread reaps those that nobody holds a handle of.
    reaping: AtomicBool,
    /// Held by that thread while it says of those that it has taken out of the list what nobody has heard of them.
    telling: Mutex<()>,
}

fn ours() -> &'static Children {
    CHILDREN.get_or_init(Children::default)
}

fn children() -> MutexGuard<'static, Vec<Child>> {
    // Nothing that panics runs under this lock.
    ours().list.lock().unwrap_or_else(PoisonError::into_inner)
}

fn telling() -> MutexGuard<'static, ()> {
    ours().telling.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the next child along the ancestry: `1`, or `2:1` for the first child of `process-2`.
pub fn next_name(kind: &str) -> String {
    let ordinal = ours().ordinal.fetch_add(1, Ordering::Relaxed) + 1;
    let ours = &identity().name;
    match ours.rsplit_once('-') {
        Some((_, ancestry)) if identity().depth > 0 => format!("{kind}-{ancestry}:{ordinal}"),
        Some(_) | None => format!("{kind}-{ordinal}"),
    }
}

/// Lists a pool worker until the result is dropped.
pub fn list_worker(process: &Arc<sys::process::Child>, name: String) -> Listed {
    let process = Arc::downgrade(process);
    children().push(Child::Worker { name, process: process.clone() });
    Listed(process)
}

impl Drop for Listed {
    fn drop(&mut self) {
        children().retain(|child| !matches!(child, Child::Worker { process, .. } if process.ptr_eq(&self.0)));
    }
}

/// Lists a process until it ends or its handle is dropped.
pub fn list_process(process: &Arc<Running>) {
    static ONCE: Once = Once::new();
    // Without room for one more exit handler the program ends without waiting.
    ONCE.call_once(|| drop(sys::process::on_exit(join_at_exit)));
    let mut children = children();
    children.retain(|child| !matches!(child, Child::Process(weak) if weak.strong_count() == 0));
    children.push(Child::Process(Arc::downgrade(process)));
}

/// Everyone in the list who lives.
pub fn alive() -> Vec<ProcessInfo> {
    let mut alive = Vec::new();
    for child in &*children() {
        match child {
            Child::Worker { name, process } => {
                let process = process.upgrade().filter(|process| !is_dead(process));
                alive.extend(process.map(|process| ProcessInfo { pid: process.pid(), name: name.clone() }));
            }
            Child::Process(weak) => alive.extend(weak.upgrade().and_then(|process| process.info_if_alive())),
            Child::Dropped(process) => alive.extend(process.info_if_alive()),
        }
    }
    alive
}

/// Its pool may not have heard of it yet.
fn is_dead(worker: &sys::process::Child) -> bool {
    sys::poller::ready(worker.handle(), Some(Duration::ZERO)).unwrap_or(false)
}

/// Keeps a process whose handle was dropped, and reaps it when it ends.
pub fn adopt(process: Arc<Running>) {
    let mut children = children();
    children.retain(|child| !matches!(child, Child::Process(weak) if weak.as_ptr() == Arc::as_ptr(&process)));
    children.push(Child::Dropped(process));
    drop(children);
    if !ours().reaping.swap(true, Ordering::AcqRel) {
        let started = thread::Builder::new().name("mp-reaper".into()).stack_size(64 << 10).spawn(reap);
        if started.is_err() {
            // Without a thread for it the zombie stays until there is one for the next, or this process ends.
            ours().reaping.store(false, Ordering::Release);
        }
    }
}

/// Waits for the dropped ones, oldest first, until none is left. An older one that lives long holds back the reaping of
/// younger ones, so each round looks at all of them.
fn reap() {
    loop {
        let telling = telling();
        let (ended, dropped) = {
            let mut children = children();
            let over = |child: &mut Child| matches!(child, Child::Dropped(process) if process.has_ended());
            let ended: Vec<Child> = children.extract_if(.., over).collect();
            let dropped = children
                .iter()
                .filter_map(|child| if let Child::Dropped(p) = child { Some(p.clone()) } else { None });
            (ended, dropped.collect::<Vec<_>>())
        };
        // Without the lock: they may have something to say.
        drop(ended);
        drop(telling);
        if dropped.is_empty() {
            ours().reaping.store(false, Ordering::Release);
            // One that was adopted between the look and the store is taken up here.
            let late = children().iter().any(|child| matches!(child, Child::Dropped(_)));
            if !late || ours().reaping.swap(true, Ordering::AcqRel) {
                return;
            }
            continue;
        }
        let handles: Vec<_> = dropped.iter().map(|process| process.sentinel()).collect();
        let _ = sys::poller::ready_any(&handles, Some(REAP_AGAIN));
    }
}

/// How long the reaper waits before it looks whether there are new ones.
const REAP_AGAIN: Duration = Duration::from_millis(200);

/// Python's rule: a program that ends in order ends its daemons, and then waits for its other children.
extern "C" fn join_at_exit() {
    let mut waited: Vec<Arc<Running>> = Vec::new();
    for child in &*children() {
        match child {
            Child::Worker { .. } => {}
            Child::Process(weak) => waited.extend(weak.upgrade()),
            Child::Dropped(process) => waited.push(process.clone()),
        }
    }
    for process in &waited {
        process.end_daemon();
    }
    for process in waited {
        process.wait_at_exit();
        process.tell_unheard();
    }
    // Those that the list did not hold any more.
    drop(telling());
}
