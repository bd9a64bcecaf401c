//! Ends and queues are values: as arguments, results, fields, messages, and through nested processes.

use mp::sync::Event;
use mp::{Duplex, ErrorKind, Pool, Queue, Receiver, Sender, Shutdown};
use mp_tests::scenario;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Office {
    inbox: Receiver<u32>,
    outbox: Option<Sender<u32>>,
    log: Queue<String>,
}

#[mp::task]
fn double_all(office: Office) {
    let outbox = office.outbox.expect("one");
    for number in &office.inbox {
        let number = number.expect("a number");
        office.log.put(format!("got {number}")).expect("room");
        outbox.send(number * 2).expect("somebody reads");
    }
}

#[mp::task]
fn answer(line: Duplex<u32, String>) {
    while let Ok(question) = line.recv() {
        line.send(question.len() as u32).expect("somebody asks");
    }
}

#[mp::task]
fn make_a_pipe() -> (Sender<u8>, Receiver<u8>, Queue<u8>) {
    let (sender, receiver) = mp::pipe().expect("a pipe");
    let queue = Queue::bounded(2).expect("a queue");
    queue.put(7).expect("room");
    (sender, receiver, queue)
}

#[mp::task]
fn pass_down(depth: u32, queue: Queue<u32>) {
    queue.put(depth).expect("room");
    if depth > 0 {
        let pool = Pool::new(1).expect("a pool");
        pool.apply(pass_down, (depth - 1, queue)).expect("it works");
    }
}

#[mp::task]
fn produce(from: u32, count: u32, queue: Queue<(u32, u32)>) {
    (0..count).for_each(|number| queue.put((from, number)).expect("room"));
}

#[test]
fn ends_in_a_struct_work_in_a_child() {
    scenario(|| {
        let (to, inbox) = mp::pipe().unwrap();
        let (outbox, from) = mp::pipe().unwrap();
        let log = Queue::unbounded().unwrap();
        let office = Office { inbox, outbox: Some(outbox), log: log.clone() };
        let child = mp::spawn(double_all, (office,)).unwrap();
        (1..4).for_each(|number| to.send(number).unwrap());
        drop(to);
        assert!(from.iter().map(Result::unwrap).eq([2, 4, 6]));
        child.join().unwrap();
        assert_eq!((log.len(), log.get().unwrap()), (3, "got 1".to_owned()));
    });
}

#[mp::task]
fn take_end(end: mp::Sender<u8>) {
    drop(end);
}

/// Sends its end away and returns it nevertheless.
#[mp::task]
fn give_twice(end: mp::Sender<u8>) -> mp::Sender<u8> {
    let (to, _from) = mp::pipe().expect("descriptors");
    to.send(&end).expect("a first time");
    end
}

#[test]
fn an_end_is_sent_once() {
    scenario(|| {
        let check = |error: &mp::Error| {
            assert_eq!(error.kind(), ErrorKind::AlreadyTaken, "{error}");
            let text = error.to_string();
            assert!(text.contains("was sent to another process") && !text.contains("postcard"), "{text}");
        };
        let pool = Pool::new(1).unwrap();
        let (end, _receiver) = mp::pipe::<u8>().unwrap();
        pool.apply(take_end, (&end,)).unwrap();
        check(&pool.apply(take_end, (&end,)).unwrap_err());
        check(&pool.apply_async(take_end, (&end,)).wait().unwrap_err());
        check(&pool.map(take_end, [&end]).unwrap_err());
        check(pool.try_map(take_end, [&end])[0].as_ref().unwrap_err());
        check(&pool.imap(take_end, [&end]).next().unwrap().unwrap_err());
        check(&mp::spawn(take_end, (&end,)).unwrap_err());
        let (to, _from) = mp::pipe().unwrap();
        check(to.send(&end).unwrap_err().error());
        check(Queue::unbounded().unwrap().put(&end).unwrap_err().error());
        let (fresh, _receiver) = mp::pipe::<u8>().unwrap();
        check(&pool.apply(give_twice, (fresh,)).unwrap_err());
    });
}

