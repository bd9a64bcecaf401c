//! Handles as arguments, results and fields, through nested processes and pools.

use mp::sync::{Barrier, BoundedSemaphore, Condvar, Event, Mutex, Once, OnceLock, RLock, RwLock, Semaphore};
use mp::{ErrorKind, Pool};
use mp_tests::scenario;
use serde::de::IntoDeserializer;
use serde::de::value::U32Deserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Everything {
    mutex: Mutex<[u64; 4]>,
    rwlock: RwLock<u32>,
    rlock: RLock,
    condvar: Condvar,
    semaphore: Semaphore,
    bounded: BoundedSemaphore,
    event: Event,
    barrier: Barrier,
    once: Once,
    once_lock: OnceLock<f64>,
}

impl Everything {
    fn new() -> Result<Self, mp::Error> {
        Ok(Self {
            mutex: Mutex::new([0; 4])?,
            rwlock: RwLock::new(0)?,
            rlock: RLock::new()?,
            condvar: Condvar::new()?,
            semaphore: Semaphore::new(0)?,
            bounded: BoundedSemaphore::new(1)?,
            event: Event::new()?,
            barrier: Barrier::new(1)?,
            once: Once::new()?,
            once_lock: OnceLock::new()?,
        })
    }
}

/// Uses everything and gives it back, `depth` processes further down.
#[mp::task]
fn through(depth: u32, all: Everything) -> Everything {
    if depth > 0 {
        return mp::spawn(through, (depth - 1, all)).unwrap().join().unwrap();
    }
    all.mutex.lock().unwrap()[3] += 1;
    *all.rwlock.write().unwrap() += 2;
    drop(all.rlock.lock().unwrap());
    all.semaphore.release().unwrap();
    all.bounded.acquire();
    all.event.set();
    all.barrier.wait().unwrap();
    all.once.call_once(|| {}).unwrap();
    all.once_lock.get_or_init(|| 0.5).unwrap();
    all.condvar.notify_all();
    all
}

#[test]
fn everything_travels_down_and_back() {
    scenario(|| {
        let all = Everything::new().unwrap();
        let back = mp::spawn(through, (2, all.clone())).unwrap().join().unwrap();
        for all in [all, back] {
            assert_eq!(all.mutex.lock().unwrap()[3], 1);
            assert_eq!(*all.rwlock.read().unwrap(), 2);
            assert_eq!((all.semaphore.value(), all.bounded.value()), (1, 0));
            assert!(all.event.is_set() && !all.rlock.is_locked());
            assert!(all.once.is_completed());
            assert_eq!(all.once_lock.get(), Some(&0.5));
        }
    });
}

#[mp::task]
fn add(counter: Mutex<u64>, times: u64) {
    for _ in 0..times {
        *counter.lock().unwrap() += 1;
    }
}

/// A pool in a worker of a pool.
#[mp::task]
fn add_in_a_pool(counter: Mutex<u64>, times: u64) -> Result<(), String> {
    let pool = Pool::new(2).map_err(|error| error.to_string())?;
    pool.starmap(add, (0..4).map(|_| (counter.clone(), times))).map(drop).map_err(|error| error.to_string())
}

#[test]
fn nested_pools_share_a_counter() {
    scenario(|| {
        let counter = Mutex::new(0).unwrap();
        let pool = Pool::new(2).unwrap();
        for ended in pool.starmap(add_in_a_pool, (0..2).map(|_| (counter.clone(), 500))).unwrap() {
            ended.unwrap();
        }
        assert_eq!(*counter.lock().unwrap(), 4000);
    });
}

#[mp::task]
fn make(value: u64) -> Mutex<u64> {
    Mutex::new(value).unwrap()
}

#[test]
fn a_lock_outlives_the_process_that_made_it() {
    scenario(|| {
        let mutex = mp::spawn(make, (3,)).unwrap().join().unwrap();
        assert_eq!(*mutex.lock().unwrap(), 3);
    });
}

/// Leaves as a semaphore and arrives as a mutex.
struct Changeling(Option<Semaphore>);

impl Serialize for Changeling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Changeling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Mutex<u64>>::deserialize(deserializer).map(|_| Self(None))
    }
}

#[mp::task]
fn take(changeling: Changeling) -> bool {
    changeling.0.is_none()
}

#[test]
fn what_is_another_object_is_refused() {
    scenario(|| {
        let semaphore = Semaphore::new(0).unwrap();
        let error = mp::spawn(take, (Changeling(Some(semaphore)),)).unwrap().join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    });
}

#[test]
fn outside_of_mp_a_lock_is_no_value() {
    scenario(|| {
        struct Shown(Event);
        impl std::fmt::Display for Shown {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.serialize(f)
            }
        }
        let mut text = String::new();
        assert!(std::fmt::write(&mut text, format_args!("{}", Shown(Event::new().unwrap()))).is_err());
        let place: U32Deserializer<serde::de::value::Error> = 0_u32.into_deserializer();
        let error = Event::deserialize(place).unwrap_err().to_string();
        assert!(error.contains("messages of mp only"), "{error}");
    });
}
