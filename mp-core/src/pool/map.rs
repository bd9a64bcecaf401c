//! `map` and its like: many items in, many results out, in bounded memory between.

use super::handle::MapHandle;
use super::jobs::Portion;
use super::outcomes::{All, Each, Outcomes};
use super::results::{Batch, Results, decode};
use super::scheduler::OnFailure;
use super::shared::Shared;
use super::ticket::{Encoded, Portions, TaskRef, Ticket};
use super::verbs::bulk;
use crate::check::never;
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::sys::Handle;
use crate::task::entry::Entry;
use crate::wire::outgoing::Outgoing;
use serde::de::DeserializeOwned;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// An input and how its items are encoded.
pub struct Input<I: Iterator, W = Write<<I as Iterator>::Item>> {
    items: I,
    write: W,
    /// How many items were pulled.
    pulled: u64,
}

/// Appends an encoded item.
pub type Write<T> = for<'a> fn(&'a T, &mut Outgoing<'_, 'a>) -> Result<(), Error>;

impl<I, W> Input<I, W>
where
    I: Iterator,
    W: for<'a> Fn(&'a I::Item, &mut Outgoing<'_, 'a>) -> Result<(), Error>,
{
    /// The input that `items` is.
    pub fn new(items: impl IntoIterator<IntoIter = I, Item = I::Item>, write: W) -> Self {
        Self { items: items.into_iter(), write, pulled: 0 }
    }

    /// How many items were pulled.
    pub fn pulled(&self) -> u64 {
        self.pulled
    }

    /// Pulls an item and encodes it; `None` at the end.
    #[inline]
    pub fn pull(
        &mut self,
        portions: &mut Portions<'_>,
        task: &'static Entry,
    ) -> Option<Result<Encoded, Error>> {
        let item = self.items.next()?;
        Some(self.encode(&item, portions, task))
    }

    /// As [`pull`](Self::pull).
    ///
    /// # Errors
    /// The panic of the input: what was pulled before has a right to its outcome first.
    pub fn try_pull(
        &mut self,
        portions: &mut Portions<'_>,
        task: &'static Entry,
    ) -> thread::Result<Option<Result<Encoded, Error>>> {
        // Nobody asks an input again that panicked.
        let item = catch_unwind(AssertUnwindSafe(|| self.items.next()))?;
        Ok(item.map(|item| self.encode(&item, portions, task)))
    }

    /// The number of the next item, which nobody sends; None at the end.
    ///
    /// # Errors
    /// The panic of the input.
    pub fn try_skip(&mut self) -> thread::Result<Option<u64>> {
        let is_there = catch_unwind(AssertUnwindSafe(|| self.items.next().is_some()))?;
        let number = self.pulled;
        self.pulled += u64::from(is_there);
        Ok(is_there.then_some(number))
    }

    #[inline]
    fn encode(
        &mut self,
        item: &I::Item,
        portions: &mut Portions<'_>,
        task: &'static Entry,
    ) -> Result<Encoded, Error> {
        let number = self.pulled;
        self.pulled += 1;
        portions
            .push(|out| (self.write)(item, out))
            .map_err(|error| error.for_task(task.name).on_item(number))
    }

    /// Pulls and encodes up to `count` items (at least one), as many as are gathered and no longer than `OFFER_BYTES`; as
    /// [`pull`](Self::pull) for the last of them.
    fn gather(
        &mut self,
        count: usize,
        portions: &mut Portions<'_>,
        task: &'static Entry,
    ) -> Option<Result<Encoded, Error>> {
        let mut left = count;
        loop {
            left -= 1;
            match self.pull(portions, task)? {
                Ok(Encoded::Gathered) if left > 0 && portions.bytes() < OFFER_BYTES => {}
                last => return Some(last),
            }
        }
    }

    /// How many items there are at least.
    pub fn len_hint(&self) -> usize {
        self.items.size_hint().0
    }

    /// Goes through the rest without running it; says how many there were in all.
    fn exhaust(mut self) -> u64 {
        while self.items.next().is_some() {
            self.pulled += 1;
        }
        self.pulled
    }
}

/// How much is encoded before it is offered: enough to keep the lock rare, little enough to start early.
const OFFER_ITEMS: usize = 4096;
const OFFER_BYTES: usize = 64 << 10;

