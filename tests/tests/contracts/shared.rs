//! The contract of `Value`, `Array`, `Atomic`, `SharedVec`, `Shared` and `ShareableList`.

use crate::parties::{Kind, Parties, contracts, join_all};
use mp::shm::{Array, Atomic, ChunkMut, Item, ShareableList, Shared, SharedVec, Value};
use mp::sync::{Barrier, Event, Mutex};
use mp::{Backend, Pool};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

contracts! {
    what_one_changes_all_see
    changes_under_the_lock_are_exact
    a_held_value_and_array_are_refused
    a_list_is_shared_out
    a_vector_goes_from_hand_to_hand_and_is_read_by_all
    pieces_of_a_vector_are_changed_in_place
}

#[derive(Clone, Serialize, Deserialize)]
struct Board {
    value: Value<[u64; 5]>,
    array: Array<u64>,
    atomic: Atomic<AtomicU64>,
    list: ShareableList,
}

impl Board {
    fn new() -> Self {
        Self {
            value: Value::new([0; 5]).unwrap(),
            array: Array::zeroed(5).unwrap(),
            atomic: Atomic::new(AtomicU64::new(0)).unwrap(),
            list: ShareableList::new([Item::from("between"), text(0)]).unwrap(),
        }
    }

    fn set(&self, number: u64) {
        self.value.set([number; 5]).unwrap();
        self.array.copy_from(0, &[number; 4]).unwrap();
        self.array.set(4, number).unwrap();
        self.list.set(1, text(number)).unwrap();
        self.atomic.store(number, Ordering::Release);
    }

    fn check(&self, number: u64) {
        assert_eq!(self.atomic.load(Ordering::Acquire), number);
        assert_eq!(self.value.get().unwrap(), [number; 5]);
        assert_eq!(self.array.to_vec().unwrap(), [number; 5]);
        assert_eq!(self.array.get(4).unwrap(), Some(number));
        assert_eq!(self.list.to_vec().unwrap(), [Item::from("between"), text(number)]);
    }
}

fn text(number: u64) -> Item {
    Item::from(format!("number {number:4}"))
}

const ROUNDS: u64 = 24;

/// Everybody changes the board once in so many rounds, and everybody sees each change.
#[mp::task]
fn change_and_see(board: Board, meeting: Barrier, me: u32, of: u32) {
    for round in 0..ROUNDS {
        if round % u64::from(of) == u64::from(me) {
            board.check(round);
            board.set(round + 1);
        }
        meeting.wait().unwrap();
        board.check(round + 1);
        meeting.wait().unwrap();
    }
}

fn what_one_changes_all_see(parties: &Parties) {
    let (board, meeting) = (Board::new(), Barrier::new(4).unwrap());
    let others = parties.each(1..4, change_and_see, |me| (board.clone(), meeting.clone(), me, 4));
    change_and_see(board.clone(), meeting, 0, 4);
    join_all(others);
    board.check(ROUNDS);
}

const TIMES: u64 = 100;

/// One more in everything. The list has no change in one step: that is what the mutex is for.
#[mp::task]
fn count(board: Board, numbers: ShareableList, mutex: Mutex<u32>) {
    for _ in 0..TIMES {
        board.value.update(|numbers| numbers.map(|number| number + 1)).unwrap();
        board.value.lock().unwrap()[4] += 1;
        board.array.lock().unwrap().iter_mut().for_each(|number| *number += 1);
        board.atomic.fetch_add(1, Ordering::Relaxed);
        let _guard = mutex.lock().unwrap();
        let Some(Item::Int(number)) = numbers.get(0).unwrap() else { panic!("it is a number") };
        std::thread::yield_now();
        numbers.set(0, number + 1).unwrap();
    }
}

fn changes_under_the_lock_are_exact(parties: &Parties) {
    let (board, mutex) = (Board::new(), Mutex::new(0).unwrap());
    let numbers = ShareableList::new([0]).unwrap();
    let counting = parties.each(0..3, count, |_| (board.clone(), numbers.clone(), mutex.clone()));
    count(board.clone(), numbers.clone(), mutex);
    join_all(counting);
    let all = 4 * TIMES;
    assert_eq!(board.value.get().unwrap(), [all, all, all, all, 2 * all]);
    assert_eq!(board.array.to_vec().unwrap(), [all; 5]);
    assert_eq!(board.atomic.load(Ordering::Relaxed), all);
    assert_eq!(numbers.to_vec().unwrap(), [Item::Int(all.cast_signed())]);
}

