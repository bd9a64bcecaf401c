//! What queues promise, within one process; across processes see `travel` and `killed`.

use mp::{ErrorKind, JoinableQueue, Queue, Shutdown};
use mp_tests::scenario;
use std::time::Duration;

#[test]
fn first_in_first_out_and_the_counts_are_exact() {
    scenario(|| {
        let queue = Queue::bounded(3).unwrap();
        assert!(queue.is_empty() && !queue.is_full());
        (0..3).for_each(|number| queue.put(number).unwrap());
        assert!(queue.is_full() && queue.len() == 3);
        let full = queue.try_put(9).unwrap_err();
        assert_eq!((full.error().kind(), full.into_inner()), (ErrorKind::Full, 9));
        assert!(queue.put_timeout(9, Duration::ZERO).unwrap_err().error().is_timeout());
        assert!(queue.put_timeout(9, Duration::from_millis(2)).unwrap_err().error().is_timeout());
        assert_eq!((queue.get().unwrap(), queue.try_get().unwrap()), (0, 1));
        assert_eq!(queue.get_timeout(Duration::ZERO).unwrap(), 2);
        assert_eq!(queue.try_get().unwrap_err().kind(), ErrorKind::Empty);
        assert!(queue.get_timeout(Duration::ZERO).unwrap_err().is_timeout());
        assert!(queue.get_timeout(Duration::from_millis(2)).unwrap_err().is_timeout());
    });
}

#[test]
fn messages_of_any_size_pass() {
    scenario(|| {
        for queue in [Queue::<Vec<u8>>::unbounded().unwrap(), Queue::builder().bytes(4096).build().unwrap()] {
            for len in [0, 1, 1000, 1008, 1020, 5000, 600_000, 20 << 20] {
                queue.put(vec![len as u8; len]).unwrap();
                assert!(queue.get().unwrap() == vec![len as u8; len], "{len}");
            }
        }
    });
}

#[test]
fn bytes_are_a_bound_too() {
    scenario(|| {
        let queue = Queue::<Vec<u8>>::builder().items(1000).bytes(4096).build().unwrap();
        let refused = (0..).find_map(|number| queue.try_put(vec![number; 500]).err()).unwrap();
        assert_eq!((refused.error().kind(), refused.into_inner()[0]), (ErrorKind::Full, 7));
        queue.get().unwrap();
        queue.try_put(vec![0; 500]).unwrap();
    });
}

#[test]
fn an_unbounded_queue_says_when_it_is_full() {
    scenario(|| {
        let queue = Queue::<Vec<u8>>::unbounded().unwrap();
        let refused = (0..).find_map(|_| queue.put(vec![1; 600_000]).err()).unwrap();
        assert_eq!(refused.error().kind(), ErrorKind::Full);
        assert!(queue.len() > 100);
    });
}

#[test]
#[cfg_attr(windows, ignore = "nothing of it is Windows', and Wine writes the GiB to the disk")]
fn a_queue_of_the_most_bytes_is_a_bounded_one() {
    scenario(|| {
        let queue = Queue::<Vec<u8>>::builder().bytes(1 << 30).build().unwrap();
        let refused = (0..).find_map(|_| queue.put_timeout(vec![1; 600_000], Duration::ZERO).err()).unwrap();
        assert!(refused.error().is_timeout(), "{refused:?}");
        assert!(queue.len() > 100);
    });
}

// Where addresses have 32 bits, there was room for two.
#[test]
fn a_process_has_room_for_many_queues() {
    scenario(|| {
        let queues: Vec<_> = (0..20).map(|_| Queue::bounded(10).unwrap()).collect();
        for (number, queue) in queues.iter().enumerate() {
            queue.put(number).unwrap();
        }
        assert!(queues.iter().map(|queue| queue.get().unwrap()).eq(0..20));
    });
}

#[test]
fn queues_that_cannot_be_are_refused() {
    scenario(|| {
        for (builder, instead) in [
            (
                Queue::<u8>::builder().items(0),
                "0 messages was asked for; it must be of 1 to 2147483647 (`Queue::unbounded`",
            ),
            (Queue::builder().items(usize::MAX), "must be of 1 to 2147483647"),
            (Queue::builder().bytes(0), "0 bytes was asked for; it must be of 1 to 1073741824"),
            (Queue::builder().bytes((1 << 30) + 1), "1073741825 bytes"),
        ] {
            let error = builder.build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(instead), "{error}");
        }
    });
}

#[test]
fn a_drained_queue_gives_what_it_has() {
    scenario(|| {
        let queue = Queue::bounded(10).unwrap();
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        queue.shutdown(Shutdown::Drain).unwrap();
        assert!(queue.put(3).unwrap_err().error().is_closed());
        assert!(queue.iter().map(Result::unwrap).eq([1, 2]));
        assert!(queue.try_get().unwrap_err().is_closed());
    });
}