/// `map`: all results, or the failure of the earliest failing item.
pub fn all<I, W, R>(shared: &Arc<Shared>, task: TaskRef, input: &mut Input<I, W>) -> Result<Vec<R>, Error>
where
    I: Iterator,
    W: for<'a> Fn(&'a I::Item, &mut Outgoing<'_, 'a>) -> Result<(), Error>,
    R: DeserializeOwned,
{
    shared.refuse_inside()?;
    let mut all = All::with_capacity(input.len_hint());
    Run { shared, task, on_failure: OnFailure::StopLater, common: None }.run(input, &mut all)?;
    all.whole()?.ok_or_else(|| lost_track(task.1))
}

/// `try_map`: what became of each item.
pub fn each<I, W, R>(
    shared: &Arc<Shared>,
    task: Result<TaskRef, Error>,
    input: Input<I, W>,
) -> Vec<Result<R, Error>>
where
    I: Iterator,
    W: for<'a> Fn(&'a I::Item, &mut Outgoing<'_, 'a>) -> Result<(), Error>,
    R: DeserializeOwned,
{
    let task = match task.and_then(|task| shared.refuse_inside().map(|()| task)) {
        Ok(task) => task,
        Err(error) => return (0..input.exhaust()).map(|item| Err(error.clone().on_item(item))).collect(),
    };
    let mut input = input;
    let mut each = Each::default();
    let ended =
        Run { shared, task, on_failure: OnFailure::Continue, common: None }.run(&mut input, &mut each);
    let items = if ended.is_ok() { input.pulled() } else { input.exhaust() };
    each.filled(items, |item| match &ended {
        Ok(()) => Err(lost_track(task.1)),
        Err(error) => Err(error.clone().on_item(item)),
    })
}

/// `map_async`: everything is encoded now.
pub fn start<I, W, R>(
    shared: &Arc<Shared>,
    task: Result<TaskRef, Error>,
    mut input: Input<I, W>,
) -> MapHandle<R>
where
    I: Iterator,
    W: for<'a> Fn(&'a I::Item, &mut Outgoing<'_, 'a>) -> Result<(), Error>,
{
    let refused = |error| MapHandle::new(Ticket::refused(shared, error), 0);
    let task = match task.and_then(|task| shared.start_helper().map(|()| task)) {
        Ok(task) => task,
        Err(error) => return refused(error),
    };
    // An input without items would hear nothing of it.
    if let Some(error) = shared.with(|core| core.refusal()) {
        return refused(error.for_task(task.1.name));
    }
    let ticket = Ticket::submit(shared, task, bulk(OnFailure::StopLater), None);
    let giving_up = CancelOnDrop(&ticket);
    let mut portions = Portions::new(shared);
    while let Some(encoded) = input.gather(OFFER_ITEMS, &mut portions, task.1) {
        match encoded {
            Ok(Encoded::Gathered) => offer(&ticket, portions.take()),
            Ok(Encoded::Apart(long)) => {
                offer(&ticket, portions.take());
                ticket.offer(*long);
            }
            Err(error) => return refused(error),
        }
    }
    offer(&ticket, portions.take());
    ticket.seal();
    std::mem::forget(giving_up);
    MapHandle::new(ticket, input.pulled() as usize)
}

/// One `map` under way on the calling thread.
pub struct Run<'a> {
    pub shared: &'a Arc<Shared>,
    pub task: TaskRef,
    pub on_failure: OnFailure,
    /// Descriptors that each item has; then it has no others.
    pub common: Option<&'a Arc<[Handle]>>,
}

/// What the calling thread has to do next.
enum Turn {
    /// Take results, and offer more if that is wanted.
    Work { more: bool },
    /// Take the last results.
    Over,
}

