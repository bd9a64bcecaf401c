//! A program that gives up the rights with which it started its workers, as servers do that root starts.

use mp::sync::Event;
use mp::{Error, Pool};
use mp_tests::scenario;
use std::time::Duration;

/// A user without rights, also where it has no name.
const NOBODY: u32 = 65534;

#[mp::task]
fn stuck(begun: Event) {
    begun.set();
    loop {
        std::thread::park();
    }
}

#[mp::task]
fn ready() {}

#[mp::task]
fn abort(told: Event) {
    told.wait();
    std::process::abort();
}

/// In a process of its own, as it cannot have the rights back. Answers how a worker ended that it could not have killed.
#[mp::task]
fn gives_its_rights_up() -> Result<Option<String>, Error> {
    let (begun, other) = (Event::new()?, Event::new()?);
    let pool = Pool::builder().workers(2).grace(Duration::ZERO).build()?;
    let calls = [pool.apply_async(stuck, (&begun,)), pool.apply_async(stuck, (&other,))];
    begun.wait();
    other.wait();
    let second = Pool::new(1)?;
    second.apply(ready, ())?;
    let told = Event::new()?;
    let ended = second.apply_async(abort, (&told,));
    // SAFETY: duty: none, the call takes a number.
    assert_eq!(unsafe { libc::setuid(NOBODY) }, 0);
    told.set();
    let ended = ended.wait().unwrap_err();
    drop(pool);
    for call in calls {
        assert!(call.wait().unwrap_err().is_closed());
    }
    Ok(ended.worker_lost().and_then(|lost| lost.status).map(|status| status.to_string()))
}

#[test]
fn a_program_that_has_given_up_its_rights_still_ends_its_workers() {
    scenario(|| {
        // Others have none to give up.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let ended = mp::spawn(gives_its_rights_up, ()).unwrap().join().unwrap().unwrap();
        assert!(ended.is_some_and(|ended| ended.contains("SIGABRT")));
    });
}
