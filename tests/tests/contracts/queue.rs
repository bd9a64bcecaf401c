//! The contract of `Queue` and `JoinableQueue`.

use crate::parties::{Dormitory, Parties, SHORT, contracts, dormitory, go_to_sleep, join_all, until_asleep};
use mp::sync::Event;
use mp::{ErrorKind, JoinableQueue, Queue, Shutdown};
use std::time::{Duration, Instant};

contracts! {
    each_message_arrives_once_and_in_the_order_of_its_producer
    a_full_queue_says_so_and_goes_on_after_a_get
    a_time_out_of_zero_looks_once
    a_drained_queue_delivers_everything_then_ends
    an_immediate_end_wakes_everybody
    messages_larger_than_the_ring_pass_in_their_turn
    a_joinable_queue_is_joined_when_all_is_done
    a_join_ends_with_the_last_task_and_with_an_immediate_end
}

/// From whom, and the how many-th.
type Message = (u32, u32);

const EACH: u32 = 200;

#[mp::task]
fn produce(queue: Queue<Message>, from: u32) {
    for number in 0..EACH {
        queue.put((from, number)).unwrap();
    }
}

#[mp::task]
fn consume(queue: Queue<Message>) -> Vec<Message> {
    queue.iter().map(Result::unwrap).collect()
}

fn each_message_arrives_once_and_in_the_order_of_its_producer(parties: &Parties) {
    for items in [1, 7, 1000] {
        let queue = Queue::bounded(items).unwrap();
        let producers = parties.each(0..2, produce, |from| (queue.clone(), from));
        let consumers = parties.each(0..2, consume, |_| (queue.clone(),));
        produce(queue.clone(), 2);
        join_all(producers);
        queue.shutdown(Shutdown::Drain).unwrap();
        let lists = join_all(consumers);
        for list in &lists {
            let of = |from| list.iter().filter(move |message| message.0 == from).map(|message| message.1);
            assert!(
                (0..3).all(|from| of(from).is_sorted_by(|a, b| a < b)),
                "the order of a producer: {list:?}"
            );
        }
        let mut all = lists.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq((0..3).flat_map(|from| (0..EACH).map(move |number| (from, number)))));
    }
}

/// Puts until there is no room, then waits for room.
#[mp::task]
fn fill(queue: Queue<u32>, full: Dormitory) -> u32 {
    let refused = (0..).find_map(|number| queue.try_put(number).err()).unwrap();
    assert_eq!(refused.error().kind(), ErrorKind::Full);
    let value = refused.into_inner();
    let refused = queue.put_timeout(value, Duration::ZERO).unwrap_err();
    assert!(refused.error().is_timeout());
    let start = Instant::now();
    let refused = queue.put_timeout(refused.into_inner(), SHORT).unwrap_err();
    assert!(refused.error().is_timeout() && start.elapsed() >= SHORT);
    go_to_sleep(&full);
    queue.put(refused.into_inner()).unwrap();
    value
}

fn a_full_queue_says_so_and_goes_on_after_a_get(parties: &Parties) {
    for items in [1_u32, 3] {
        let (queue, full) = (Queue::bounded(items as usize).unwrap(), dormitory());
        let party = parties.start(fill, (queue.clone(), full.clone()));
        until_asleep(&full, 1);
        assert!(queue.is_full() && queue.len() == items as usize);
        assert_eq!(queue.get().unwrap(), 0);
        assert_eq!(party.join(), items, "the first that found no room");
        assert!(queue.is_full());
        for number in 1..=items {
            assert_eq!(queue.get().unwrap(), number);
        }
        assert!(queue.is_empty());
    }
}

#[mp::task]
fn find_nothing(queue: Queue<u8>) {
    assert!(queue.is_empty());
    assert_eq!(queue.try_get().unwrap_err().kind(), ErrorKind::Empty);
    assert!(queue.get_timeout(Duration::ZERO).unwrap_err().is_timeout());
    let start = Instant::now();
    assert!(queue.get_timeout(SHORT).unwrap_err().is_timeout());
    assert!(start.elapsed() >= SHORT);
    queue.put_timeout(7, Duration::ZERO).unwrap();
}

#[mp::task]
fn find(queue: Queue<u8>) -> u8 {
    queue.get_timeout(Duration::ZERO).unwrap()
}

fn a_time_out_of_zero_looks_once(parties: &Parties) {
    let queue = Queue::bounded(1).unwrap();
    for _ in 0..2 {
        parties.start(find_nothing, (queue.clone(),)).join();
        assert_eq!(parties.start(find, (queue.clone(),)).join(), 7);
        find_nothing(queue.clone());
        assert_eq!(find(queue.clone()), 7);
    }
}

/// Gets a value that was put too late.
#[mp::task]
fn put_too_late(queue: Queue<Message>) -> Message {
    let refused = [queue.try_put((9, 9)).unwrap_err(), queue.put((9, 9)).unwrap_err()];
    let [first, last] = refused.map(|refused| {
        assert!(refused.error().is_closed());
        refused.into_inner()
    });
    assert_eq!(first, last);
    last
}

