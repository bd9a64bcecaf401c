//! Decides which worker runs what, and what becomes of it: a pure function of state, event and time.
//!
//! ```text
//!  user      Submitted Offered Sealed Cancelled          Closed Stopped        Tick
//!                        │                                     │                 │
//!                        ▼             take                    ▼                 ▼
//!            jobs: A 7..90 │ B 0..1  ───────► workers: 0 ready   A 3..5     deadlines, steals
//!                  ▲  the line, by job        ▲        1 ready   A 5..7
//!                  │  and by item             │        2 starting
//!                  └──────────────────────────┼──────────┘  give back: refused, revoked, died
//!  worker    Returned Failed Refused Revoked  │  Greeted Ready Died SpawnFailed InitializerFailed
//!            Skipped ─────────────────────────┘
//!
//!  actions   Spawn Dispatch Revoke Quit Kill │ Complete Lost Dropped Finished │ Ended
//! ```
//!
//! `machine` holds the state and the step; `work` is what happens to jobs and items, `calls` how items come to workers
//! and back, `lives` how workers and the pool live and end. Under them: `jobs` is the line, made of `ranges`; `workers`
//! the places; `credit` says how much a worker may hold, `width` how many may have short items at once, `restart` how
//! many deaths are borne.
//!
//! An item waits, is out at one worker, or is accounted for: by `Complete`, `Lost` or `Dropped`, once. What is out comes
//! back only if its worker surely did not and will not run it.
//!
//! # A place for a worker
//!
//! | | Vacant | Starting | Initializing | Ready | Quitting | Killed |
//! |---|---|---|---|---|---|---|
//! | `Greeted` | bug | Initializing | bug | bug | quiet | quiet |
//! | `Ready` | bug | Ready | Ready | bug | quiet | quiet |
//! | `InitializerFailed` | bug | pool ends | pool ends | bug | quiet | quiet |
//! | `Returned`, `Failed` | bug | bug | bug | `Complete`; refill | `Complete` | `Complete` |
//! | `Refused` | late, quiet | late, quiet | late, quiet | calls back | calls back | calls back |
//! | `Revoked`, `Skipped` | late, quiet | late, quiet | late, quiet | calls back | calls back | calls back |
//! | `SpawnFailed` | bug | counts; Vacant, later Starting | bug | bug | Vacant | Vacant |
//! | `Died` | bug | counts; Vacant | counts; Vacant | counts; what it had begun is `Lost`; Vacant | Vacant | Vacant; counts after a late hello |
//! | its deadline | `Spawn`: Starting | `Kill`: Killed | has none | may be asked again after a refusal | `Kill`: Killed | has none |
//! | nothing out, and spent or pool leaves | stays | `Quit`: Quitting | `Quit`: Quitting | `Quit`: Quitting | stays | stays |
//! | end of the pool's grace | stays | `Kill`: Killed | `Kill`: Killed | `Kill`: Killed | `Kill`: Killed | stays |
//!
//! A death that counts, counts towards [`Restart`]; that of a worker that handed its calls back does not: it had run some. A ready worker gets no calls from `Revoke` to `Skipped`.
//!
//! # The pool
//!
//! | | Open | Closing | Leaving | Ended(why) |
//! |---|---|---|---|---|
//! | `Submitted` | joins the line | `Dropped(Closed)`, `Finished` | `Dropped(Closed)`, `Finished` | `Dropped(why)`, `Finished` |
//! | `Offered` | joins the line | joins the line | no job is left: quiet | `Dropped(why)` |
//! | `Sealed`, `Cancelled` | done | done | no job is left: quiet | done |
//! | items come back | join the line | join the line | no job is left: quiet | `Dropped(why)` |
//! | no job is left | stays | `Quit` to all: Leaving | stays | stays |
//! | vacant place | `Spawn` | `Spawn` | stays | stays |
//! | idle worker | waits | waits | `Quit` | `Quit` |
//! | `Closed` | Closing | stays | stays | stays |
//! | `Stopped` | drops the line: Ended | drops the line: Ended | Ended | the shorter grace counts |
//! | too many deaths | Ended, no grace | Ended, no grace | stays | stays |
//! | initializer failed | Ended, no grace | Ended, no grace | quiet | quiet |

mod action;
mod calls;
mod credit;
mod event;
mod jobs;
mod lives;
mod machine;
mod policy;
mod ranges;
mod restart;
mod width;
mod work;
mod workers;

pub use action::Action;
pub use event::{Event, OnFailure, Why};
pub use machine::{Phase, Scheduler};
pub use policy::{Policy, Restart};
pub use workers::WorkerState;

#[cfg(test)]
mod tests;