#[test]
fn an_end_that_was_sent_is_gone_here() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (here, there) = mp::duplex().unwrap();
        let call = pool.apply_async(answer, (&there,));
        assert_eq!(there.recv().unwrap_err().kind(), ErrorKind::AlreadyTaken);
        assert_eq!(there.send(1).unwrap_err().error().kind(), ErrorKind::AlreadyTaken);
        here.send("four".to_owned()).unwrap();
        assert_eq!(here.recv().unwrap(), 4);
        drop(here);
        call.wait().unwrap();
    });
}

#[test]
fn what_a_worker_made_works_in_its_parent() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (sender, receiver, queue) = pool.apply(make_a_pipe, ()).unwrap();
        drop(pool);
        sender.send(1).unwrap();
        drop(sender);
        assert!(receiver.iter().map(Result::unwrap).eq([1]));
        assert_eq!(queue.get().unwrap(), 7);
    });
}

#[test]
fn ends_and_queues_travel_in_messages() {
    scenario(|| {
        let queue = Queue::<(Sender<Queue<u8>>, Vec<u8>)>::bounded(10).unwrap();
        let (sender, receiver) = mp::pipe().unwrap();
        queue.put((sender, vec![1; 1 << 20])).unwrap();
        let (sender, bytes) = queue.get().unwrap();
        assert_eq!(bytes.len(), 1 << 20);
        let inner = Queue::bounded(1).unwrap();
        inner.put(5).unwrap();
        sender.send(inner).unwrap();
        drop(sender);
        assert_eq!(receiver.recv().unwrap().get().unwrap(), 5);
        assert!(receiver.recv().unwrap_err().is_closed());
    });
}

#[test]
fn a_queue_reaches_processes_of_processes() {
    scenario(|| {
        let queue = Queue::bounded(10).unwrap();
        mp::spawn(pass_down, (3, queue.clone())).unwrap().join().unwrap();
        queue.shutdown(Shutdown::Drain).unwrap();
        assert!(queue.iter().map(Result::unwrap).eq([3, 2, 1, 0]));
    });
}

#[test]
fn a_producer_may_exit_right_after_its_put() {
    scenario(|| {
        let queue = Queue::bounded(4).unwrap();
        let children = [0, 1].map(|from| mp::spawn(produce, (from, 1000, queue.clone())).unwrap());
        let mut next = [0; 2];
        for _ in 0..2000 {
            let (from, number) = queue.get().unwrap();
            assert_eq!(number, next[from as usize]);
            next[from as usize] += 1;
        }
        for child in children {
            child.join().unwrap();
        }
        assert!(queue.is_empty());
    });
}

#[test]
fn outside_of_mp_they_cannot_be_encoded() {
    struct Text;
    impl std::fmt::Write for Text {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            Ok(())
        }
    }
    scenario(|| {
        // Any serializer will do: `fmt::Formatter` is the one that serde has itself.
        struct Shown<'a>(&'a Queue<u8>, &'a Sender<u8>);
        impl std::fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                assert!(self.0.serialize(&mut *f).is_err());
                self.1.serialize(&mut *f)
            }
        }
        let (queue, (sender, receiver)) = (Queue::bounded(1).unwrap(), mp::pipe().unwrap());
        assert!(std::fmt::write(&mut Text, format_args!("{}", Shown(&queue, &sender))).is_err());
        sender.send(1).unwrap();
        assert_eq!(receiver.recv().unwrap(), 1, "a refused end stays");
    });
}

/// Some of these cannot travel, and say why.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
struct Picky {
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(serialize_with = "only_even")]
    number: u32,
}

fn only_even<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_multiple_of(2) {
        number.serialize(serializer)
    } else {
        Err(S::Error::custom(format!("{number} is odd")))
    }
}

