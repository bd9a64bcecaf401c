//! Growth: what one of many costs, while there are more and more of them. Here: calls and handles.

use crate::Outcome;
use crate::measure::{median, scaled, seconds};
use mp::sync::Event;
use mp::{Pool, When};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Each size is measured in so many rounds over all sizes, so that what else the machine does strikes all alike.
pub fn rounds() -> usize {
    scaled(100).min(5)
}

/// The cost of one item at each size, measured again and again.
pub struct Costs {
    name: String,
    samples: Vec<(String, Vec<f64>)>,
}

impl Costs {
    /// None yet.
    pub fn new(metric: &str, variant: &str) -> Self {
        Self { name: format!("growth.{metric}/{variant}"), samples: Vec::new() }
    }

    /// One more measurement, in microseconds, at this size. Sizes are first named in growing order.
    pub fn add(&mut self, size: impl ToString, cost: f64) {
        let size = size.to_string();
        match self.samples.iter_mut().find(|(known, _)| *known == size) {
            Some((_, samples)) => samples.push(cost),
            None => self.samples.push((size, vec![cost])),
        }
    }

    /// The median at each size, and how many times dearer an item is anywhere than it was at a smaller size.
    pub fn print(self) {
        let (mut cheapest, mut growth) = (f64::INFINITY, 0.0_f64);
        for (size, samples) in self.samples {
            let cost = median(samples);
            println!("{}@{size} {cost:.5} us", self.name);
            if cheapest.is_finite() {
                growth = growth.max(cost / cheapest);
            }
            cheapest = cheapest.min(cost);
        }
        println!("{} {growth:.3} x", self.name);
    }
}

#[mp::task]
fn next(number: i64) -> i64 {
    black_box(number) + 1
}

/// Holds its worker until the event is set.
#[mp::task]
fn hold(go: Event) {
    go.wait();
}

/// Workers that are held up, so that what is handed in stays pending until `go` is set.
fn held_up(pool: &Pool) -> Outcome<Event> {
    let go = Event::new()?;
    for _ in 0..pool.workers().len() {
        pool.apply_async(hold, (go.clone(),)).on_done(|held| assert!(held.is_ok()));
    }
    Ok(go)
}

/// Calls that all wait at the same time, from the first handed in to the last result; and a `map`, whose items come one
/// after the other.
pub fn pending(variant: &str) -> Outcome {
    let pool = Pool::new(2)?;
    let (mut calls, mut items) = (Costs::new("pending", variant), Costs::new("map", variant));
    for _ in 0..rounds() {
        for size in [10_000, 100_000, 1_000_000] {
            let count = scaled(size) as i64;
            for _ in 0..1_000_000_usize.div_ceil(size).min(10) {
                let go = held_up(&pool)?;
                let (time, sum) = seconds(|| {
                    let handles: Vec<_> = (0..count).map(|n| pool.apply_async(next, (n,))).collect();
                    go.set();
                    handles.iter().try_fold(0, |sum, handle| Ok::<_, mp::Error>(sum + handle.wait()?))
                });
                assert_eq!(sum?, count * (count + 1) / 2);
                calls.add(size, time * 1e6 / count as f64);
            }
        }
        for size in [10_000, 100_000, 1_000_000, 10_000_000] {
            let count = scaled(size) as i64;
            for _ in 0..1_000_000_usize.div_ceil(size).min(20) {
                let (time, results) = seconds(|| pool.map(next, 0..count));
                assert_eq!(results?.last(), Some(&count));
                items.add(size, time * 1e6 / count as f64);
            }
        }
    }
    calls.print();
    items.print();
    Ok(pool.shutdown(false)?)
}

/// The ways of waiting for many handles at once.
#[derive(Clone, Copy)]
enum Wait {
    All,
    AsCompleted,
    Futures,
}

/// Handles that are all waited for at the same time, from when the workers are let go to the last result.
pub fn awaited(variant: &str) -> Outcome {
    let pool = Pool::new(2)?;
    for (name, way) in [("wait", Wait::All), ("as_completed", Wait::AsCompleted), ("futures", Wait::Futures)]
    {
        let mut costs = Costs::new(name, variant);
        for _ in 0..rounds() {
            for size in [10, 100, 1000, 10_000] {
                let count = scaled(size) as i64;
                for _ in 0..20_000_usize.div_ceil(size).min(50) {
                    costs.add(size, wait_for(&pool, count, way)? * 1e6 / count as f64);
                }
            }
        }
        costs.print();
    }
    Ok(pool.shutdown(false)?)
}

fn wait_for(pool: &Pool, count: i64, way: Wait) -> Outcome<f64> {
    let go = held_up(pool)?;
    let handles: Vec<_> = (0..count).map(|n| pool.apply_async(next, (n,))).collect();
    let (time, sum) = match way {
        Wait::All => seconds(|| {
            go.set();
            let done = mp::wait(handles, When::All, None).done;
            done.iter().try_fold(0, |sum, handle| Ok::<_, mp::Error>(sum + handle.wait()?))
        }),
        Wait::AsCompleted => seconds(|| {
            let all = mp::as_completed(handles);
            go.set();
            let mut sum = 0;
            for handle in all {
                sum += handle.wait()?;
            }
            Ok(sum)
        }),
        Wait::Futures => seconds(|| {
            go.set();
            await_all(handles).into_iter().try_fold(0, |sum, outcome| Ok(sum + outcome?))
        }),
    };
    assert_eq!(sum?, count * (count + 1) / 2);
    Ok(time)
}

/// Who was woken since somebody looked, and who looks.
struct Woken(Mutex<Vec<usize>>, Thread);

/// Wakes one of many futures.
struct One(Arc<Woken>, usize);

impl Wake for One {
    fn wake(self: Arc<Self>) {
        self.0.0.lock().expect("nobody panics with it").push(self.1);
        self.0.1.unpark();
    }
}

/// What these futures come to, in the order in which they do. A runtime would do the same for much more code, and what a
/// program consists of is a part of what each of its processes costs.
fn await_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let woken = Arc::new(Woken((0..futures.len()).collect::<Vec<_>>().into(), thread::current()));
    let one = |(index, future)| Some((future, Waker::from(Arc::new(One(woken.clone(), index)))));
    let mut pending: Vec<Option<(F, Waker)>> = futures.into_iter().enumerate().map(one).collect();
    let mut done = Vec::with_capacity(pending.len());
    while done.len() < pending.len() {
        let woken: Vec<_> = std::mem::take(&mut *woken.0.lock().expect("nobody panics with it"));
        if woken.is_empty() {
            thread::park();
        }
        for index in woken {
            let Some((future, waker)) = &mut pending[index] else { continue };
            if let Poll::Ready(outcome) = Pin::new(future).poll(&mut Context::from_waker(waker)) {
                done.push(outcome);
                pending[index] = None;
            }
        }
    }
    done
}