impl Run<'_> {
    /// Feeds the job and hands on each outcome with the number of its item in the input.
    pub fn run<I, W, R>(&self, input: &mut Input<I, W>, outcomes: &mut impl Outcomes<R>) -> Result<(), Error>
    where
        I: Iterator,
        W: for<'a> Fn(&'a I::Item, &mut Outgoing<'_, 'a>) -> Result<(), Error>,
        R: DeserializeOwned,
    {
        let ticket = Ticket::submit(self.shared, self.task, bulk(self.on_failure), None);
        let giving_up = CancelOnDrop(&ticket);
        let (mut numbers, mut pace) = (Numbers::default(), Pace::start(self.shared));
        let mut results = Results::default();
        let mut open = true;
        let mut stopped_at = None;
        loop {
            let turn = self.next_turn(&ticket, open, &mut results)?;
            let over = matches!(turn, Turn::Over);
            self.pass_on(&mut results, &numbers, outcomes, |item, stop| {
                if stop.is_some() && stop != stopped_at {
                    stopped_at = stop;
                    // A result that cannot be decoded here is a failure that the scheduler knows nothing of.
                    ticket.cancel_from(item + 1);
                    open = false;
                    ticket.seal();
                }
            });
            if over {
                // Only the end of the pool finishes a job whose input goes on.
                let refusal = if open { self.shared.with(|core| core.refusal()) } else { None };
                if let Some(error) = refusal {
                    return Err(error.for_task(self.task.1.name));
                }
                break;
            }
            if open && matches!(turn, Turn::Work { more: true }) {
                open = self.refill(&ticket, input, (&mut numbers, &mut pace), outcomes);
            }
        }
        std::mem::forget(giving_up);
        Ok(())
    }

    /// Decodes results; `failed` hears of the items that failed, and after which item nothing counts any more.
    fn pass_on<R: DeserializeOwned>(
        &self,
        results: &mut Results,
        numbers: &Numbers,
        outcomes: &mut impl Outcomes<R>,
        mut failed: impl FnMut(u64, Option<u64>),
    ) {
        let task = self.task.1.name;
        results.drain_batches(|batch| match batch {
            Batch::Run { first, payloads } => {
                for (item, value) in (first..).zip(payloads.decoded()) {
                    let number = numbers.of(item);
                    match value {
                        Ok(value) => outcomes.value(number, value),
                        Err(error) => {
                            failed(item, outcomes.failure(number, error.for_task(task).on_item(number)));
                        }
                    }
                }
            }
            Batch::One { item, ending } => {
                let number = numbers.of(item);
                let value = match ending {
                    Ok(encoding) => decode(encoding, task, Some(number)),
                    Err(error) => Err(error.on_item(number)),
                };
                match value {
                    Ok(value) => outcomes.value(number, value),
                    Err(error) => failed(item, outcomes.failure(number, error)),
                }
            }
        });
    }

    /// Waits until there is something to do.
    fn next_turn(&self, ticket: &Ticket, open: bool, results: &mut Results) -> Result<Turn, Error> {
        let Some(id) = ticket.id() else { return Ok(Turn::Over) };
        let turn = self.shared.wait(Some(id), None, |core| {
            let Some(job) = core.jobs.get(id) else { return Some(Turn::Over) };
            let turn = if job.finished {
                Turn::Over
            } else {
                let more = open && job.wants_more();
                let arrived = job.arrived();
                // What is lent should be given back as soon as a result turns out to be of no use.
                let early = self.on_failure == OnFailure::CancelLater && !arrived.is_empty();
                if !more && !early && !arrived.are_many() {
                    return None;
                }
                Turn::Work { more }
            };
            job.swap_results(results);
            Some(turn)
        })?;
        Ok(turn.unwrap_or(Turn::Over))
    }

    /// Encodes and offers items until enough wait; false at the end of the input.
    fn refill<I, W, R>(
        &self,
        ticket: &Ticket,
        input: &mut Input<I, W>,
        (numbers, pace): (&mut Numbers, &mut Pace),
        outcomes: &mut impl Outcomes<R>,
    ) -> bool
    where
        I: Iterator,
        W: for<'a> Fn(&'a I::Item, &mut Outgoing<'_, 'a>) -> Result<(), Error>,
    {
        let mut portions = Portions::new(self.shared).sharing(self.common);
        pace.since = Time::now();
        loop {
            let count = (pace.portion - portions.len()).min(CLOCK_EVERY);
            match input.gather(count, &mut portions, self.task.1) {
                Some(Ok(Encoded::Gathered)) => {
                    if portions.len() < pace.portion && portions.bytes() < OFFER_BYTES && !pace.is_slow() {
                        continue;
                    }
                    offer(ticket, portions.take());
                }
                Some(Ok(Encoded::Apart(apart))) => {
                    offer(ticket, portions.take());
                    ticket.offer(*apart);
                }
                Some(Err(error)) => {
                    let number = input.pulled() - 1;
                    numbers.skip(number);
                    if outcomes.failure(number, error).is_none() {
                        continue;
                    }
                    offer(ticket, portions.take());
                    ticket.seal();
                    return false;
                }
                None => {
                    offer(ticket, portions.take());
                    ticket.seal();
                    return false;
                }
            }
            if pace.adapt() {
                // While the input takes its time, somebody else has to look after the workers.
                self.shared.help();
            }
            if self.is_fed(ticket) {
                return true;
            }
        }
    }

    /// Whether enough items wait, or enough results.
    fn is_fed(&self, ticket: &Ticket) -> bool {
        let Some(id) = ticket.id() else { return true };
        self.shared.with(|core| {
            core.collect_if_free();
            core.attended = core.now();
            core.jobs.get(id).is_none_or(|job| job.finished || job.is_full() || job.arrived().are_many())
        })
    }
}

