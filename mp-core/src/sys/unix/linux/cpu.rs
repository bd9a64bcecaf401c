//! Where this thread runs and how much there is to run on.

#![allow(unsafe_code)] // sched_getcpu: rustix asks the vDSO, the C library reads rseq's word, which is ten times cheaper

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The CPU this thread runs on right now, by number. Already old when returned: good for a guess only.
pub fn current() -> u32 {
    // SAFETY: duty: none, the call has no arguments and no effect: the C library keeps it.
    let cpu = unsafe { libc::sched_getcpu() };
    cpu.max(0).cast_unsigned()
}

/// How many CPUs this process may keep busy: by affinity and by the quota of its control group; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The processors that this thread may run on, by number; `None` where that cannot be told.
pub fn allowed() -> Option<Vec<u32>> {
    let set = sched_getaffinity(None).ok()?;
    Some((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(|cpu| cpu as u32).collect())
}

/// Has this thread, and those that it starts, run on these processors only.
///
/// # Errors
/// Those of the system: none of them may be used.
pub fn stay_on(processors: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in processors.iter().filter(|&&cpu| (cpu as usize) < CpuSet::MAX_CPU) {
        set.set(cpu as usize);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Has this thread go on on another processor, if one has nothing to do, as far as can be told: for somebody in whose way
/// this thread is. It may come back at once.
pub fn step_aside() {
    if sched_getaffinity(None).is_ok_and(|everywhere| is_one_idle(everywhere.count())) {
        leave(|| {});
    }
}

/// Goes on on another processor of those on which it may run; `arrived` is for tests.
fn leave(arrived: impl FnOnce()) {
    let Ok(everywhere) = sched_getaffinity(None) else { return };
    let (mut elsewhere, here) = (everywhere, current() as usize);
    if here >= CpuSet::MAX_CPU {
        return;
    }
    elsewhere.unset(here);
    if elsewhere.count() > 0 && sched_setaffinity(None, &elsewhere).is_ok() {
        arrived();
        // Somebody else may have said meanwhile where it is to run.
        if sched_getaffinity(None).is_ok_and(|now| now == elsewhere) {
            Kept(Some(everywhere)).let_go();
        }
    }
}

/// Whether one of so many processors has nothing to do if two want to run on this one: no more than that want to, on all that there are.
fn is_one_idle(processors: u32) -> bool {
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    running(&loads).is_some_and(|running| (1..=processors).contains(&running))
}

/// How many threads want to run, of all that there are: `0.20 0.18 0.12 2/80 11206` says 2.
fn running(loads: &str) -> Option<u32> {
    loads.split(' ').nth(3)?.split('/').next()?.parse().ok()
}

/// Where a thread may run that is kept on one processor for now; `None` if it is not.
#[derive(Clone, Copy, Debug)]
pub struct Kept(Option<CpuSet>);

impl Kept {
    /// Keeps this thread, and those that it starts, on the processor that it runs on, if that can be done.
    pub fn here() -> Self {
        Self(sched_getaffinity(None).ok().filter(|everywhere| {
            let mut here = CpuSet::new();
            let current = current() as usize;
            everywhere.count() > 1 && current < CpuSet::MAX_CPU && {
                here.set(current);
                sched_setaffinity(None, &here).is_ok()
            }
        }))
    }

    /// Lets this thread run wherever it might before.
    pub fn let_go(self) {
        if let Some(everywhere) = self.0 {
            // Where it must not run any more the kernel finds another place.
            let _ = sched_setaffinity(None, &everywhere);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_goes_elsewhere_and_may_run_where_it_might_before() {
        let before = sched_getaffinity(None).expect("known");
        // It may be moved back before it has looked.
        let went = (0..100).any(|_| {
            let start = current();
            leave(|| {});
            current() != start
        });
        assert_eq!(sched_getaffinity(None).expect("known"), before);
        assert_eq!(went, before.count() > 1);
    }

    #[test]
    fn who_has_one_processor_stays() {
        let kept = Kept::here();
        let before = sched_getaffinity(None).expect("known");
        leave(|| {});
        let after = sched_getaffinity(None).expect("known");
        kept.let_go();
        assert_eq!(after, before);
    }

    #[test]
    fn what_somebody_else_says_meanwhile_stays() {
        let before = sched_getaffinity(None).expect("known");
        let mut said = CpuSet::new();
        said.set((0..CpuSet::MAX_CPU).find(|&cpu| before.is_set(cpu)).expect("it runs on one"));
        // Of two processors the other one may be where it goes anyway: then nothing can be told.
        let stays = (0..100).any(|_| {
            leave(|| sched_setaffinity(None, &said).expect("it may run there"));
            let after = sched_getaffinity(None).expect("known");
            sched_setaffinity(None, &before).expect("as before");
            after == said
        });
        assert!(stays);
    }

    #[test]
    fn the_system_says_how_many_threads_want_to_run() {
        assert_eq!(running("0.20 0.18 0.12 2/80 11206\n"), Some(2));
        assert_eq!(running(""), None);
        assert_eq!(running("0.20 0.18 0.12 many"), None);
        assert!(!is_one_idle(0), "this one runs");
        let loads = std::fs::read_to_string("/proc/loadavg").expect("it says so");
        assert!(running(&loads).is_some_and(|running| running > 0), "{loads}");
    }

    #[test]
    fn a_thread_that_is_kept_has_one_processor_until_it_is_let_go() {
        let before = sched_getaffinity(None).expect("known");
        let kept = Kept::here();
        let meanwhile = sched_getaffinity(None).expect("known");
        kept.let_go();
        assert_eq!(meanwhile.count(), 1);
        assert!((0..CpuSet::MAX_CPU).all(|cpu| before.is_set(cpu) || !meanwhile.is_set(cpu)));
        assert_eq!(sched_getaffinity(None).expect("known"), before);
    }
}
