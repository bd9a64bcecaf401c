//! A simulated machine: processes with rings of limited size, tasks that take time, fail, or never end, and deaths at
//! every moment; and a driver that carries out actions and feeds events as the real one does.

use super::super::{Action, Event, OnFailure, Phase, Policy, Restart, Scheduler, Why, WorkerState};
use super::books::{Books, Item, JobBook, WorkerBook};
use super::random::{Random, mix};
use crate::clock::Time;
use crate::ids::{CallSeq, JobId, WorkerId};
use std::collections::{BTreeMap, VecDeque};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// The life of a simulated process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Loading,
    Initializing,
    Serving,
    Dead,
}

/// A simulated process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) life: Life,
    ring: VecDeque<(CallSeq, JobId, u64)>,
    /// What the recorder names; the call is over once `published`.
    recorder: Option<(CallSeq, JobId, u64)>,
    published: bool,
    /// The last call it took.
    started: CallSeq,
    ends: Time,
    messages: VecDeque<Event>,
    /// It does not run calls from here on.
    /// From where on it may decline calls, and from where on it has none.
    revoked: Option<(CallSeq, CallSeq)>,
    quit: bool,
    /// It does not say hello, or does not leave.
    pub(super) stuck: bool,
}

/// How often each thing happened, so that a world that never tries something is noticed.
#[derive(Default, Debug)]
pub(super) struct Seen(pub(super) BTreeMap<&'static str, u64>);

impl Seen {
    fn note(&mut self, what: &'static str, is_so: bool) {
        *self.0.entry(what).or_default() += u64::from(is_so);
    }
}

pub(super) struct World {
    pub(super) random: Random,
    pub(super) seed: u64,
    pub(super) now: Time,
    pub(super) scheduler: Scheduler,
    pub(super) policy: Policy,
    pub(super) books: Books,
    pub(super) processes: Vec<Option<Process>>,
    inbox: VecDeque<Event>,
    ring_calls: usize,
    /// Tasks by kind: 0 tiny, 1 mixed, 2 mixed with endless ones.
    pub(super) kind: u64,
    pub(super) deadly: bool,
    pub(super) seen: Seen,
    slots: Vec<u32>,
    serial: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(mix(seed));
        let workers = 1 + random.below(4) as usize;
        let at_most = if random.one_in(4) { random.below(4) as u32 } else { 30 };
        let policy = Policy {
            workers: NonZeroUsize::new(workers).expect("not zero"),
            processors: NonZeroUsize::new(1 + random.below(4) as usize).expect("not zero"),
            credit: Duration::from_micros(200 + random.below(4000)),
            chunk: if random.one_in(4) { NonZeroU64::new(1 + random.below(20)) } else { None },
            restart: Restart { at_most, per: Duration::from_millis(50) },
            grace: Duration::from_millis(random.below(20)),
            max_tasks_per_worker: if random.one_in(3) { NonZeroU64::new(1 + random.below(20)) } else { None },
            handshake: Duration::from_millis(30),
        };
        let mut books = Books::default();
        books.workers.resize_with(workers, WorkerBook::default);
        Self {
            now: Time(random.below(1000)),
            seed,
            scheduler: Scheduler::new(policy.clone()),
            policy,
            books,
            processes: (0..workers).map(|_| None).collect(),
            inbox: VecDeque::new(),
            ring_calls: if random.one_in(2) { 1 + random.below(6) as usize } else { 10_000 },
            kind: random.below(4),
            deadly: !random.one_in(3),
            seen: Seen::default(),
            slots: Vec::new(),
            serial: 0,
            random,
        }
    }

    /// Feeds an event, carries out what it leads to, and checks everything that can be checked then.
    pub(super) fn feed(&mut self, event: Event) {
        self.inbox.push_back(event);
        let mut actions = Vec::new();
        while let Some(event) = self.inbox.pop_front() {
            self.enter(&event);
            let killed = self.is_killed(&event) && self.books.ended.is_some();
            self.scheduler.step(event, self.now, &mut actions);
            self.books.ending |= actions.iter().any(|action| matches!(action, Action::Ended { .. }));
            for action in actions.drain(..) {
                let max_tasks = self.policy.max_tasks_per_worker.map_or(u64::MAX, NonZeroU64::get);
                self.books.enter(&action, max_tasks);
                self.carry_out(action);
            }
            assert_eq!(self.books.expected, None, "an outcome completed nothing");
            for (job, item) in std::mem::take(&mut self.books.was_running) {
                assert!(
                    killed || self.books.jobs[&job].finished,
                    "{job:?} item {item} ran, and was not lost"
                );
            }
            self.compare();
        }
    }

    fn is_killed(&self, event: &Event) -> bool {
        matches!(event, Event::Died { worker, .. } if self.scheduler.worker_state(*worker) == WorkerState::Killed)
    }

    fn compare(&self) {
        for (i, book) in self.books.workers.iter().enumerate() {
            let id = WorkerId(i as u32);
            assert_eq!(self.scheduler.out(id), book.out.len() as u64, "out at {id:?}");
            let front = book.out.front().map(|(seq, job, item)| (*job, *item, *seq));
            assert_eq!(self.scheduler.front(id), front);
        }
        let pending = self.books.jobs.values().filter(|job| !job.finished).count();
        assert_eq!(self.scheduler.pending(), pending);
        assert!(!self.scheduler.is_over() || self.processes.iter().all(Option::is_none));
        if matches!(self.scheduler.phase(), Phase::Leaving | Phase::Ended(_)) {
            assert_eq!(self.scheduler.waiting(), 0);
        }
    }

    /// What an event changes in the books.
    fn enter(&mut self, event: &Event) {
        match event {
            Event::Returned { worker, calls } => {
                self.answered(*worker, *calls, false);
                self.seen.note("complete in a run", *calls > 1);
            }
            Event::Failed { worker } => self.answered(*worker, 1, true),
            Event::Ready { worker } => self.books.workers[worker.index()].ready = true,
            Event::Refused { worker, from } => {
                self.books.cut(*worker, *from);
                self.books.workers[worker.index()].next = from.0;
                self.seen.note("refused", true);
                self.seen.note("refused empty", self.books.workers[worker.index()].out.is_empty());
            }
            Event::Revoked { worker, from } => self.books.cut(*worker, *from),
            Event::Skipped { worker, from } => {
                self.books.cut(*worker, *from);
                self.books.workers[worker.index()].revoking = false;
                assert!(self.books.workers[worker.index()].out.is_empty());
            }
            Event::Died { worker, .. } => {
                self.books.workers[worker.index()] = WorkerBook::default();
            }
            Event::SpawnFailed { .. } => self.seen.note("spawn failures", true),
            Event::Sealed { job } => self.job(*job).sealed = true,
            Event::Stopped { .. } => self.seen.note("stopped", true),
            Event::Closed => self.seen.note("closed", true),
            Event::InitializerFailed { .. } => self.seen.note("initializer failures", true),
            Event::Submitted { .. }
            | Event::Offered { .. }
            | Event::Cancelled { .. }
            | Event::Greeted { .. }
            | Event::Tick => {}
        }
    }

    /// The first calls of a worker ended: they are items of one job, one after the other.
    fn answered(&mut self, worker: WorkerId, calls: u64, failed: bool) {
        let ended = self.books.workers[worker.index()].out.drain(..calls as usize);
        let ended: Vec<_> = ended.map(|(_, job, item)| (job, item)).collect();
        let (job, first) = ended[0];
        assert!(ended.iter().copied().eq((first..first + calls).map(|item| (job, item))), "{ended:?}");
        self.books.expected = Some((job, first..first + calls, failed));
        self.seen.note("complete", true);
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Spawn { worker } => self.spawn(worker),
            Action::Dispatch { worker, job, items, seq } => {
                let Some(process) = &mut self.processes[worker.index()] else { panic!("dispatch to nobody") };
                let refused = |e: &Event| matches!(e, Event::Refused { worker: w, .. } if *w == worker);
                if self.inbox.iter().any(refused) {
                    return;
                }
                for (item, seq) in items.zip(seq.0..) {
                    // A call leaves the ring when the worker clears its recorder.
                    if process.ring.len() + usize::from(process.recorder.is_some()) >= self.ring_calls {
                        self.inbox.push_back(Event::Refused { worker, from: CallSeq(seq) });
                        return;
                    }
                    process.ring.push_back((CallSeq(seq), job, item));
                }
            }
            Action::Revoke { worker, from } => self.revoke(worker, from),
            // There is no process if its start has failed, and the scheduler is yet to hear of it.
            Action::Quit { worker } => {
                if let Some(process) = &mut self.processes[worker.index()] {
                    process.quit = true;
                }
            }
            Action::Kill { worker } => {
                if let Some(process) = &mut self.processes[worker.index()] {
                    let early = process.life == Life::Loading && !self.books.ending;
                    self.seen.note("handshake kills", early);
                    process.life = Life::Dead;
                }
            }
            Action::Lost { .. } => self.seen.note("lost", true),
            Action::Dropped { items, why, .. } => {
                self.seen.note("dropped", !items.is_empty());
                self.seen.note("stop later", why == Why::EarlierFailure);
            }
            Action::Finished { job } => self.slots.push(job.slot),
            Action::Ended { why } => self.seen.note("crash loops", why == Why::CrashLoop),
            Action::Complete { .. } => {}
        }
    }

    fn spawn(&mut self, worker: WorkerId) {
        assert!(self.processes[worker.index()].is_none(), "{worker:?} was started twice");
        self.processes[worker.index()] = Some(Process {
            life: Life::Loading,
            ring: VecDeque::new(),
            recorder: None,
            published: false,
            started: CallSeq(0),
            ends: Time(0),
            messages: VecDeque::new(),
            revoked: None,
            quit: false,
            stuck: self.deadly && self.random.one_in(20),
        });
        if self.deadly && self.random.one_in(15) {
            self.processes[worker.index()] = None;
            self.inbox.push_back(Event::SpawnFailed { worker });
        }
    }

    /// Publishes a revoke. The worker may be further than we knew, and may decline some calls while we look.
    fn revoke(&mut self, worker: WorkerId, from: CallSeq) {
        let declined = if self.random.one_in(2) { self.random.below(4) } else { 0 };
        let process = self.process(worker);
        let overtaken = process.started >= from;
        let mut from = from.max(process.started.next());
        let certain = from;
        for _ in 0..declined {
            if process.ring.iter().any(|call| call.0 == from) {
                from = from.next();
            }
        }
        process.ring.retain(|call| call.0 < from);
        process.revoked = Some((certain, from));
        self.seen.note("revoked", true);
        self.seen.note("overtaken", overtaken);
        self.inbox.push_back(Event::Revoked { worker, from });
    }

    pub(super) fn process(&mut self, worker: WorkerId) -> &mut Process {
        self.processes[worker.index()].as_mut().expect("a process")
    }

    fn job(&mut self, job: JobId) -> &mut JobBook {
        self.books.jobs.get_mut(&job).expect("a job")
    }

    /// Lets a process do its next thing; false if there is none.
    pub(super) fn advance(&mut self, worker: WorkerId) -> bool {
        let (now, fails) = (self.now, self.deadly && self.random.one_in(60));
        let declines = self.random.one_in(2);
        let Some(process) = &mut self.processes[worker.index()] else { return false };
        match process.life {
            Life::Dead => return false,
            Life::Loading if process.stuck => return false,
            Life::Loading => {
                process.life = Life::Initializing;
                process.messages.push_back(Event::Greeted { worker });
            }
            Life::Initializing if fails && self.kind == 1 => {
                process.life = Life::Dead;
                process.messages.push_back(Event::InitializerFailed { worker });
            }
            Life::Initializing => {
                process.life = Life::Serving;
                process.messages.push_back(Event::Ready { worker });
            }
            Life::Serving => {
                if let Some((_, job, item)) = process.recorder {
                    if process.published {
                        process.recorder = None;
                    } else if process.ends <= now {
                        process.published = true;
                        let failed = self.nature(job, item).1;
                        let outcome = if failed {
                            Event::Failed { worker }
                        } else {
                            Event::Returned { worker, calls: 1 }
                        };
                        self.process(worker).messages.push_back(outcome);
                    } else {
                        return false;
                    }
                } else if let Some((certain, told)) = process.revoked
                    && process.ring.front().is_none_or(|call| declines && call.0 >= certain)
                {
                    // Who declines one call declines those behind it.
                    let declined = process.ring.len();
                    let from = process.ring.front().map_or(told, |call| call.0);
                    process.ring.clear();
                    process.revoked = None;
                    process.messages.push_back(Event::Skipped { worker, from });
                    self.seen.note("declined", declined > 0);
                    self.seen.note("declined several", declined > 1);
                } else if let Some(call) = process.ring.pop_front() {
                    process.recorder = Some(call);
                    process.started = call.0;
                    process.published = false;
                    let takes = self.nature(call.1, call.2).0;
                    self.process(worker).ends = now + takes;
                } else if process.quit && !process.stuck {
                    process.life = Life::Dead;
                } else {
                    return false;
                }
            }
        }
        true
    }

    /// Feeds the oldest thing that the driver can see of a worker; false if there is none.
    pub(super) fn listen(&mut self, worker: WorkerId) -> bool {
        let unheard = self.deadly && self.random.one_in(3);
        let Some(process) = &mut self.processes[worker.index()] else { return false };
        if unheard && process.life == Life::Dead && !process.messages.is_empty() {
            self.die_unheard(worker);
            return true;
        }
        if let Some(mut event) = process.messages.pop_front() {
            if let Event::Returned { calls, .. } = &mut event {
                let limit =
                    self.scheduler.front_run(worker).map_or(0, |(_, items, _)| items.end - items.start);
                let limit = limit.min(1 + self.random.below(8));
                while *calls < limit
                    && process.messages.pop_front_if(|next| matches!(next, Event::Returned { .. })).is_some()
                {
                    *calls += 1;
                }
            }
            self.feed(event);
            return true;
        }
        if process.life != Life::Dead {
            return false;
        }
        let recorded = process.recorder.map(|call| call.0);
        let running = process.recorder.filter(|_| !process.published);
        self.books.was_running = running.map(|(_, job, item)| (job, item)).into_iter().collect();
        self.seen.note(
            "died published",
            process.published && !process.ring.is_empty() && process.recorder.is_some(),
        );
        self.processes[worker.index()] = None;
        let handed_back = recorded.is_none() && self.random.below(8) == 0;
        self.feed(Event::Died { worker, running: recorded, handed_back });
        true
    }

    /// What a dead worker said last cannot be taken: all that it began since what was heard is lost.
    fn die_unheard(&mut self, worker: WorkerId) {
        let started = self.process(worker).started;
        self.processes[worker.index()] = None;
        let out = &self.books.workers[worker.index()].out;
        self.books.was_running =
            out.iter().filter(|call| call.0 <= started).map(|call| (call.1, call.2)).collect();
        self.seen.note("lost several", self.books.was_running.len() > 1);
        self.feed(Event::Died { worker, running: Some(started), handed_back: false });
    }

    pub(super) fn die(&mut self, worker: WorkerId) {
        if let Some(process) = &mut self.processes[worker.index()] {
            process.life = Life::Dead;
        }
    }

    /// How long an item takes, and whether it fails: always the same for one item of one world.
    fn nature(&self, job: JobId, item: u64) -> (Duration, bool) {
        let number = mix(self.seed ^ mix(self.books.jobs[&job].serial << 20 | item));
        let micros = match (self.kind, number % 16) {
            (0, _) => number >> 8 & 3,
            (2, 0) => return (Duration::from_secs(1 << 30), false),
            (_, 0..4) => number >> 8 & 4095,
            (_, _) => number >> 8 & 15,
        };
        (Duration::from_micros(micros), (number >> 32).is_multiple_of(16))
    }

    pub(super) fn submit(&mut self) {
        let slot = self.slots.pop().unwrap_or(self.books.jobs.len() as u32);
        self.serial += 1;
        let job = JobId { slot, generation: self.serial as u32 };
        let items = match self.random.below(4) {
            0 => 0,
            1 => 1,
            2 => self.random.below(12),
            _ => self.random.below(150),
        };
        let sealed = !self.random.one_in(4);
        let on_failure = match self.random.below(4) {
            0 | 1 => OnFailure::StopLater,
            2 => OnFailure::CancelLater,
            _ => OnFailure::Continue,
        };
        let book = JobBook {
            items: vec![Item::Open; items as usize],
            sealed,
            on_failure,
            finished: false,
            serial: self.serial,
        };
        self.books.jobs.insert(job, book);
        self.feed(Event::Submitted { job, items, sealed, on_failure });
    }

    pub(super) fn offer(&mut self, job: JobId) {
        let items = self.random.below(20);
        let book = self.job(job);
        book.items.resize(book.items.len() + items as usize, Item::Open);
        self.feed(Event::Offered { job, items });
    }

    /// When something happens by itself.
    pub(super) fn next_time(&self) -> Option<Time> {
        let running = |process: &&Process| {
            process.life == Life::Serving && process.recorder.is_some() && !process.published
        };
        let ends = self.processes.iter().flatten().filter(running).map(|process| process.ends);
        ends.chain(self.scheduler.next_deadline()).min()
    }
}