/// How many items are encoded before they are offered: few from a slow input, so that workers do not wait for it more
/// than they must; many from a fast one, so that the lock is rare.
struct Pace {
    portion: usize,
    since: Time,
}

impl Pace {
    fn start(shared: &Shared) -> Self {
        // A chunk that was asked for is not to be cut into pieces.
        let chunk = shared.config.policy.chunk.map_or(1, NonZeroU64::get);
        Self { portion: chunk as usize, since: Time::now() }
    }

    /// Whether this portion takes too long.
    fn is_slow(&self) -> bool {
        Time::now().since(self.since) > SLOW_INPUT
    }

    /// A portion was offered: the next one is larger or smaller. Says whether the input keeps its caller away from the
    /// workers for long.
    fn adapt(&mut self) -> bool {
        let now = Time::now();
        let took = now.since(self.since);
        self.since = now;
        self.portion = if took > SLOW_INPUT { 1 } else { (2 * self.portion).min(OFFER_ITEMS) };
        took > ABSENT
    }
}

/// An input whose portion takes longer than this is slow.
const SLOW_INPUT: Duration = Duration::from_micros(500);

/// A caller that is away for longer than this needs help.
const ABSENT: Duration = Duration::from_millis(5);

/// So many items are pulled between two looks at the clock.
const CLOCK_EVERY: usize = 32;

/// Items of the input that could not be encoded have no number in the job.
#[derive(Default)]
pub struct Numbers {
    /// For each item that was skipped: how many items of the job come before it.
    before: Vec<u64>,
}

impl Numbers {
    /// This item of the input is not in the job. They come in order.
    pub fn skip(&mut self, number: u64) {
        self.before.push(number - self.before.len() as u64);
    }

    /// The number in the input of an item of the job.
    #[inline]
    pub fn of(&self, item: u64) -> u64 {
        if self.before.is_empty() {
            return item;
        }
        item + self.before.partition_point(|&before| before <= item) as u64
    }
}

/// An input that panics, or a wait that fails, must not leave the rest of the job running.
pub struct CancelOnDrop<'a>(pub &'a Ticket);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel_from(0);
        self.0.seal();
    }
}

pub fn offer(ticket: &Ticket, portion: Option<Portion>) {
    if let Some(portion) = portion {
        ticket.offer(portion);
    }
}

fn lost_track(task: &'static Entry) -> Error {
    never!("an item ended without an outcome");
    Error::new(ErrorKind::Closed, "the pool lost track of this item; this is a bug of mp").for_task(task.name)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn items_of_the_job_are_numbered_as_in_the_input() {
        for skipped in [&[][..], &[0], &[0, 1, 2], &[3, 4, 9], &[0, 5, 6, 7, 19]] {
            let mut numbers = Numbers::default();
            let mut in_the_job = Vec::new();
            for number in 0..20 {
                if skipped.contains(&number) {
                    numbers.skip(number);
                } else {
                    in_the_job.push(number);
                }
            }
            let named: Vec<u64> = (0..in_the_job.len() as u64).map(|item| numbers.of(item)).collect();
            assert_eq!(named, in_the_job, "{skipped:?}");
        }
    }
}
