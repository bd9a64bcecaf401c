//! A long result on its way: both ends in one process.

use super::super::berth::Berth;
use super::super::incoming::Incoming;
use super::super::mail::{Mail, Told};
use super::*;
use crate::limits::{IN_THE_WAY_MAX, SLAB_KEPT_BYTES};
use crate::protocol::control::ToWorker;
use crate::shm::filling::STEP_BYTES;
use crate::shm::region::WorkerEnd;
use crate::shm::ring::{Consumer, Trusted};
use crate::shm::slab::{AttachedSlab, HEAD_BYTES};
use crate::sys::bell::Bell;
use crate::sys::memory::Memory;
use crate::task::frame::Arriving;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const LEN: usize = 300 << 10;
const HALF: usize = 128 << 10;

fn made(from: usize) -> Vec<u8> {
    (from..LEN).map(|place| (place % 251) as u8).collect()
}

/// A lane, and the worker's side of it with a slab of its own that has been sent.
fn both() -> (Lane, WorkerEnd, Socket, Slab) {
    let (here, there) = Socket::pair().expect("a pair");
    here.set_nonblocking(true).expect("a socket");
    let region = Region::create("mp-test").expect("memory");
    let handle = region.handle().try_clone_to_owned().expect("a copy");
    let worker = Region::attach(handle).expect("a region").into_worker();
    let slab = Slab::create(LEN).expect("memory");
    control::send(&there, &ToParent::Slab { id: slab.id() }, &[slab.handle()]).expect("room");
    (Lane::new(here, region), worker, there, slab)
}

fn announce(worker: &mut WorkerEnd, slab: &Slab, len: u64) {
    worker.shared.result.start();
    let head = FrameHead { kind: response::DONE, flags: SPILLED, count: 0, seq: 1 };
    worker.responses.try_push(head, &[&Spilled { slab: slab.id(), len }.to_bytes()]).expect("room");
}

fn next(lane: &mut Lane) -> (Option<Response>, Vec<u8>) {
    let mut bytes = Vec::new();
    let response = lane.next_response(usize::MAX, &mut bytes, &mut Ok(Vec::new())).expect("no violation");
    (response, bytes)
}

#[test]
fn a_long_result_is_read_along_and_counts_when_it_is_whole() {
    let (mut lane, mut worker, socket, slab) = both();
    announce(&mut worker, &slab, LEN as u64);
    assert!(lane.has_response());
    assert_eq!(next(&mut lane), (None, vec![]), "nothing is there");
    assert!(!lane.has_response() && !lane.ask_for_bell(1));
    slab.write(0, &made(0)[..HALF]).expect("in bounds");
    worker.shared.result.reached(HALF);
    assert!(lane.has_response(), "there is more of it");
    assert_eq!(next(&mut lane), (None, vec![]), "half of it is there");
    assert!(!lane.has_response());
    // What was read is not read again.
    slab.write(0, &vec![0; HALF]).expect("in bounds");
    slab.write(HALF, &made(HALF)).expect("in bounds");
    worker.shared.result.finish();
    let done = Response { seq: CallSeq(1), kind: ResponseKind::Done };
    assert_eq!(next(&mut lane), (Some(done), made(0)));
    assert!(!lane.has_response());
    assert_eq!(next(&mut lane), (None, vec![]), "once");
    let told = Inbox::default().receive(&socket).expect("open").map(|(message, _)| message);
    assert!(matches!(told, Some(ToWorker::Free)));
}

#[test]
fn a_long_result_is_read_in_pieces() {
    let (mut lane, mut worker, _socket, slab) = both();
    slab.write(0, &made(0)).expect("in bounds");
    announce(&mut worker, &slab, LEN as u64);
    worker.shared.result.finish();
    let mut bytes = Vec::new();
    let mut pieces = 0;
    while pieces == 0 || lane.is_receiving() {
        assert!(lane.has_response());
        let response = lane.next_response(HALF, &mut bytes, &mut Ok(Vec::new())).expect("no violation");
        assert_eq!(lane.is_receiving(), response.is_none());
        pieces += 1;
    }
    assert_eq!(pieces, LEN.div_ceil(HALF));
    assert_eq!(bytes, made(0));
}

