//! Documentation tests of what lies outside of the sources: every program in README and `docs` is compiled and run.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/from-python.md")]
struct FromPython;

/// The names of `mp` in the tables of `docs/from-python.md`.
///
/// ```
/// use mp::{Backend, Error, ErrorKind, JoinHandle, MapHandle, Pool, Process, TaskHandle, When};
/// use std::time::Duration;
///
/// #[mp::task]
/// fn add(x: i32, y: i32) -> i32 {
///     x + y
/// }
///
/// fn names(pool: &Pool, on_done: TaskHandle<i32>) -> Result<(), Error> {
///     let process = Process::new(add, (1, 2)).name("n").daemon(true);
///     let _: fn(Process<i32>) -> Result<JoinHandle<i32>, Error> = Process::start;
///     drop(process);
///     let _ = (JoinHandle::<i32>::join, JoinHandle::<i32>::join_timeout, JoinHandle::<i32>::detach);
///     let _ = (JoinHandle::<i32>::wait, JoinHandle::<i32>::wait_timeout, JoinHandle::<i32>::is_alive);
///     let _ = (JoinHandle::<i32>::name, JoinHandle::<i32>::pid, JoinHandle::<i32>::exit_status);
///     let _ = (JoinHandle::<i32>::terminate, JoinHandle::<i32>::kill, JoinHandle::<i32>::interrupt);
///     let _ = (mp::ExitStatus::code, mp::ExitStatus::signal, mp::ExitStatus::signal_name);
///     let _ = (mp::current_process, mp::parent_process, mp::active_children, mp::cpu_count, mp::is_worker);
///     let _ = (Pool::default, Pool::new, Pool::close, Pool::terminate, Pool::join, Pool::join_timeout, Pool::workers, Pool::shutdown);
///     let builder = Pool::builder().workers(1).initializer(add, (1, 2)).finalizer(add, (1, 2));
///     let builder = builder.max_tasks_per_worker(9).name("n").grace(Duration::ZERO).env("K", "V");
///     let builder = builder.stdout(mp::Output::Null).stderr(mp::Output::Null).restart(mp::Restart::for_workers(1));
///     let _ = builder.backend(Backend::Thread).backend(Backend::Inline).current_dir("/");
///     let handle: TaskHandle<i32> = pool.apply_async(add, (1, 2));
///     let _ = (pool.apply(add, (1, 2))?, handle.wait()?, handle.is_ready(), handle.is_running(), handle.cancel());
///     on_done.on_done(|_| ());
///     let all: MapHandle<i32> = pool.starmap_async(add, [(1, 2)]);
///     let _ = (all.wait_timeout(Duration::ZERO), handle.wait_timeout(Duration::ZERO));
///     let _ = (pool.starmap(add, [(1, 2)])?, pool.try_starmap(add, [(1, 2)]));
///     let _ = pool.imap(i32::abs, [1]).read_ahead(9.try_into().unwrap()).next_timeout(Duration::ZERO);
///     let _ = pool.imap_unordered(i32::abs, [1]).next_timeout(Duration::ZERO);
///     let _ = (pool.map(i32::abs, [1])?, pool.try_map(i32::abs, [1]), pool.map_async(i32::abs, [1]));
///     let _ = [When::All, When::FirstCompleted, When::FirstFailed];
///     let _ = mp::wait(&[handle], When::All, None).not_done;
///     let _ = mp::as_completed(Vec::<TaskHandle<i32>>::new());
///     let _ = (Error::is_timeout, Error::is_cancelled, Error::is_closed, Error::is_worker_lost, Error::panic);
///     let _ = [ErrorKind::InvalidInput, ErrorKind::Encode, ErrorKind::InitializerFailed, ErrorKind::Deadlock];
///     let _ = ErrorKind::CrashLoop;
///     Ok(())
/// }
/// ```
struct Names;
