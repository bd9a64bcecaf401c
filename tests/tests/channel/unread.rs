//! Messages that nobody receives: what they carry along is closed, too. The leak gate counts it, in the first process of the
//! family, which keeps it on some systems.

use mp::sync::Event;
use mp::{Duplex, Queue, Receiver, Sender, Shutdown};
use mp_tests::{Signal, is_emulated, lives, scenario, send, until};

/// A message that carries a descriptor, and is too long to travel without another one.
type Loaded = (Receiver<u8>, Vec<u8>);

const MESSAGES: usize = 20;

fn loaded() -> Loaded {
    (mp::pipe().expect("a pipe").1, vec![7; 100_000])
}

#[mp::task]
fn put_some(queue: Queue<Loaded>) {
    (0..MESSAGES).for_each(|_| queue.put(loaded()).expect("it is open"));
}

#[mp::task]
fn send_some(sender: Sender<Loaded>, sent: Event) {
    // Until the pipe is full, or its receiver gone.
    while sender.try_send(loaded()).is_ok() {
        sent.set();
    }
}

#[mp::task]
fn answer_some(duplex: Duplex<Loaded, Loaded>) {
    (0..3).for_each(|_| duplex.send(loaded()).expect("somebody is there"));
}

#[mp::task]
fn hold_or_panic(_end: Sender<u8>, good: bool) {
    assert!(good, "this panic is part of the test");
}

/// Has a queue, and takes a message now and then.
#[mp::task]
fn take_slowly(queue: Queue<Loaded>, taken: Sender<u32>) {
    while queue.get().is_ok() {
        taken.send(std::process::id()).expect("somebody listens");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_left_in_a_queue_goes_away_with_it() {
    scenario(|| {
        let queue = Queue::unbounded().unwrap();
        mp::spawn(put_some, (queue.clone(),)).unwrap().join().unwrap();
        queue.get().expect("one of them comes, though who put it is gone");
        assert_eq!(queue.len(), MESSAGES - 1);
    });
}

#[test]
fn what_is_left_in_a_pipe_or_a_duplex_goes_away_with_it() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<Loaded>().unwrap();
        let sent = Event::new().unwrap();
        let child = mp::spawn(send_some, (sender, sent.clone())).unwrap();
        sent.wait();
        drop(receiver.recv().expect("one of them comes"));
        drop(receiver);
        child.join().unwrap();
        let (here, there) = mp::duplex::<Loaded, Loaded>().unwrap();
        here.send(loaded()).unwrap();
        mp::spawn(answer_some, (there,)).unwrap().join().unwrap();
        here.recv().expect("one of them comes, though who sent it is gone");
    });
}

#[test]
fn what_the_killed_were_to_get_is_closed_and_the_queue_lives_on() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let queue = Queue::unbounded().unwrap();
        for _ in 0..3 {
            let (taken, hear) = mp::pipe().unwrap();
            let child = mp::spawn(take_slowly, (queue.clone(), taken)).unwrap();
            (0..MESSAGES).for_each(|_| queue.put(loaded()).unwrap());
            let victim = hear.recv().unwrap();
            send(victim, Signal::Kill).unwrap();
            until(|| !lives(victim));
            child.wait().unwrap();
            while queue.try_get().is_ok() {}
        }
        queue.put(loaded()).unwrap();
        assert_eq!(queue.get().unwrap().1, vec![7; 100_000]);
        // The last user of this one is killed.
        let other = Queue::unbounded().unwrap();
        (0..MESSAGES).for_each(|_| other.put(loaded()).unwrap());
        let (taken, hear) = mp::pipe().unwrap();
        let child = mp::spawn(take_slowly, (other.clone(), taken)).unwrap();
        drop(other);
        hear.recv().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn what_an_immediate_shutdown_throws_away_is_closed_although_the_queue_lives_on() {
    scenario(|| {
        let queue = Queue::unbounded().unwrap();
        let (sender, receiver) = mp::pipe::<u8>().unwrap();
        queue.put(sender).unwrap();
        queue.shutdown(Shutdown::Immediate).unwrap();
        assert!(receiver.recv().unwrap_err().is_closed(), "nobody can send");
        assert!(queue.get().unwrap_err().is_closed());
    });
}

#[test]
fn ends_in_calls_behind_a_failure_are_closed_when_it_is_told() {
    scenario(|| {
        let pool = mp::Pool::new(1).unwrap();
        pool.apply(hold_or_panic, (mp::pipe().unwrap().0, true)).unwrap();
        let mut receivers = Vec::new();
        let calls = (0..10).map(|item| {
            let (sender, receiver) = mp::pipe().unwrap();
            receivers.push(receiver);
            (sender, item != 2)
        });
        let handle = pool.starmap_async(hold_or_panic, calls);
        assert_eq!(handle.wait().unwrap_err().item(), Some(2));
        for receiver in receivers {
            assert!(receiver.recv().unwrap_err().is_closed(), "a hang would be an end that is still open");
        }
        drop(handle);
    });
}