#[test]
fn what_came_behind_a_long_result_is_seen_by_the_next_look() {
    let (mut lane, mut worker, _socket, slab) = both();
    assert!(!lane.look());
    announce(&mut worker, &slab, LEN as u64);
    assert!(lane.look());
    assert_eq!(next(&mut lane).0, None, "nothing is there");
    // While nobody looks it is done with that one, and with the next call.
    slab.write(0, &made(0)).expect("in bounds");
    worker.shared.result.finish();
    worker.responses.try_push_short(b"2").expect("room");
    assert!(lane.look());
    assert_eq!(next(&mut lane).1, made(0));
    assert!(lane.is_behind(), "the look has seen both");
    assert_eq!(next(&mut lane).1, b"2");
    assert!(!lane.is_behind() && !lane.look());
}

#[test]
fn more_than_all_is_all() {
    let (mut lane, mut worker, _socket, slab) = both();
    slab.write(0, &made(0)).expect("in bounds");
    announce(&mut worker, &slab, LEN as u64);
    worker.shared.result.finish();
    assert_eq!(next(&mut lane).1, made(0));
    announce(&mut worker, &slab, 0);
    assert_eq!(next(&mut lane).1, []);
    // Longer than the memory that was sent.
    announce(&mut worker, &slab, 1 << 30);
    worker.shared.result.finish();
    assert!(lane.next_response(usize::MAX, &mut Vec::new(), &mut Ok(Vec::new())).is_err());
}

#[test]
fn a_slab_is_there_until_the_calls_that_refer_to_it_have_ended() {
    let (mut lane, mut worker, socket, _slab) = both();
    let mut inbox = Inbox::default();
    let mut told = || -> Option<ToWorker> {
        let is_there = sys::poller::ready(socket.handle(), Some(Duration::ZERO));
        is_there.expect("a socket").then(|| inbox.receive(&socket).expect("open").expect("a message").0)
    };
    for (kind, seq) in [(response::DONE, 1), (response::SKIPPED, 2)] {
        let slab = Slab::create(LEN).expect("memory");
        assert!(lane.spilled_call(CallSeq(seq), 0, (&slab, 1), &[]).expect("room"));
        assert!(matches!(told(), Some(ToWorker::Slab { .. })));
        lane.forget(slab.id());
        assert!(told().is_none(), "it may be about to look for it");
        let head = FrameHead { kind, flags: 0, count: 0, seq };
        worker.responses.try_push(head, &[&[]]).expect("room");
        assert!(next(&mut lane).0.is_some());
        assert!(matches!(told(), Some(ToWorker::Forget { id }) if id == slab.id()));
    }
}

const WATCHDOG: Duration = Duration::from_secs(60);

#[test]
fn who_has_caught_up_with_a_long_argument_reads_on_before_it_is_whole() {
    let (lane, worker, _socket, slab) = both();
    let handle = slab.handle().try_clone_to_owned().expect("a copy");
    let attached = AttachedSlab::attach(handle, LEN).expect("a slab");
    slab.start();
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn(move || {
        let arguments = Incoming::new(&attached, LEN, worker.shared.clone()).expect("in bounds");
        tell.send(arguments.part(0, 1).to_vec()).expect("somebody to tell");
    });
    // It sleeps, and is not woken: there is more to write.
    while !lane.end.shared.worker_sleep.take_sleeper() {
        thread::yield_now();
    }
    // The second piece comes when the first was read.
    let (pieces, mut heard) = (made(0), None);
    let second = std::iter::from_fn(|| {
        heard = Some(told.recv_timeout(WATCHDOG));
        None
    });
    slab.pour([&pieces[..STEP_BYTES]].into_iter().chain(second)).expect("in bounds");
    assert_eq!(heard, Some(Ok(pieces[..STEP_BYTES].to_vec())));
    reader.join().expect("no panic");
}