fn a_drained_queue_delivers_everything_then_ends(parties: &Parties) {
    let queue = Queue::unbounded().unwrap();
    produce(queue.clone(), 0);
    queue.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(parties.start(put_too_late, (queue.clone(),)).join(), (9, 9));
    assert_eq!(queue.len(), EACH as usize, "it is still in there");
    let consumers = parties.each(0..2, consume, |_| (queue.clone(),));
    let mut all = join_all(consumers).concat();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..EACH).map(|number| (0, number))));
    assert!(queue.get().unwrap_err().is_closed());
    assert_eq!(parties.start(consume, (queue.clone(),)).join(), [], "the end lasts");
}

#[mp::task]
fn wait_for_a_message(queue: Queue<Message>, beds: Dormitory) {
    go_to_sleep(&beds);
    assert!(queue.get().unwrap_err().is_closed());
}

#[mp::task]
fn wait_for_room(queue: Queue<Message>, beds: Dormitory) {
    go_to_sleep(&beds);
    assert!(queue.put((1, 1)).unwrap_err().error().is_closed());
}

fn an_immediate_end_wakes_everybody(parties: &Parties) {
    let (empty, full) = (Queue::bounded(1).unwrap(), Queue::bounded(1).unwrap());
    let beds = dormitory();
    full.put((0, 0)).unwrap();
    let getters = parties.each(0..2, wait_for_a_message, |_| (empty.clone(), beds.clone()));
    let putters = parties.each(0..2, wait_for_room, |_| (full.clone(), beds.clone()));
    until_asleep(&beds, 4);
    empty.shutdown(Shutdown::Immediate).unwrap();
    full.shutdown(Shutdown::Immediate).unwrap();
    join_all(getters);
    join_all(putters);
    assert!(full.get().unwrap_err().is_closed(), "what was in it is gone");
    assert!(full.is_empty() && !full.is_full(), "and nobody counts it: {full:?}");
    assert_eq!(parties.start(consume, (full.clone(),)).join(), []);
    full.shutdown(Shutdown::Drain).unwrap();
    assert!(full.try_get().unwrap_err().is_closed(), "immediate stays immediate");
}

#[mp::task]
fn hand_on(from: Queue<Vec<u8>>, to: Queue<Vec<u8>>) {
    for bytes in &from {
        to.put(bytes.unwrap()).unwrap();
    }
}

fn messages_larger_than_the_ring_pass_in_their_turn(parties: &Parties) {
    let queue = || Queue::<Vec<u8>>::builder().bytes(4096).build().unwrap();
    let (first, second, third) = (queue(), queue(), queue());
    let through = [
        parties.start(hand_on, (first.clone(), second.clone())),
        parties.start(hand_on, (second.clone(), third.clone())),
    ];
    let lens = [10, 5000, 0, 1 << 20, 1, 4096, 1 << 18, 2];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for len in lens {
                first.put(vec![len as u8 ^ 5; len]).unwrap();
            }
        });
        for len in lens {
            assert!(third.get().unwrap() == vec![len as u8 ^ 5; len], "{len}");
        }
    });
    for (queue, party) in [first, second].into_iter().zip(through) {
        queue.shutdown(Shutdown::Drain).unwrap();
        party.join();
    }
}

#[mp::task]
fn work(queue: JoinableQueue<u64>) -> u64 {
    let mut sum = 0;
    for number in &*queue {
        sum += number.unwrap();
        queue.task_done().unwrap();
    }
    sum
}

/// Once more than there was to do.
#[mp::task]
fn say_done_too_often(queue: JoinableQueue<u64>) {
    assert_eq!(queue.task_done().unwrap_err().kind(), ErrorKind::InvalidInput);
}

fn a_joinable_queue_is_joined_when_all_is_done(parties: &Parties) {
    let queue = JoinableQueue::bounded(4).unwrap();
    queue.join().unwrap();
    let workers = parties.each(0..2, work, |_| (queue.clone(),));
    for _ in 0..3 {
        (1..=40).for_each(|number| queue.put(number).unwrap());
        queue.join().unwrap();
        assert!(queue.is_empty());
        parties.start(say_done_too_often, (queue.clone(),)).join();
    }
    queue.join_timeout(Duration::ZERO).unwrap();
    queue.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(join_all(workers).iter().sum::<u64>(), 3 * 820);
}

/// Whether everything was done.
#[mp::task]
fn join(queue: JoinableQueue<u64>, beds: Dormitory, put: Event) -> bool {
    put.wait();
    assert!(queue.join_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(queue.join_timeout(SHORT).unwrap_err().is_timeout());
    go_to_sleep(&beds);
    let ended = queue.join();
    assert!(ended.as_ref().err().is_none_or(mp::Error::is_closed));
    ended.is_ok()
}

fn a_join_ends_with_the_last_task_and_with_an_immediate_end(parties: &Parties) {
    let (queue, beds, put) = (JoinableQueue::bounded(4).unwrap(), dormitory(), Event::new().unwrap());
    for all_done in [true, false] {
        let joiners = parties.each(0..2, join, |_| (queue.clone(), beds.clone(), put.clone()));
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        put.set();
        until_asleep(&beds, 2);
        queue.get().unwrap();
        queue.get().unwrap();
        queue.task_done().unwrap();
        assert!(queue.join_timeout(Duration::ZERO).unwrap_err().is_timeout(), "one is missing");
        if all_done {
            queue.task_done().unwrap();
        } else {
            queue.shutdown(Shutdown::Immediate).unwrap();
        }
        assert_eq!(join_all(joiners), [all_done; 2]);
        put.clear();
    }
}
