//! Starting processes and knowing them.
//!
//! ```text
//!   gate      may this program start workers at all?
//!   method    StartMethod, Context: exec of this same binary, or a copy of a process
//!   fork_server   the process that makes copies
//!   launch    region, stderr pipe ─► method ─► Init ─► Launched { child, lane, .. }
//!   start_call    a call that goes with the first message
//!   limits    what a process may use at most
//!   own       what a copy of this process does not take over
//!   builder   Process::new(task, args)..start(), spawn(task, args)
//!   scope     what was started in it has ended behind it
//!   handle    JoinHandle: the result, or how the process died
//!   running   what the handle shares with the list of children: the state, reaping, the outcome
//!   sentinel  becomes readable when it ends; travels
//!   obituary  what can be said about a dead child: WorkerLost
//!   current   who am I: worker(), current_process(), parent_process(), cpu_count()
//!   children  who lives: active_children(), waiting at exit, reaping what was dropped
//! ```

pub mod builder;
pub mod children;
pub mod current;
pub mod fork_server;
pub mod gate;
pub mod handle;
pub mod launch;
pub mod limits;
pub mod method;
pub mod obituary;
pub mod output;
pub mod own;
pub mod running;
pub mod scope;
pub mod sentinel;
pub mod start_call;
