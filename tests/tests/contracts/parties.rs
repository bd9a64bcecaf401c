//! Who keeps a contract.
//!
//! ```text
//!  contracts! { c } ─► c(by processes)  c(by threads)  c(mixed) ─► start(task, arguments) ─► process or thread ─► join
//! ```
//! A party runs a task: an ordinary function, so a thread calls it as it is. The first parties of a mixed contract are a
//! process and a thread, by turns.

use mp::{Args, ErrorKind, Queue, Task};
pub use mp_tests::is_asleep;
use mp_tests::{scenario, until};
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// A time-out that runs out.
pub const SHORT: Duration = Duration::from_millis(10);

/// Keeps each contract by processes, by threads, and mixed.
macro_rules! contracts {
    ($($contract:ident)+) => {$(
        mod $contract {
            use crate::parties::{Kind, keep};

            #[test]
            fn by_processes() {
                keep(super::$contract, &[Kind::Process]);
            }

            #[test]
            fn by_threads() {
                keep(super::$contract, &[Kind::Thread]);
            }

            #[test]
            fn mixed() {
                keep(super::$contract, &[Kind::Process, Kind::Thread]);
            }
        }
    )+};
}

pub(crate) use contracts;

/// What a party is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A process of its own.
    Process,
    /// A thread of this process.
    Thread,
}

/// Runs a contract in a scenario.
pub fn keep(contract: impl FnOnce(&Parties), kinds: &'static [Kind]) {
    scenario(|| contract(&Parties { kinds, started: Cell::new(0) }));
}

/// Makes the parties of a contract.
pub struct Parties {
    kinds: &'static [Kind],
    started: Cell<usize>,
}

impl Parties {
    /// Starts the next party.
    pub fn start<F, A>(&self, task: F, arguments: A) -> Party<<F as Task<A>>::Output>
    where
        F: Task<A> + Call<A, <F as Task<A>>::Output> + Send,
        A: Args<A> + Send + 'static,
        <F as Task<A>>::Output: DeserializeOwned + Send + 'static,
    {
        let turn = self.started.replace(self.started.get() + 1);
        match self.kinds[turn % self.kinds.len()] {
            Kind::Process => Party::Process(mp::spawn(task, arguments).unwrap()),
            Kind::Thread => Party::Thread(thread::spawn(move || task.call(arguments))),
        }
    }

    /// Starts one party for each of these numbers.
    pub fn each<F, A>(
        &self,
        numbers: impl IntoIterator<Item = u32>,
        task: F,
        arguments: impl Fn(u32) -> A,
    ) -> Vec<Party<<F as Task<A>>::Output>>
    where
        F: Task<A> + Call<A, <F as Task<A>>::Output> + Send,
        A: Args<A> + Send + 'static,
        <F as Task<A>>::Output: DeserializeOwned + Send + 'static,
    {
        numbers.into_iter().map(|number| self.start(task, arguments(number))).collect()
    }

    /// What the parties of this contract are, by turns.
    pub fn kinds(&self) -> &[Kind] {
        self.kinds
    }
}

/// A party that was started.
#[must_use = "its end is awaited by `join`"]
pub enum Party<R> {
    /// A process of its own.
    Process(mp::JoinHandle<R>),
    /// A thread of this process.
    Thread(thread::JoinHandle<R>),
}

impl<R: DeserializeOwned> Party<R> {
    /// Waits for its end; fails as it did.
    pub fn join(self) -> R {
        match self {
            Self::Process(process) => process.join().unwrap(),
            Self::Thread(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }

    /// Waits for its end, and says whether it panicked.
    pub fn has_panicked(self) -> bool {
        match self {
            Self::Process(process) => process.join().is_err_and(|error| error.kind() == ErrorKind::Panicked),
            Self::Thread(thread) => thread.join().is_err(),
        }
    }
}

/// Waits for the end of all of them.
pub fn join_all<R: DeserializeOwned>(parties: Vec<Party<R>>) -> Vec<R> {
    parties.into_iter().map(Party::join).collect()
}

/// Panics, without a word on the screen.
pub fn panic_silently() -> ! {
    std::panic::resume_unwind(Box::new("as it should"))
}

/// Where parties say that they go to sleep now.
pub type Dormitory = Queue<u32>;

/// A dormitory where nobody sleeps.
pub fn dormitory() -> Dormitory {
    Queue::unbounded().unwrap()
}

/// Says that the next thing this thread does is to wait.
pub fn go_to_sleep(dormitory: &Dormitory) {
    dormitory.put(mp_tests::this_thread()).unwrap();
}

/// Waits until so many have gone to sleep and do; returns their threads.
pub fn until_asleep(dormitory: &Dormitory, count: u32) -> Vec<u32> {
    let threads: Vec<u32> = (0..count).map(|_| dormitory.get().unwrap()).collect();
    until(|| threads.iter().all(|thread| is_asleep(*thread)));
    threads
}

/// A function that is called with a tuple.
pub trait Call<A, R> {
    /// Calls it.
    fn call(self, arguments: A) -> R;
}

macro_rules! call_with_a_tuple {
    ($(($($argument:ident)*))+) => {$(
        #[allow(non_snake_case, reason = "an argument is called as its type")]
        impl<Function, Output, $($argument),*> Call<($($argument,)*), Output> for Function
        where
            Function: FnOnce($($argument),*) -> Output,
        {
            fn call(self, ($($argument,)*): ($($argument,)*)) -> Output {
                self($($argument),*)
            }
        }
    )+};
}

call_with_a_tuple! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
}
