//! What a leader does: spin a little, ask for the bell, and remember how long it took.

use super::config::Backend;
use super::core::Core;
use super::hands::Hands;
use super::station::Station;
use crate::clock::Time;
use crate::error::Error;
use crate::ids::{JobId, WorkerId};
use crate::limits;
use crate::raw::sleep::Found;
use std::io;
use std::sync::Arc;
use std::time::Duration;

impl Core {
    /// Who waits now will not lead: the helper need not wait for that.
    pub fn is_left_alone(&mut self) {
        self.attended = Time(0);
    }

    /// Whether every item of a job is accounted for.
    pub fn is_finished(&self, job: JobId) -> bool {
        self.jobs.get_ref(job).is_none_or(|job| job.finished)
    }

    /// The Ctrl-C that has ended this pool.
    pub fn interrupted(&self) -> Option<Error> {
        self.ended.clone().filter(Error::is_interrupted)
    }

    /// A worker without a thread of its own that has something to do.
    pub(super) fn hands_to_lend(&self) -> Option<Arc<Hands>> {
        if self.config.backend != Backend::Inline {
            return None;
        }
        self.stations.iter().flatten().find_map(|station| match station {
            Station::Thread(station) if station.hands.has_work() => Some(station.hands.clone()),
            Station::Thread(_) | Station::Process(_) => None,
        })
    }

    /// Spins while that promises something, until a worker has news.
    pub(super) fn spin(&mut self, give_way: impl Fn() -> bool) -> Option<Found> {
        if self.is_bulk() {
            return None;
        }
        let Self { stations, scheduler, patience, .. } = self;
        let mut busy = stations.iter().zip(0..).filter_map(|(station, index)| match station {
            Some(Station::Process(station)) if scheduler.out(WorkerId(index)) > 0 && !station.is_broken() => {
                Some(&station.launched.lane)
            }
            Some(_) | None => None,
        });
        let first = busy.next()?;
        let others: Vec<_> = busy.collect();
        let news = || first.has_response() || others.iter().any(|lane| lane.has_response());
        let found = first.spin(patience, || news() || give_way())?;
        news().then_some(found)
    }

    /// Asks all workers for the bell, and says how long to sleep at most.
    pub(super) fn prepare_sleep(&mut self, now: Time, deadline: Option<Time>) -> Option<Duration> {
        let mut any_out = false;
        let mut news = false;
        let bulk = self.is_bulk();
        for (station, index) in self.stations.iter_mut().zip(0..) {
            let Some(station) = station else { continue };
            let out = self.scheduler.out(WorkerId(index));
            any_out |= out > 0;
            match station {
                // Only its death is of interest.
                Station::Process(station) if station.is_broken() => {}
                Station::Process(_) if self.scheduler.is_silent(WorkerId(index)) => {}
                Station::Process(station) => {
                    // Of many, half. Calls that were taken back are answered all at once.
                    let many = bulk && station.revoked_to.is_none();
                    let after = if many { (out / 2).max(1) } else { 1 };
                    news |= station.launched.lane.ask_for_bell(after);
                }
                Station::Thread(_) => news |= station.has_news(),
            }
        }
        if news {
            return Some(Duration::ZERO);
        }
        let next = [self.scheduler.next_deadline(), deadline].into_iter().flatten().min();
        let timeout = next.map(|next| next.since(now));
        // What waits and is nowhere may be given to somebody while we sleep.
        if any_out || self.scheduler.pending() > 0 {
            Some(timeout.map_or(limits::LOOK_AGAIN, |timeout| timeout.min(limits::LOOK_AGAIN)))
        } else {
            timeout
        }
    }

    /// Whether nothing is asked for but a `map`: many results that nobody needs one by one.
    fn is_bulk(&self) -> bool {
        let job = (0..self.stations.len() as u32).find_map(|index| self.scheduler.front(WorkerId(index)));
        self.scheduler.pending() <= 1
            && job.and_then(|(job, _, _)| self.jobs.get_ref(job)).is_some_and(|job| job.itemised && !job.each)
    }

    /// What a leader does that has slept since `begun`, and found `keys`.
    pub(super) fn woke(&mut self, begun: Time, slept: &io::Result<()>, keys: &mut Vec<u64>) {
        self.led = false;
        self.tell_time();
        self.patience.remember(Time::now().since(begun));
        for station in self.stations.iter().flatten() {
            if let Station::Process(station) = station {
                station.launched.lane.no_bell();
            }
        }
        for key in keys.drain(..) {
            self.on_key(key);
        }
        if slept.is_err() {
            // The program has closed what is not its own, most likely: who still has its channel goes on all the same.
            self.look_for_deaths();
        }
        self.collect();
    }
}