#[test]
fn an_immediate_end_ends_both_sides() {
    scenario(|| {
        let queue = Queue::bounded(10).unwrap();
        queue.put(1).unwrap();
        queue.shutdown(Shutdown::Immediate).unwrap();
        queue.shutdown(Shutdown::Drain).unwrap();
        assert!(queue.put(3).unwrap_err().error().is_closed());
        assert!(queue.get().unwrap_err().is_closed());
    });
}

#[test]
fn a_shutdown_wakes_everybody() {
    scenario(|| {
        for how in [Shutdown::Drain, Shutdown::Immediate] {
            let (empty, full) = (Queue::<u8>::bounded(1).unwrap(), Queue::<u8>::bounded(1).unwrap());
            full.put(1).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| assert!(empty.get().unwrap_err().is_closed()));
                    scope.spawn(|| assert!(full.put(2).unwrap_err().error().is_closed()));
                }
                empty.shutdown(how).unwrap();
                full.shutdown(how).unwrap();
            });
        }
    });
}

#[test]
fn many_threads_put_and_get() {
    scenario(|| {
        let queue = Queue::<(usize, u64)>::bounded(7).unwrap();
        let taken = std::sync::Mutex::new(vec![Vec::new(); 4]);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = [None; 4];
                    for message in &queue {
                        let (from, number) = message.unwrap();
                        assert!(last[from].is_none_or(|last| last < number), "the order of a producer");
                        last[from] = Some(number);
                        taken.lock().unwrap()[from].push(number);
                    }
                });
            }
            let producers: Vec<_> = (0..4)
                .map(|from| {
                    let queue = &queue;
                    scope.spawn(move || (0..500).for_each(|number| queue.put((from, number)).unwrap()))
                })
                .collect();
            for producer in producers {
                producer.join().unwrap();
            }
            queue.shutdown(Shutdown::Drain).unwrap();
        });
        for mut numbers in taken.into_inner().unwrap() {
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..500));
        }
    });
}

#[test]
fn a_joinable_queue_is_joined_when_everything_is_done() {
    scenario(|| {
        let queue = JoinableQueue::bounded(5).unwrap();
        queue.join().unwrap();
        assert_eq!(queue.task_done().unwrap_err().kind(), ErrorKind::InvalidInput);
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        assert!(queue.join_timeout(Duration::ZERO).unwrap_err().is_timeout());
        queue.get().unwrap();
        queue.task_done().unwrap();
        assert!(queue.join_timeout(Duration::from_millis(2)).unwrap_err().is_timeout());
        std::thread::scope(|scope| {
            scope.spawn(|| queue.join().unwrap());
            queue.get().unwrap();
            queue.task_done().unwrap();
        });
        assert!(queue.task_done().is_err());
        queue.put(3).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(queue.join().unwrap_err().is_closed()));
            queue.shutdown(Shutdown::Immediate).unwrap();
        });
    });
}

#[cfg(unix)]
#[mp::task]
fn put_square((number, squares): (u64, Queue<u64>)) {
    squares.put(number * number).expect("room");
}

/// Gives a queue to each of many calls, in a process that may not have as many descriptors as that takes.
#[cfg(unix)]
#[mp::task]
fn give_a_queue_to_each(count: u64) -> [u64; 3] {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit { current: Some(300), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).expect("less than before");
    let pool = mp::Pool::new(2).expect("a pool");
    let squares = Queue::unbounded().expect("a queue");
    let items = || (0..count).map(|number| (number, squares.clone()));
    pool.map(put_square, items()).expect("descriptors for all");
    let each = pool.try_map(put_square, items());
    let lazy = pool.imap(put_square, items()).filter(Result::is_ok).count();
    [squares.len() as u64, each.iter().filter(|outcome| outcome.is_ok()).count() as u64, lazy as u64]
}

#[test]
#[cfg(unix)]
fn a_queue_can_be_given_to_each_of_many_calls() {
    scenario(|| {
        let count = 400;
        let process = mp::spawn(give_a_queue_to_each, (count,)).unwrap();
        assert_eq!(process.join().unwrap(), [3 * count, count, count]);
    });
}

#[test]
fn a_loop_takes_a_receiver_as_it_is_and_a_queue_too() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u32>().unwrap();
        let (here, there) = mp::duplex::<u32, ()>().unwrap();
        let (queue, joinable) = (Queue::bounded(3).unwrap(), JoinableQueue::bounded(3).unwrap());
        for number in 0..3 {
            sender.send(number).unwrap();
            here.send(number).unwrap();
            queue.put(number).unwrap();
            joinable.put(number).unwrap();
        }
        drop((sender, here));
        queue.shutdown(Shutdown::Drain).unwrap();
        joinable.shutdown(Shutdown::Drain).unwrap();
        let mut seen = Vec::new();
        for number in receiver {
            seen.push(number.unwrap());
        }
        for number in there {
            seen.push(number.unwrap());
        }
        for number in queue {
            seen.push(number.unwrap());
        }
        for number in &joinable {
            seen.push(number.unwrap());
        }
        assert_eq!(seen, [0, 1, 2].repeat(4));
        assert!(joinable.into_iter().next().is_none());
    });
}
