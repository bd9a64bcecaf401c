//! A pool of workers, and what runs in it.
//!
//! ```text
//!   verbs, map, imap, handle   the verbs: encode on the caller's thread, submit, wait, decode on the caller's thread
//!   flow, stream               outcomes one by one, for a thread that waits and for an executor
//!   ending                     close, join, shutdown, terminate
//!   in_order                   results into the order of their items
//!   lending                    tasks that work in place on pieces of the caller's memory
//!   config, context            what a pool is built with
//!   news                       what the program's log is told
//!   ticket                     one job as its owner holds it
//!   callbacks                  the thread on which callbacks run
//!   waiter                     who waits for a job, and what of it is run without the lock
//!   shared, leading            the lock, who leads and who follows, Ctrl-C
//!   helping                    the helper thread, for calls that nobody waits for
//!   core, actions, packing     events in, actions out: the only one who talks to scheduler, jobs and stations
//!   scheduler                  what to do: a pure function
//!   jobs, results              the bytes of items that have not ended, results that nobody has taken
//!   station, hands             one worker: a process, a thread, or nobody but the thread that waits
//! ```

mod actions;
mod callbacks;
mod completion;
mod config;
mod context;
mod core;
mod ending;
mod flow;
mod handle;
mod hands;
mod helping;
mod imap;
mod in_order;
mod jobs;
mod leading;
mod lending;
mod map;
mod news;
mod outcomes;
mod packing;
mod results;
mod scheduler;
mod shared;
mod station;
mod stream;
mod ticket;
mod verbs;
mod waiter;

pub use completion::{AsCompleted, Handle, Waited, When, as_completed, wait};
pub use config::{Backend, PoolBuilder};
pub use handle::{MapHandle, TaskHandle};
pub use imap::{Imap, ImapUnordered};
pub use scheduler::Restart;
pub use stream::{ImapStream, ImapUnorderedStream};
pub use verbs::Pool;
