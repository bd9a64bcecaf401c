//! Starts worker processes: the same for a pool's workers and for `Process`.

use super::current::{self, Identity};
use super::gate;
use super::limits::Limits;
use super::method::{Start, executable};
use super::output::Output;
use super::own::Own;
use crate::error::{Error, ErrorKind};
use crate::protocol::control::{Init, Role, ToWorker};
use crate::shm::region::Region;
use crate::sys::bell::Bell;
use crate::sys::process::Child;
use crate::sys::socket::Socket;
use crate::sys::{self, BorrowedHandle, Handle};
use crate::task::registry::registry;
use crate::transport::control;
use crate::transport::lane::Lane;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What can be chosen about a child's surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Changes to the environment: a value to set or, with `None`, a name to remove.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The directory to start in.
    pub current_dir: Option<PathBuf>,
    /// Where stdout goes.
    pub stdout: Output,
    /// Where stderr goes.
    pub stderr: Output,
    /// What it may use at most.
    pub limits: Limits,
    /// How it is started.
    pub start: Start,
}

impl Surroundings {
    /// An option that was chosen and that only a process can have; none if all are as they are without a choice.
    pub fn chosen(&self) -> Option<&'static str> {
        let Self { env, current_dir, stdout, stderr, limits, start } = self;
        match env.first() {
            Some((_, Some(_))) => Some("env"),
            Some((_, None)) => Some("env_remove"),
            None if current_dir.is_some() => Some("current_dir"),
            None if !matches!(stdout, Output::Inherit) => Some("stdout"),
            None if !matches!(stderr, Output::Inherit) => Some("stderr"),
            None if limits.allowance().is_some() => Some("limits"),
            None if !matches!(start, Start::Spawn) => Some("start_method"),
            None => None,
        }
    }

    /// Refuses what no system can do, by name.
    fn check(&self) -> Result<(), Error> {
        let refused = |what: &str, which: &dyn fmt::Debug, why: &str| {
            Err(Error::new(ErrorKind::InvalidInput, format!("{what} {which:?} {why}")))
        };
        let has_nul = |text: &OsStr| text.as_encoded_bytes().contains(&0);
        for (name, value) in &self.env {
            if has_nul(name) {
                return refused("the environment variable", name, "has a NUL in its name");
            }
            if name.is_empty() || name.as_encoded_bytes()[1..].contains(&b'=') {
                return refused("the environment variable", name, "has an empty name, or a `=` in it");
            }
            if value.as_deref().is_some_and(has_nul) {
                return refused("the environment variable", name, "has a NUL in its value");
            }
        }
        match &self.current_dir {
            Some(directory) if has_nul(directory.as_os_str()) => {
                refused("the directory", directory, "has a NUL in its name")
            }
            Some(_) | None => self.limits.check(),
        }
    }
}

/// A process that has been started and told what it is; it has not answered yet.
#[derive(Debug)]
pub struct Launched {
    /// The process.
    pub child: Arc<Child>,
    /// The way to talk to it.
    pub lane: Lane,
    /// The read end of its stderr, for what nobody has passed on when it dies.
    pub stderr: Option<Handle>,
}

/// What goes along with every start: the liveness of the parent, region, bell, and two of stderr.
pub const OWN_HANDLES: usize = 5;

/// What all processes have in common that are started together: this program is run again, for each of them.
pub struct Launcher<'a> {
    /// How many processors of ours each may count as its own.
    pub cpus: usize,
    /// What it finds.
    pub surroundings: &'a Surroundings,
    /// What it rings.
    pub bell: &'a Bell,
    /// What its role refers to.
    pub attached: &'a [BorrowedHandle<'a>],
}

impl<'a> Launcher<'a> {
    /// Starts a process.
    pub fn launch(&self, name: &'a str, role: Role) -> Result<Launched, Error> {
        let orders = self.orders(name, role)?;
        let begun = self.surroundings.start.begin(&orders, self.surroundings)?;
        Ok(orders.launched(begun))
    }