/// A lane, the bell that its worker rings, and what a worker answers with.
fn answering() -> (Lane, Bell, Arc<Mail>, Berth) {
    let (lane, bell, mail, _requests, berth) = working();
    (lane, bell, mail, berth)
}

/// The same, and what a worker is asked with.
fn working() -> (Lane, Bell, Arc<Mail>, Consumer<Trusted>, Berth) {
    let (here, there) = Socket::pair().expect("a pair");
    here.set_nonblocking(true).expect("a socket");
    let region = Region::create("mp-test").expect("memory");
    let handle = region.handle().try_clone_to_owned().expect("a copy");
    let worker = Region::attach(handle).expect("a region").into_worker();
    let bell = Bell::new().expect("a bell");
    let theirs = Bell::from_handle(bell.handle().try_clone_to_owned().expect("a copy"));
    let mail = Mail::new(there);
    let (requests, berth) = Berth::new(mail.clone(), worker, theirs);
    (Lane::new(here, region), bell, mail, requests, berth)
}

#[test]
fn who_sleeps_for_many_long_results_hears_of_a_worker_that_waits_for_the_first_to_be_taken() {
    const MANY: u64 = 100;
    for sleeps_first in [true, false] {
        let (mut lane, bell, mail, mut berth) = answering();
        thread::scope(|scope| {
            if sleeps_first {
                assert!(!lane.ask_for_bell(MANY), "nothing is there");
            }
            scope.spawn(move || {
                for call in 1..=2 {
                    berth.respond(response::DONE, CallSeq(call), &made(0)).expect("room");
                }
            });
            if sleeps_first {
                assert!(
                    sys::poller::ready(bell.handle(), Some(WATCHDOG)).expect("a bell"),
                    "asleep for ever"
                );
            } else {
                let began = Instant::now();
                while !lane.end.shared.parent_sleep.is_held_up() {
                    assert!(began.elapsed() < WATCHDOG, "it does not say so");
                }
                assert!(lane.ask_for_bell(MANY), "no more will be there");
            }
            // What the watch thread does.
            scope.spawn(move || {
                assert!(
                    sys::poller::ready(mail.handle(), Some(WATCHDOG)).expect("a socket"),
                    "nobody took it"
                );
                // The worker may have been faster.
                let _ = mail.file_next();
            });
            for _ in 1..=2 {
                while !lane.has_response() {}
                while next(&mut lane).0.is_none() {}
            }
        });
    }
}

#[test]
fn a_parent_that_has_caught_up_with_a_long_result_is_woken_before_it_is_whole() {
    let (mut lane, bell, mail, mut berth) = answering();
    let (result, done) = (vec![7; 64 << 20], AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for call in (1..).take_while(|_| !done.load(Relaxed)) {
                berth.respond(response::DONE, CallSeq(call), &result).expect("room");
                berth.announce();
                assert!(
                    sys::poller::ready(mail.handle(), Some(WATCHDOG)).expect("a socket"),
                    "nobody took it"
                );
                assert_eq!(mail.file_next().expect("it was taken"), Told::News);
            }
        });
        // In one of the results, that is: it may be written while this thread gets no processor.
        let began = Instant::now();
        while !done.load(Relaxed) {
            assert!(began.elapsed() < WATCHDOG, "only at the end of each result");
            let mut rings = 0;
            loop {
                // About to sleep all the time, and never asleep.
                lane.ask_for_bell(1);
                rings += u32::from(bell.clear());
                if lane.end.shared.result.there(result.len()) == result.len() {
                    break;
                }
                done.fetch_or(rings > 1, Relaxed);
            }
            assert_eq!(next(&mut lane).1, result);
        }
    });
}

/// What is far longer than what is kept of it.
const VERY_LONG: usize = 5 * SLAB_KEPT_BYTES;

/// Whether the worker's slab has no more pages than are kept, and the one in front of them.
fn is_small(berth: &Berth) -> bool {
    berth.resident().expect("it tells") <= (SLAB_KEPT_BYTES + HEAD_BYTES) as u64
}