#[test]
fn a_message_that_cannot_travel_says_why_and_comes_back() {
    scenario(|| {
        let (sender, receiver) = mp::pipe().unwrap();
        let (bounded, unbounded) = (Queue::bounded(9).unwrap(), Queue::unbounded().unwrap());
        for (weight, number, why) in [
            (
                None,
                0,
                "the field `weight` was skipped (`skip_serializing_if`), and the receiver could not tell: ",
            ),
            (Some(1), 3, "cannot be encoded: at `number`: 3 is odd"),
        ] {
            let picky = Picky { weight, number };
            let one = |value| [Some(value)];
            let refused = [
                sender.send(one(picky.clone())).unwrap_err(),
                bounded.put(one(picky.clone())).unwrap_err(),
                bounded.try_put(one(picky.clone())).unwrap_err(),
                unbounded.put(one(picky.clone())).unwrap_err(),
            ];
            for refused in refused {
                let text = refused.to_string();
                assert_eq!(refused.error().kind(), ErrorKind::Encode, "{text}");
                assert!(text.contains("Picky") && text.contains(why), "{why:?} is not in: {text}");
                assert!(!text.contains("untagged"), "{text}");
                assert_eq!(refused.into_inner(), one(picky.clone()));
            }
        }
        let good = [Some(Picky { weight: Some(7), number: 8 })];
        sender.send(good.clone()).unwrap();
        bounded.put(good.clone()).unwrap();
        unbounded.put(good.clone()).unwrap();
        assert_eq!(
            [receiver.recv(), bounded.get(), unbounded.get()].map(Result::unwrap),
            [(); 3].map(|()| good.clone())
        );
    });
}

#[test]
fn what_cannot_be_sent_because_of_its_ends_says_so() {
    scenario(|| {
        let (carrier, arrived) = mp::pipe().unwrap();
        let (sender, _receiver) = mp::pipe::<u8>().unwrap();
        carrier.send(vec![&sender]).unwrap();
        let twice = carrier.send(vec![&sender]).unwrap_err().to_string();
        assert!(twice.contains("this end of a pipe was sent to another process"), "{twice}");
        let event = Event::new().unwrap();
        let (many, carried) = mp::pipe::<Vec<Event>>().unwrap();
        let refused = many.send(vec![event.clone(); 65]).unwrap_err().to_string();
        assert!(refused.contains("the 64 that one message can carry"), "{refused}");
        many.send(vec![event; 64]).unwrap();
        assert_eq!(carried.recv().unwrap().len(), 64);
        drop(arrived);
    });
}

/// An end, and a value that may be unencodable.
type Passenger = (Sender<u8>, Option<Picky>);

#[test]
fn an_end_in_a_message_that_was_not_sent_stays() {
    scenario(|| {
        let odd = || Some(Picky { weight: Some(1), number: 3 });
        let (end, receiver) = mp::pipe::<u8>().unwrap();
        // It works after each of them, and nobody else has it.
        let check = |refused: mp::SendError<Passenger>, kind| {
            assert_eq!(refused.error().kind(), kind);
            let (end, _) = refused.into_inner();
            end.send(7).unwrap();
            assert_eq!(receiver.recv().unwrap(), 7);
            end
        };
        let queue = Queue::<Passenger>::bounded(1).unwrap();
        let end = check(queue.put((end, odd())).unwrap_err(), ErrorKind::Encode);
        queue.put((mp::pipe().unwrap().0, None)).unwrap();
        let end = check(queue.try_put((end, None)).unwrap_err(), ErrorKind::Full);
        let end = check(queue.put_timeout((end, None), Duration::ZERO).unwrap_err(), ErrorKind::TimedOut);
        let end = check(queue.put((end, odd())).unwrap_err(), ErrorKind::Encode);
        queue.shutdown(Shutdown::Drain).unwrap();
        let end = check(queue.put((end, None)).unwrap_err(), ErrorKind::Closed);
        let (carrier, carried) = mp::pipe::<Passenger>().unwrap();
        let mut end = check(carrier.send((end, odd())).unwrap_err(), ErrorKind::Encode);
        let mut sent = Vec::new();
        loop {
            let (filler, receiver) = mp::pipe().unwrap();
            sent.push(receiver);
            if let Err(full) = carrier.try_send((filler, None)) {
                assert_eq!(full.error().kind(), ErrorKind::Full);
                break;
            }
        }
        end = check(carrier.try_send((end, None)).unwrap_err(), ErrorKind::Full);
        drop(carried);
        end = check(carrier.send((end, None)).unwrap_err(), ErrorKind::Closed);
        // An end can be in a message once.
        let (other, _others) = mp::pipe::<u8>().unwrap();
        let (pairs, pair) = mp::pipe().unwrap();
        assert_eq!(pairs.send((&end, &end)).unwrap_err().error().kind(), ErrorKind::AlreadyTaken);
        pairs.send((&end, &other)).unwrap();
        assert_eq!(end.send(1).unwrap_err().error().kind(), ErrorKind::AlreadyTaken);
        drop(pair);
        assert!(receiver.recv().unwrap_err().is_closed(), "it left with the message, which nobody received");
        drop(end);
    });
}

