//! Who is woken, and what is kept of jobs that are gone.

use super::*;
use crate::task::registry::registry;
use std::collections::HashSet;
use std::thread;

#[test]
fn each_thread_that_waits_for_the_first_of_many_is_woken() {
    // The first entry of every table is the library's own.
    let entry = registry().get(Slot(0)).expect("a table is never empty");
    let mut job = Job::new((Slot(0), entry), false, false, false);
    let other = thread::spawn(|| thread::current().id()).join().expect("it has a name");
    let [me, other] = [thread::current().id(), other].map(Asker::Any);
    let waker = || Waker::noop().clone();
    assert!(job.wake(me, waker()).is_none());
    assert!(job.wake(other, waker()).is_none(), "another thread's stays");
    assert!(job.wake(Asker::Future, waker()).is_none());
    assert!(job.wake(me, waker()).is_some(), "its own from before does not");
    assert_eq!(job.take_wakers().count(), 3);
}

fn job() -> Job {
    let entry = registry().get(Slot(0)).expect("a table is never empty");
    Job::new((Slot(0), entry), false, false, false)
}

#[test]
fn many_jobs_leave_nothing_behind_but_the_numbers_that_they_had() {
    let mut jobs = Jobs::default();
    let mut used = HashSet::new();
    for round in 0..3 {
        let many: Vec<_> = (0..limits::JOB_PLACES_KEPT + 100).map(|_| jobs.insert(job())).collect();
        // Some places are used more often than others.
        for _ in 0..round {
            let last = jobs.insert(job());
            assert!(used.insert(last));
            assert!(jobs.remove(last).is_some());
        }
        for id in &many {
            assert!(used.insert(*id), "{id:?} comes again");
            assert!(!jobs.gave_up_places());
            assert!(jobs.remove(*id).is_some());
        }
        assert!(jobs.gave_up_places() && !jobs.gave_up_places(), "once");
        assert_eq!((jobs.places.capacity(), jobs.free.capacity()), (0, 0));
        assert!(used.iter().all(|id| jobs.get(*id).is_none()));
    }
    let few = [jobs.insert(job()), jobs.insert(job())];
    assert!(used.iter().all(|id| jobs.get_ref(*id).is_none()), "an old number means a new job");
    assert!(few.iter().all(|id| jobs.remove(*id).is_some()));
    assert!(!jobs.gave_up_places() && jobs.places.capacity() > 0, "few are kept");
}