#[test]
fn what_a_long_result_leaves_is_given_back_when_it_has_been_read_and_there_is_nothing_to_do() {
    if !Memory::SHRINKS {
        return;
    }
    let (mut lane, _bell, mail, requests, mut berth) = working();
    for (call, byte) in [(1, 7), (2, 8)] {
        let result = vec![byte; VERY_LONG];
        berth.respond(response::DONE, CallSeq(call), &result).expect("room");
        assert!(!berth.wait_for_request(&requests, None), "it looks after its slab");
        berth.tidy(&requests);
        assert_eq!(next(&mut lane).1, result, "it has not been read");
        assert_eq!(mail.file_next().expect("it has now"), Told::News);
        assert!(!berth.wait_for_request(&requests, None), "now it may");
        berth.tidy(&requests);
        assert!(is_small(&berth));
    }
    // Nothing is left to look after: from here on it sleeps until it is called.
    thread::scope(|scope| {
        let worker = scope.spawn(|| berth.wait_for_request(&requests, None));
        assert!(lane.call(CallSeq(3), 1, &[&[]]));
        lane.wake();
        assert!(worker.join().expect("no panic"));
    });
}

#[test]
fn who_has_lent_its_slab_sleeps_until_that_has_been_read_and_looks_after_it_then() {
    if !Memory::SHRINKS {
        return;
    }
    let (mut lane, _bell, mail, requests, mut berth) = working();
    berth.respond(response::DONE, CallSeq(1), &vec![7; VERY_LONG]).expect("room");
    assert!(!berth.wait_for_request(&requests, None));
    berth.tidy(&requests);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let (requests, worker) = (&requests, &mut berth);
        scope.spawn(move || tell.send(worker.wait_for_request(requests, None)).expect("somebody to tell"));
        let early = told.recv_timeout(3 * limits::KEPT_FOR);
        assert!(early.is_err(), "it does not look time and again");
        assert_eq!(next(&mut lane).1.len(), VERY_LONG);
        assert_eq!(mail.file_next().expect("what the watch thread does"), Told::News);
        let woken = told.recv_timeout(WATCHDOG);
        if woken.is_err() {
            // So that it ends.
            lane.call(CallSeq(2), 1, &[&[]]);
            lane.wake();
        }
        assert_eq!(woken, Ok(true), "it is not woken");
    });
    assert!(!berth.wait_for_request(&requests, None), "the time begins anew");
    berth.tidy(&requests);
    assert!(is_small(&berth));
}

#[test]
fn a_call_goes_before_looking_after_the_slab() {
    if !Memory::SHRINKS {
        return;
    }
    let (mut lane, _bell, mail, requests, mut berth) = working();
    berth.respond(response::DONE, CallSeq(1), &vec![7; VERY_LONG]).expect("room");
    assert_eq!(next(&mut lane).1.len(), VERY_LONG);
    assert_eq!(mail.file_next().expect("it has been read"), Told::News);
    assert!(lane.call(CallSeq(2), 1, &[&[]]));
    berth.tidy(&requests);
    assert!(!is_small(&berth));
}

#[test]
fn a_worker_that_keeps_its_caller_from_running_steps_aside_unless_that_waits_for_an_answer() {
    static STEPS: AtomicU32 = AtomicU32::new(0);
    let steps_if = |in_haste| {
        let (mut lane, _bell, _mail, requests, mut berth) = working();
        berth.step_aside_by(|| _ = STEPS.fetch_add(1, Relaxed));
        berth.expect_haste(in_haste);
        // This thread is both.
        for _ in 0..IN_THE_WAY_MAX {
            lane.end.shared.worker_sleep.announce();
            assert!(lane.quit(), "there is room");
            assert!(berth.wait_for_request(&requests, None));
        }
        STEPS.swap(0, Relaxed)
    };
    assert!((0..100).all(|_| steps_if(true) == 0));
    // It may be moved to another processor in between.
    assert!((0..100).any(|_| steps_if(false) == 1));
}
