//! Each handle as an argument, a result, a field and a message, down to pools in workers of pools.

use mp::shm::{Array, Atomic, Item, ShareableList, Shared, SharedMemory, SharedVec, Value};
use mp::{ErrorKind, Pool, Queue, Receiver};
use mp_tests::scenario;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Serialize, Deserialize)]
struct Everything {
    value: Value<[u16; 3]>,
    array: Array<f32>,
    atomic: Atomic<AtomicU32>,
    shared: Shared<[u8]>,
    vector: SharedVec<i64>,
    memory: SharedMemory,
    list: ShareableList,
}

impl Everything {
    fn new() -> Self {
        Self {
            value: Value::new([1, 2, 3]).unwrap(),
            array: Array::from_slice(&[0.5, 1.5]).unwrap(),
            atomic: Atomic::new(AtomicU32::new(0)).unwrap(),
            shared: Shared::from_slice(b"sealed").unwrap(),
            vector: SharedVec::from_slice(&[-1, -2]).unwrap(),
            memory: SharedMemory::new(1).unwrap(),
            list: ShareableList::new([Item::from("text"), 0.into()]).unwrap(),
        }
    }

    /// A handle of each of the same things, and a copy of the vector.
    fn again(&self) -> Self {
        Self {
            value: self.value.clone(),
            array: self.array.clone(),
            atomic: self.atomic.clone(),
            shared: self.shared.clone(),
            vector: SharedVec::from_slice(&self.vector).unwrap(),
            memory: self.memory.clone(),
            list: self.list.clone(),
        }
    }

    /// Changes what can be changed.
    fn change(&mut self) {
        assert_eq!(&*self.shared, b"sealed");
        self.value.update(|[a, b, c]| [a + 1, b + 1, c + 1]).unwrap();
        self.array.lock().unwrap()[1] += 1.0;
        self.atomic.fetch_add(1, Ordering::Relaxed);
        self.vector[1] -= 1;
        let mut byte = [0];
        self.memory.read(0, &mut byte).unwrap();
        self.memory.write(0, &[byte[0] + 1]).unwrap();
        let Some(Item::Int(number)) = self.list.get(1).unwrap() else { panic!("it is a number") };
        self.list.set(1, number + 1).unwrap();
    }

    /// That so many changes are seen here, and so many in the vector.
    fn check(&self, changes: u8, of_vector: i64) {
        let number = u16::from(changes);
        assert_eq!(self.value.get().unwrap(), [1 + number, 2 + number, 3 + number]);
        assert_eq!(self.array.to_vec().unwrap(), [0.5, 1.5 + f32::from(changes)]);
        assert_eq!(self.atomic.load(Ordering::Relaxed), u32::from(changes));
        assert_eq!(&*self.shared, b"sealed");
        assert_eq!(*self.vector, [-1, -2 - of_vector]);
        let mut byte = [0];
        self.memory.read(0, &mut byte).unwrap();
        assert_eq!(byte, [changes]);
        assert_eq!(self.list.to_vec().unwrap(), [Item::from("text"), i64::from(changes).into()]);
    }
}

/// Changes everything that comes as an argument, in the queue and in the pipe, in a pool `depth` pools further down.
#[mp::task]
fn through(depth: u32, all: Everything, queue: &Queue<Everything>, pipe: Receiver<Everything>) -> Everything {
    if depth > 0 {
        return Pool::new(1).unwrap().apply(through, (depth - 1, all, queue, pipe)).unwrap();
    }
    for mut all in [queue.get().unwrap(), pipe.recv().unwrap()] {
        all.change();
    }
    let mut all = all;
    all.change();
    all
}

#[test]
fn everything_travels_as_argument_message_and_result() {
    scenario(|| {
        let all = Everything::new();
        let queue = Queue::bounded(1).unwrap();
        let (sender, receiver) = mp::pipe().unwrap();
        queue.put(all.again()).unwrap();
        sender.send(all.again()).unwrap();
        let pool = Pool::new(1).unwrap();
        let back = pool.apply(through, (2, all.again(), &queue, receiver)).unwrap();
        drop(pool);
        all.check(3, 0);
        back.check(3, 1);
    });
}

#[mp::task]
fn make() -> Everything {
    let mut all = Everything::new();
    all.change();
    all
}

#[test]
fn what_a_process_made_outlives_it() {
    scenario(|| {
        let mut all = mp::spawn(make, ()).unwrap().join().unwrap();
        all.check(1, 1);
        all.change();
        all.check(2, 2);
    });
}

#[mp::task]
fn fill(mut vector: SharedVec<u8>) -> SharedVec<u8> {
    vector.fill(7);
    vector
}

#[test]
fn who_receives_a_vector_owns_a_copy() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let vector = SharedVec::from_slice(&[1, 2]).unwrap();
        let copies = pool.map(fill, [&vector; 4]).unwrap();
        assert!(*vector == [1, 2] && copies.iter().all(|copy| **copy == [7, 7]));
        let mut copies = copies.into_iter();
        let (mut first, second) = (copies.next().unwrap(), copies.next().unwrap());
        first[0] = 8;
        assert_eq!((&*first, &*second), (&[8, 7][..], &[7, 7][..]));
        assert!(pool.apply(fill, (SharedVec::zeroed(0).unwrap(),)).unwrap().is_empty());
    });
}

/// Leaves as one type and arrives as another.
struct Changeling<From, To>(From, std::marker::PhantomData<To>);

impl<From: Serialize, To> Serialize for Changeling<From, To> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, From, To: Deserialize<'de>> Deserialize<'de> for Changeling<From, To> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        To::deserialize(deserializer).map(|_| panic!("it was read as another type"))
    }
}

/// Sends a value to itself as another type.
fn check_refused<From: Serialize, To: for<'de> Deserialize<'de>>(from: From) {
    let queue = Queue::bounded(1).unwrap();
    queue.put(Changeling::<From, To>(from, std::marker::PhantomData)).unwrap();
    let Err(error) = queue.get() else { panic!("it is of another type") };
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
}

#[test]
fn memory_that_is_read_as_another_type_is_refused() {
    scenario(|| {
        check_refused::<_, Value<i64>>(Value::new(1_u64).unwrap());
        check_refused::<_, mp::sync::Mutex<u64>>(Value::new(1_u64).unwrap());
        check_refused::<_, mp::sync::Mutex<f32>>(mp::sync::Mutex::new(1_u32).unwrap());
        check_refused::<_, Atomic<std::sync::atomic::AtomicI32>>(Atomic::new(AtomicU32::new(0)).unwrap());
        check_refused::<_, Array<u16>>(Array::<i16>::zeroed(2).unwrap());
        check_refused::<_, SharedVec<u8>>(Array::<u8>::zeroed(2).unwrap());
        check_refused::<_, ShareableList>(Shared::from_slice(b"list").unwrap());
    });
}

#[test]
fn outside_of_mp_they_are_no_values() {
    struct Shown<T>(T);
    impl<T: Serialize> std::fmt::Display for Shown<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.serialize(f)
        }
    }
    fn check(value: impl Serialize) {
        assert!(std::fmt::write(&mut String::new(), format_args!("{}", Shown(value))).is_err());
    }
    scenario(|| {
        let Everything { value, array, atomic, shared, vector, memory, list } = Everything::new();
        check(value);
        check(array);
        check(atomic);
        check(shared);
        check(vector);
        check(memory);
        check(list);
    });
}
