//! `map` and its like: many items in, many results out, in bounded memory between.

use super::handle::MapHandle;
use super::in_order::InOrder;
use super::jobs::Portion;
use super::results::Results;
use super::scheduler::OnFailure;
use super::shared::Shared;
use super::ticket::{Encoded, Portions, TaskRef, Ticket, decode};
use super::verbs::bulk;
use crate::check::never;
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::task::entry::Entry;
use crate::wire::outgoing::Outgoing;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// An input and how its items are encoded.
pub struct Input<I: Iterator> {
    items: I,
    write: Write<I::Item>,
    /// How many items were pulled.
    pulled: u64,
}

/// Appends an encoded item.
type Write<T> = for<'a> fn(&'a T, &mut Outgoing<'_, 'a>) -> Result<(), Error>;

impl<I: Iterator> Input<I> {
    /// The input that `items` is.
    pub fn new(items: impl IntoIterator<IntoIter = I, Item = I::Item>, write: Write<I::Item>) -> Self {
        Self { items: items.into_iter(), write, pulled: 0 }
    }

    /// How many items were pulled.
    pub fn pulled(&self) -> u64 {
        self.pulled
    }

    /// Pulls an item and encodes it; `None` at the end.
    pub fn pull(
        &mut self,
        portions: &mut Portions<'_>,
        task: &'static Entry,
    ) -> Option<Result<Encoded, Error>> {
        let item = self.items.next()?;
        let number = self.pulled;
        self.pulled += 1;
        Some(
            portions
                .push(|out| (self.write)(&item, out))
                .map_err(|error| error.for_task(task.name).on_item(number)),
        )
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
const OFFER_ITEMS: usize = 512;
const OFFER_BYTES: usize = 32 << 10;

/// How many results may wait before they are decoded.
const DECODE_AT: usize = 1024;

/// `map`: all results, or the failure of the earliest failing item.
pub fn all<I, R>(shared: &Arc<Shared>, task: TaskRef, input: &mut Input<I>) -> Result<Vec<R>, Error>
where
    I: Iterator,
    R: DeserializeOwned,
{
    shared.refuse_inside()?;
    let mut values = InOrder::with_capacity(input.len_hint().min(1 << 20));
    let mut first: Option<Error> = None;
    let run = Run { shared, task, on_failure: OnFailure::StopLater };
    run.run(input, |item, value| {
        match value {
            Ok(value) => values.put(item, value),
            Err(error) => {
                if first.as_ref().is_none_or(|first| error.item() < first.item()) {
                    first = Some(error);
                }
            }
        }
        first.as_ref().and_then(Error::item)
    })?;
    match first {
        Some(error) => Err(error),
        None => values.whole().ok_or_else(|| lost_track(task.1)),
    }
}

/// `try_map`: what became of each item.
pub fn each<I, R>(
    shared: &Arc<Shared>,
    task: Result<TaskRef, Error>,
    input: Input<I>,
) -> Vec<Result<R, Error>>
where
    I: Iterator,
    R: DeserializeOwned,
{
    let task = match task.and_then(|task| shared.refuse_inside().map(|()| task)) {
        Ok(task) => task,
        Err(error) => return (0..input.exhaust()).map(|item| Err(error.clone().on_item(item))).collect(),
    };
    let mut input = input;
    let mut values = InOrder::with_capacity(0);
    let run = Run { shared, task, on_failure: OnFailure::Continue };
    let ended = run.run(&mut input, |item, value| {
        values.put(item, value);
        None
    });
    let items = if ended.is_ok() { input.pulled() } else { input.exhaust() };
    values.filled(items, |item| match &ended {
        Ok(()) => Err(lost_track(task.1)),
        Err(error) => Err(error.clone().on_item(item)),
    })
}

/// `map_async`: everything is encoded now.
pub fn start<I, R>(shared: &Arc<Shared>, task: Result<TaskRef, Error>, mut input: Input<I>) -> MapHandle<R>
where
    I: Iterator,
{
    let refused = |error| MapHandle::new(Ticket::refused(shared, error), 0);
    let task = match task {
        Ok(task) => task,
        Err(error) => return refused(error),
    };
    let ticket = Ticket::submit(shared, task, bulk(OnFailure::StopLater), None);
    let mut portions = Portions::new(shared);
    while let Some(encoded) = input.pull(&mut portions, task.1) {
        match encoded {
            Ok(Encoded::Gathered) if portions.len() < OFFER_ITEMS && portions.bytes() < OFFER_BYTES => {}
            Ok(Encoded::Gathered) => offer(&ticket, portions.take()),
            Ok(Encoded::Apart(long)) => {
                offer(&ticket, portions.take());
                ticket.offer(*long);
            }
            Err(error) => {
                ticket.cancel_from(0);
                ticket.seal();
                return refused(error);
            }
        }
    }
    offer(&ticket, portions.take());
    ticket.seal();
    MapHandle::new(ticket, input.pulled() as usize)
}

/// One `map` under way on the calling thread.
struct Run<'a> {
    shared: &'a Arc<Shared>,
    task: TaskRef,
    on_failure: OnFailure,
}

/// What the calling thread has to do next.
enum Turn {
    /// Take results, and offer more if that is wanted.
    Work { more: bool },
    /// Take the last results.
    Over,
}

impl Run<'_> {
    /// Feeds the job and hands each outcome to `sink` with the number of its item in the input. `sink` says after which
    /// item nothing counts any more.
    fn run<I, R>(
        &self,
        input: &mut Input<I>,
        mut sink: impl FnMut(u64, Result<R, Error>) -> Option<u64>,
    ) -> Result<(), Error>
    where
        I: Iterator,
        R: DeserializeOwned,
    {
        let ticket = Ticket::submit(self.shared, self.task, bulk(self.on_failure), None);
        let giving_up = CancelOnDrop(&ticket);
        let mut numbers = Numbers::default();
        let mut results = Results::default();
        let mut open = true;
        let mut stopped_at = None;
        loop {
            let turn = self.next_turn(&ticket, open, &mut results)?;
            let over = matches!(turn, Turn::Over);
            results.drain(|item, ending| {
                let number = numbers.of(item);
                let value = match ending {
                    Ok(encoding) => decode(encoding, self.task.1.name, Some(number)),
                    Err(error) => Err(error.on_item(number)),
                };
                let failed = value.is_err();
                let stop = sink(number, value);
                if failed && stop.is_some() && stop != stopped_at {
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
                open = self.refill(&ticket, input, &mut numbers, &mut sink);
            }
        }
        std::mem::forget(giving_up);
        Ok(())
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
                if !more && job.arrived().len() < DECODE_AT {
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
    fn refill<I, R>(
        &self,
        ticket: &Ticket,
        input: &mut Input<I>,
        numbers: &mut Numbers,
        sink: &mut impl FnMut(u64, Result<R, Error>) -> Option<u64>,
    ) -> bool
    where
        I: Iterator,
    {
        let mut portions = Portions::new(self.shared);
        let mut pace = Pace::start();
        loop {
            match input.pull(&mut portions, self.task.1) {
                Some(Ok(Encoded::Gathered)) => {
                    if portions.len() < pace.portion
                        && portions.bytes() < OFFER_BYTES
                        && !pace.is_slow(portions.len())
                    {
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
                    if sink(number, Err(error)).is_none() {
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
            core.jobs
                .get(id)
                .is_none_or(|job| job.finished || job.is_full() || job.arrived().len() >= DECODE_AT)
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
    fn start() -> Self {
        Self { portion: 1, since: Time::now() }
    }

    /// Whether this portion takes too long. Looks at the clock now and then.
    fn is_slow(&self, gathered: usize) -> bool {
        gathered.is_multiple_of(CLOCK_EVERY) && Time::now().since(self.since) > SLOW_INPUT
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
    pub fn of(&self, item: u64) -> u64 {
        item + self.before.partition_point(|&before| before <= item) as u64
    }
}

/// An input that panics, or a wait that fails, must not leave the rest of the job running.
struct CancelOnDrop<'a>(&'a Ticket);

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