    /// Starts several: the outcome of each.
    pub fn launch_all(&self, who: Vec<(&'a str, Role)>) -> Vec<Result<Launched, Error>> {
        let count = who.len();
        let orders: Result<Vec<_>, _> = who.into_iter().map(|(name, role)| self.orders(name, role)).collect();
        match orders {
            Ok(all) => {
                let begun = self.surroundings.start.begin_all(&all, self.surroundings);
                all.into_iter().zip(begun).map(|(orders, begun)| Ok(orders.launched(begun?))).collect()
            }
            Err(why) => (0..count).map(|_| Err(why.clone())).collect(),
        }
    }

    fn orders(&self, name: &'a str, role: Role) -> Result<Orders<'a>, Error> {
        gate::check()?;
        self.surroundings.check()?;
        let refused = |error| Error::os(format!("cannot start the process \"{name}\""), error);
        let tee = Tee::new(&self.surroundings.stderr).map_err(refused)?;
        let Identity { name: parent, depth, .. } = current::identity();
        let Surroundings { env, limits, .. } = self.surroundings;
        let init = ToWorker::Init(Box::new(Init {
            fingerprint: registry().fingerprint(),
            name: name.into(),
            parent: (std::process::id(), parent.clone()),
            depth: depth + 1,
            cpus: current::share_of(env, limits.within(self.cpus)) as u32,
            executable: executable().map(Into::into),
            tee: tee.is_some(),
            allowance: limits.allowance(),
            role,
        }));
        let liveness = liveness().map_err(refused)?;
        Ok(Orders { name, init, liveness, bell: self.bell, tee, attached: self.attached })
    }
}

/// What a process is told first.
pub struct Orders<'a> {
    /// The process's name.
    pub name: &'a str,
    init: ToWorker,
    liveness: &'a Handle,
    bell: &'a Bell,
    tee: Option<Tee>,
    attached: &'a [BorrowedHandle<'a>],
}

/// Our end of the way to one process.
pub struct Way {
    /// Its control channel.
    pub socket: Socket,
    region: Region,
}

/// A new control channel: our end, and that of a process that is about to start.
pub fn channel() -> io::Result<(Socket, Socket)> {
    let (ours, theirs) = Socket::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}

impl Orders<'_> {
    /// Says what the process at the other end of `socket` is. It may not have started: a socket holds a first message.
    pub fn tell(&self, socket: Socket) -> io::Result<Way> {
        let region = Region::create(self.name)?;
        let mut handles = vec![sys::borrow(self.liveness), region.handle(), self.bell.handle()];
        if let Some(tee) = &self.tee {
            handles.extend([sys::borrow(&tee.read), sys::borrow(&tee.real)]);
        }
        handles.extend(self.attached);
        match control::send(&socket, &self.init, &handles) {
            // One that has died already cannot be told; its death is noticed and reported like any other.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            told => told?,
        }
        Ok(Way { socket, region })
    }

    /// Where its stderr goes, if not where it was chosen to go.
    pub fn stderr(&self) -> Option<&Handle> {
        self.tee.as_ref().map(|tee| &tee.write)
    }

    /// The process, which has been started.
    fn launched(self, (child, way): (Child, Way)) -> Launched {
        Launched {
            child: Arc::new(child),
            lane: Lane::new(way.socket, way.region),
            stderr: self.tee.map(|tee| tee.read),
        }
    }
}

/// The stderr of a worker is a pipe that the worker itself empties into the real one, keeping the last bytes where its
/// parent can read them after its death.
struct Tee {
    read: Handle,
    write: Handle,
    real: Handle,
}

impl Tee {
    fn new(stderr: &Output) -> io::Result<Option<Self>> {
        if !matches!(stderr, Output::Inherit) {
            return Ok(None);
        }
        // A program that has closed its stderr has nothing to pass on to.
        let Some(real) = sys::pipe::stderr() else { return Ok(None) };
        let (read, write) = sys::pipe::pipe()?;
        sys::pipe::set_nonblocking(sys::borrow(&read), true)?;
        Ok(Some(Self { read, write, real }))
    }
}

/// A handle by which children see that this process is gone.
fn liveness() -> io::Result<&'static Handle> {
    static LIVENESS: Own<Arc<Handle>> = Own::new();
    if let Some(handle) = LIVENESS.get() {
        return Ok(handle);
    }
    let handle = Arc::new(sys::process::parent_handle()?);
    Ok(LIVENESS.get_or_init(|| handle.clone()))
}