#[mp::task]
fn take_both(end: Sender<u8>, _picky: Option<Picky>) {
    end.send(8).expect("somebody listens");
}

#[test]
fn an_end_in_a_call_that_cannot_be_made_stays() {
    scenario(|| {
        let odd = || Some(Picky { weight: Some(1), number: 3 });
        let (end, receiver) = mp::pipe::<u8>().unwrap();
        let pool = Pool::new(1).unwrap();
        let refused = [
            pool.apply(take_both, (&end, odd())).unwrap_err(),
            pool.apply_async(take_both, (&end, odd())).wait().unwrap_err(),
            pool.starmap(take_both, [(&end, odd())]).unwrap_err(),
            pool.try_starmap(take_both, [(&end, odd())]).remove(0).unwrap_err(),
            mp::spawn(take_both, (&end, odd())).unwrap_err(),
        ];
        for refused in refused {
            assert_eq!(refused.kind(), ErrorKind::Encode, "{refused}");
        }
        end.send(7).unwrap();
        pool.apply(take_both, (&end, None::<Picky>)).unwrap();
        assert_eq!((receiver.recv().unwrap(), receiver.recv().unwrap()), (7, 8));
        assert!(receiver.recv().unwrap_err().is_closed(), "it left with the call");
        drop(end);
    });
}

/// Says `number`, unless it is one of those that kill their process.
#[mp::task]
fn say(number: u32, sender: Sender<u32>) {
    if number % 7 == 3 {
        std::process::abort();
    }
    sender.send(number).expect("somebody listens");
}

#[test]
fn each_call_gets_the_end_that_it_was_given_whatever_others_die_of() {
    scenario(|| {
        let restart = mp::Restart { at_most: 100, per: Duration::from_secs(1) };
        let pool = Pool::builder().workers(2).restart(restart).build().unwrap();
        let calls: Vec<_> = (0..40)
            .map(|number| {
                let (sender, receiver) = mp::pipe().unwrap();
                (number, receiver, pool.apply_async(say, (number, sender)))
            })
            .collect();
        // What no worker has started leaves its end unused, and the next call gets its own all the same.
        let cancelled: Vec<_> =
            calls.iter().map(|(number, _, call)| number % 5 == 4 && call.cancel()).collect();
        for ((number, receiver, call), cancelled) in calls.into_iter().zip(cancelled) {
            let outcome = call.wait();
            if cancelled {
                assert!(outcome.unwrap_err().is_cancelled());
            } else if number % 7 == 3 {
                assert!(outcome.unwrap_err().worker_lost().is_some());
            } else {
                outcome.unwrap();
                assert_eq!(receiver.recv().unwrap(), number);
            }
            assert!(receiver.recv().unwrap_err().is_closed(), "{number}: nobody has the other end");
        }
    });
}

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn who_has_no_descriptors_left_for_what_comes_with_a_message_hears_so() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    scenario(|| {
        let queue = mp::Queue::unbounded().unwrap();
        let joinable = mp::JoinableQueue::bounded(10).unwrap();
        let (through, out) = mp::pipe::<mp::Sender<u32>>().unwrap();
        let ends = || mp::pipe::<u32>().unwrap().0;
        queue.put(ends()).unwrap();
        joinable.put(ends()).unwrap();
        through.send(ends()).unwrap();
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(128), ..before }).unwrap();
        let held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let errors = [queue.get().err(), joinable.get().err(), out.recv().err()];
        drop(held);
        setrlimit(Resource::Nofile, before).unwrap();
        for error in errors {
            let text = error.expect("no room for it").to_string();
            assert!(
                text.contains("this process has no descriptors left") && text.contains("is lost"),
                "{text}"
            );
        }
        // What it has heard of is not there any more, and not done before it says so.
        assert_eq!((queue.len(), joinable.len()), (0, 0));
        assert!(joinable.join_timeout(Duration::ZERO).unwrap_err().is_timeout());
        joinable.task_done().unwrap();
        joinable.join().unwrap();
    });
}
