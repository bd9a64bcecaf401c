//! Waiting for the first of many things.

use mp::{JoinableQueue, Pool, Queue, Shutdown, Waitable, wait_any};
use mp_tests::scenario;
use std::io::Write;
use std::time::Duration;

#[mp::task]
fn put_later(gate: mp::Receiver<()>, queue: Queue<u8>) {
    gate.recv().expect("a sign");
    queue.put(1).expect("room");
}

#[mp::task]
fn answer(gate: mp::Receiver<()>) -> u8 {
    gate.recv().expect("a sign");
    7
}

#[mp::task]
fn wait_for_the_end(process: mp::Sentinel) -> mp::Sentinel {
    wait_any(&[&process], None).expect("a wait");
    process
}

#[test]
fn positions_of_everything_that_is_ready() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u8>().unwrap();
        let (here, there) = mp::duplex::<u8, u8>().unwrap();
        let (right, mut left) = std::io::pipe().unwrap();
        let queue = Queue::bounded(1).unwrap();
        let things: [&dyn Waitable; 4] = [&receiver, &queue, &there, &right];
        let now = || wait_any(&things, Some(Duration::ZERO)).unwrap();
        assert_eq!(now(), []);
        assert_eq!(wait_any(&things, Some(Duration::from_millis(2))).unwrap(), []);
        assert_eq!(wait_any(&[], Some(Duration::ZERO)).unwrap(), []);
        assert_eq!(wait_any(&[], None).unwrap(), [], "nothing would ever end this wait");
        queue.put(1).unwrap();
        assert_eq!(now(), [1]);
        assert_eq!(now(), [1], "looking takes nothing");
        here.send(1).unwrap();
        left.write_all(b"x").unwrap();
        drop(sender);
        assert_eq!(wait_any(&things, None).unwrap(), [0, 1, 2, 3]);
        queue.get().unwrap();
        assert_eq!(now(), [0, 2, 3]);
    });
}

#[test]
fn a_joinable_queue_is_waited_for_as_a_queue() {
    scenario(|| {
        let queue = JoinableQueue::unbounded().unwrap();
        let now = || wait_any(&[&queue], Some(Duration::ZERO)).unwrap();
        assert_eq!(now(), []);
        queue.put(1).unwrap();
        assert_eq!(now(), [0]);
    });
}

#[test]
fn a_put_and_a_shutdown_wake_whoever_waits() {
    scenario(|| {
        let (idle, queue) = (Queue::<u8>::bounded(1).unwrap(), Queue::bounded(1).unwrap());
        let (gate, closed) = mp::pipe().unwrap();
        let child = mp::spawn(put_later, (closed, queue.clone())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(wait_any(&[&idle, &queue], None).unwrap(), [1]));
            }
            gate.send(()).unwrap();
        });
        queue.get().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(wait_any(&[&queue, &idle], None).unwrap(), [1]));
            idle.shutdown(Shutdown::Drain).unwrap();
        });
        child.join().unwrap();
    });
}

#[test]
fn calls_and_sentinels() {
    scenario(|| {
        let (gate, closed) = mp::pipe().unwrap();
        let pool = Pool::new(1).unwrap();
        let call = pool.apply_async(answer, (closed,));
        let child = mp::spawn(answer, (mp::pipe().unwrap().1,)).unwrap();
        let silent = Queue::<u8>::bounded(1).unwrap();
        assert_eq!(wait_any(&[&silent, &child.sentinel()], None).unwrap(), [1], "its gate is gone");
        let sentinel = child.sentinel();
        assert!(child.join().is_err());
        assert_eq!(wait_any(&[&silent, &call], Some(Duration::ZERO)).unwrap(), []);
        gate.send(()).unwrap();
        assert_eq!(wait_any(&[&silent, &call], None).unwrap(), [1]);
        assert_eq!(call.wait().unwrap(), 7);
        let back = pool.apply(wait_for_the_end, (sentinel,)).unwrap();
        assert_eq!(wait_any(&[&silent, &back], None).unwrap(), [1], "it came back, and still says so");
    });
}
