//! Starting processes and knowing them.
//!
//! ```text
//!   gate      may this program start workers at all?
//!   launch    socket, region, stderr pipe ─► exec of this same binary ─► Init ─► Launched { child, lane, .. }
//!   builder   Process::new(task, args)..start(), spawn(task, args)
//!   handle    JoinHandle: the result, or how the process died
//!   sentinel  becomes readable when it ends; travels
//!   obituary  what can be said about a dead child: WorkerLost
//!   current   who am I: worker(), current_process(), parent_process(), cpu_count()
//!   children  who lives: active_children(), waiting at exit, reaping what was dropped
//! ```

pub mod builder;
pub mod children;
pub mod current;
pub mod gate;
pub mod handle;
pub mod launch;
pub mod obituary;
pub mod output;
pub mod sentinel;
