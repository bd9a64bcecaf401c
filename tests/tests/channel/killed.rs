//! kill -9 of producers and consumers at random moments.

use crate::rounds;
use mp::{JoinHandle, Queue, Sender};
use mp_tests::{Random, is_emulated, scenario};
use std::collections::VecDeque;
use std::time::Duration;

/// Messages of many lengths: within the ring, around its end, and beside it.
fn message(from: u32, number: u32) -> (u32, u32, Vec<u8>) {
    let len = match number % 50 {
        49 => 5000,
        rest => rest * 7,
    };
    (from, number, vec![number as u8; len as usize])
}

#[mp::task]
fn put_for_ever(from: u32, queue: Queue<(u32, u32, Vec<u8>)>) {
    for number in 0.. {
        if queue.put(message(from, number)).is_err() {
            return;
        }
    }
}

#[mp::task]
fn get_for_ever(queue: Queue<(u32, u32, Vec<u8>)>, taken: Sender<(u32, u32)>) {
    for message in &queue {
        let (from, number, bytes) = message.expect("a whole message");
        assert!(bytes.iter().all(|byte| *byte == number as u8), "torn");
        let _ = taken.send((from, number));
    }
}

#[mp::task]
fn send_for_ever(sender: Sender<Vec<u8>>) {
    for number in 0_u32.. {
        if sender.send(vec![number as u8; number as usize * 1000 % 150_000]).is_err() {
            return;
        }
    }
}

fn queue() -> Queue<(u32, u32, Vec<u8>)> {
    Queue::builder().items(20).bytes(8192).build().expect("a queue")
}

/// Lets a process go on until this many messages have passed, so that it dies in the middle of one.
fn kill<R>(child: &JoinHandle<R>, random: &mut Random) {
    for _ in 0..random.below(5000) {
        std::hint::spin_loop();
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

#[test]
fn a_killed_producer_leaves_whole_messages_and_no_lock() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let queue = queue();
        for round in 0..rounds(30) as u32 {
            let child = mp::spawn(put_for_ever, (round, queue.clone())).unwrap();
            let mut next = 0;
            let mut take = |timeout| -> bool {
                let Ok((from, number, bytes)) = queue.get_timeout(timeout) else { return false };
                assert_eq!((from, number, bytes), message(round, next));
                next += 1;
                true
            };
            for _ in 0..=random.below(60) {
                assert!(take(Duration::from_secs(60)));
            }
            kill(&child, &mut random);
            while take(Duration::ZERO) {}
            drop(child);
            assert!(queue.is_empty());
        }
    });
}

#[test]
fn a_killed_producer_leaves_a_deep_queue_whole_and_growing() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let queue = Queue::builder().items(100_000).bytes(32 << 20).build().expect("a queue");
        let mut there: VecDeque<(u32, u32)> = VecDeque::new();
        for round in 0..rounds(10) as u32 {
            let child = mp::spawn(put_for_ever, (round, queue.clone())).unwrap();
            let more = random.below(12_000) as usize;
            while queue.len() < there.len() + more {
                std::hint::spin_loop();
            }
            kill(&child, &mut random);
            let new = queue.len() - there.len();
            there.extend((0..new as u32).map(|number| (round, number)));
            let left = random.below(12_000) as usize;
            while there.len() > left {
                let (from, number) = there.pop_front().expect("one is there");
                assert!(queue.try_get().unwrap() == message(from, number), "{from} {number}");
            }
        }
    });
}

#[test]
fn a_killed_consumer_loses_at_most_one_message() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        for round in 0..rounds(15) as u32 {
            let queue = queue();
            let (sender, taken) = mp::pipe().unwrap();
            let child = mp::spawn(get_for_ever, (queue.clone(), sender)).unwrap();
            let count = random.below(80) as u32 + 10;
            for number in 0..count {
                queue.put(message(round, number)).unwrap();
            }
            kill(&child, &mut random);
            drop(child);
            let mut numbers: Vec<u32> = taken.iter().map(|taken| taken.unwrap().1).collect();
            while let Ok((from, number, bytes)) = queue.try_get() {
                assert_eq!((from, number, bytes), message(round, number));
                numbers.push(number);
            }
            assert!(numbers.is_sorted_by(|a, b| a < b), "none twice: {numbers:?}");
            assert!(numbers.len() as u32 + 1 >= count, "{} of {count}", numbers.len());
        }
    });
}

#[test]
fn everybody_else_goes_on_while_producers_and_consumers_are_killed() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let queue = queue();
        let (sender, _taken) = mp::pipe::<(u32, u32)>().unwrap();
        drop(sender);
        for round in 0..rounds(15) as u32 {
            let steady = mp::spawn(put_for_ever, (2 * round, queue.clone())).unwrap();
            let victim = mp::spawn(put_for_ever, (2 * round + 1, queue.clone())).unwrap();
            let (sender, taken) = mp::pipe().unwrap();
            let thief = mp::spawn(get_for_ever, (queue.clone(), sender)).unwrap();
            let drain = std::thread::spawn(move || taken.iter().map(Result::unwrap).count());
            for _ in 0..=random.below(100) {
                queue.get_timeout(Duration::from_secs(60)).unwrap();
            }
            kill(&victim, &mut random);
            kill(&thief, &mut random);
            drain.join().unwrap();
            let mut last = None;
            for _ in 0..200 {
                let (from, number, bytes) = queue.get_timeout(Duration::from_secs(60)).unwrap();
                assert_eq!((from, number, bytes), message(from, number));
                if from == 2 * round {
                    assert!(last.is_none_or(|last| last < number));
                    last = Some(number);
                }
            }
            kill(&steady, &mut random);
            while queue.try_get().is_ok() {}
        }
    });
}

#[test]
fn a_killed_sender_ends_its_pipe_after_a_whole_message() {
    scenario(|| {
        let mut random = Random::new();
        for _ in 0..rounds(30) {
            let (sender, receiver) = mp::pipe::<Vec<u8>>().unwrap();
            let child = mp::spawn(send_for_ever, (sender,)).unwrap();
            let mut received = 0_u32;
            let kill_after = random.below(40) as u32;
            for bytes in &receiver {
                let bytes = bytes.unwrap();
                assert!(bytes == vec![received as u8; received as usize * 1000 % 150_000]);
                if received == kill_after {
                    kill(&child, &mut random);
                }
                received += 1;
            }
            assert!(received > kill_after);
        }
    });
}

#[test]
fn a_killed_receiver_gives_the_value_back() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<(u32, u32)>().unwrap();
        let child = mp::spawn(hold, (receiver,)).unwrap();
        for number in 0..10 {
            sender.send((0, number)).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let refused = sender.send((1, 1)).unwrap_err();
        assert!(refused.error().is_closed());
        assert_eq!(refused.into_inner(), (1, 1));
    });
}

#[mp::task]
fn hold(_receiver: mp::Receiver<(u32, u32)>) {
    loop {
        std::thread::park();
    }
}