#[mp::task]
fn hold(board: Board, held: Event, go: Event) {
    let (mut value, mut array) = (board.value.lock().unwrap(), board.array.lock().unwrap());
    (value[0], array[0]) = (1, 1);
    held.set();
    go.wait();
    (value[0], array[0]) = (2, 2);
}

#[mp::task]
fn be_refused(board: Board) {
    for timeout in [Duration::ZERO, crate::parties::SHORT] {
        assert!(board.value.lock_timeout(timeout).is_err_and(|error| error.is_timeout()));
        assert!(board.array.lock_timeout(timeout).is_err_and(|error| error.is_timeout()));
    }
}

fn a_held_value_and_array_are_refused(parties: &Parties) {
    let (board, held, go) = (Board::new(), Event::new().unwrap(), Event::new().unwrap());
    let holder = parties.start(hold, (board.clone(), held.clone(), go.clone()));
    held.wait();
    be_refused(board.clone());
    join_all(parties.each(0..2, be_refused, |_| (board.clone(),)));
    go.set();
    assert_eq!(board.value.get().unwrap()[0], 2, "it waits for the holder");
    assert_eq!(board.array.get(0).unwrap(), Some(2));
    holder.join();
}

/// Every so many-th item is this one's.
#[mp::task]
fn rewrite(list: ShareableList, me: u32, of: u32) {
    for round in 1..=20_i64 {
        for place in (me as usize..list.len().unwrap()).step_by(of as usize) {
            list.set(place, i64::from(me) * 1000 + round).unwrap();
            assert_eq!(list.get(place).unwrap(), Some(Item::Int(i64::from(me) * 1000 + round)));
        }
    }
}

fn a_list_is_shared_out(parties: &Parties) {
    let list = ShareableList::new([0; 10]).unwrap();
    let others = parties.each(1..3, rewrite, |me| (list.clone(), me, 3));
    rewrite(list.clone(), 0, 3);
    join_all(others);
    assert!(list.iter().unwrap().eq((0..10).map(|place| Item::Int(place % 3 * 1000 + 20))));
}

#[mp::task]
fn add_one(mut numbers: SharedVec<u64>) -> SharedVec<u64> {
    numbers.iter_mut().for_each(|number| *number += 1);
    numbers
}

#[mp::task]
fn sum(numbers: Shared<[u64]>, meeting: Barrier) -> u64 {
    meeting.wait().unwrap();
    let sum = numbers.iter().sum();
    meeting.wait().unwrap();
    sum
}

fn a_vector_goes_from_hand_to_hand_and_is_read_by_all(parties: &Parties) {
    let mut numbers = SharedVec::<u64>::zeroed(1000).unwrap();
    for _ in 0..2 {
        numbers = parties.start(add_one, (numbers,)).join();
        numbers = add_one(numbers);
    }
    assert_eq!(*numbers, [4; 1000]);
    let (numbers, meeting) = (numbers.into_shared().unwrap(), Barrier::new(3).unwrap());
    let readers = parties.each(0..2, sum, |_| (numbers.clone(), meeting.clone()));
    assert_eq!(sum(numbers, meeting), 4000);
    assert_eq!(join_all(readers), [4000; 2]);
}

#[mp::task]
fn add_position(mut piece: ChunkMut<'_, u64>) {
    let start = piece.start() as u64;
    piece.iter_mut().zip(start..).for_each(|(number, position)| *number += position);
}

fn pieces_of_a_vector_are_changed_in_place(parties: &Parties) {
    let mut numbers = SharedVec::<u64>::zeroed(1000).unwrap();
    for kind in parties.kinds() {
        let backend = match kind {
            Kind::Process => Backend::Process,
            Kind::Thread => Backend::Thread,
        };
        let pool = Pool::builder().workers(2).backend(backend).build().unwrap();
        pool.chunks_mut(add_position, &mut numbers, 99).unwrap();
    }
    let rounds = parties.kinds().len() as u64;
    assert!(numbers.iter().copied().eq((0..1000).map(|position| position * rounds)));
}
