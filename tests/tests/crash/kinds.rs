//! The ways to die, where they strike, and what each looks like from the parent.

use mp::{Error, ErrorKind, WorkerLost};
use mp_tests::{Signal, died_of, is_emulated, send_self};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Serialize, Serializer};

/// A way to die, or to get stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Panic,
    PanicInDrop,
    Abort,
    Segfault,
    Illegal,
    StackOverflow,
    Kill,
    Terminate,
    Exit0,
    Exit7,
    Memory,
    MemoryLimit,
    Stuck,
    Stopped,
}

/// Where a call meets its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Decoding,
    Running,
    Encoding,
    HalfWritten,
    /// After more bytes than go into a ring.
    HalfWrittenLong,
}

pub const PLACES: [Place; 5] =
    [Place::Decoding, Place::Running, Place::Encoding, Place::HalfWritten, Place::HalfWrittenLong];

/// Names a file in the environment of workers to which the one that is struck writes its number before.
pub const STRUCK: &str = "MP_CRASH_STRUCK";

/// How the parent sees a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Code(i32),
    Signal(&'static str),
}

impl Kind {
    /// All that end the process, and the panic, which does not.
    pub const DEADLY: [Self; if cfg!(windows) { 11 } else { 12 }] = [
        Self::Panic,
        Self::PanicInDrop,
        Self::Abort,
        Self::Segfault,
        Self::Illegal,
        Self::StackOverflow,
        Self::Kill,
        Self::Terminate,
        Self::Exit0,
        Self::Exit7,
        Self::Memory,
        // Wine takes such a limit and does not keep it.
        #[cfg(not(windows))]
        Self::MemoryLimit,
    ];

    /// Those of them that strike here: qemu-user keeps no limit of memory, which would be its own.
    pub fn deadly() -> impl Iterator<Item = Self> {
        Self::DEADLY.into_iter().filter(|kind| *kind != Self::MemoryLimit || !is_emulated())
    }

    /// Dies of it. If `aloud`, the last words go to stderr first.
    pub fn strike(self, aloud: bool) -> ! {
        if aloud {
            eprintln!("last words before {self:?}");
        }
        if let Some(mark) = std::env::var_os(STRUCK) {
            std::fs::write(mark, std::process::id().to_string()).unwrap();
        }
        match self {
            Self::Panic => panic!("struck by {self:?}"),
            Self::PanicInDrop => {
                let _bomb = Bomb;
                panic!("struck by {self:?}");
            }
            Self::Abort => std::process::abort(),
            Self::Segfault => segfault(),
            Self::Illegal => illegal_instruction(),
            Self::StackOverflow => {
                std::hint::black_box(deeper(0));
            }
            Self::Kill => send_self(Signal::Kill),
            Self::Terminate => send_self(Signal::Terminate),
            Self::Exit0 => std::process::exit(0),
            Self::Exit7 => std::process::exit(7),
            // More than any address space has room for: one of 32 bits holds such a block, but not two.
            Self::Memory => {
                let blocks: Vec<Vec<u8>> = (0..3).map(|_| Vec::with_capacity(isize::MAX as usize)).collect();
                drop(std::hint::black_box(blocks));
            }
            Self::MemoryLimit => {
                #[cfg(not(windows))]
                mp_tests::limit_memory(512 << 20);
                drop(std::hint::black_box(vec![1_u8; 1 << 30]));
            }
            Self::Stuck => {}
            Self::Stopped => send_self(Signal::Stop),
        }
        loop {
            std::hint::spin_loop();
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Panic => Status::Code(101),
            Self::PanicInDrop | Self::Abort | Self::Memory | Self::MemoryLimit => Status::Signal("SIGABRT"),
            Self::Segfault | Self::StackOverflow => Status::Signal("SIGSEGV"),
            Self::Illegal => Status::Signal("SIGILL"),
            Self::Kill | Self::Stuck | Self::Stopped => Status::Signal("SIGKILL"),
            Self::Terminate => Status::Signal("SIGTERM"),
            Self::Exit0 => Status::Code(0),
            Self::Exit7 => Status::Code(7),
        }
    }

    /// Asserts that `error` is what a call of `task` gets that met this end.
    pub fn check(self, error: &Error, task: &str, item: Option<u64>, aloud: bool) {
        assert!(error.task_name().is_some_and(|name| name.ends_with(task)), "{self:?}: {error:?}");
        assert_eq!(error.item(), item, "{self:?}: {error:?}");
        if self == Self::Panic {
            assert_eq!(error.kind(), ErrorKind::Panicked, "{error:?}");
            let report = error.panic().unwrap();
            assert_eq!(report.message, "struck by Panic");
            assert!(
                report.location.as_deref().is_some_and(|place| place.contains("kinds.rs:")),
                "{report:?}"
            );
            assert!(report.task.ends_with(task) && report.worker.is_some(), "{report:?}");
            return;
        }
        assert_eq!(error.kind(), ErrorKind::WorkerLost, "{self:?}: {error:?}");
        let report = error.worker_lost().unwrap();
        self.check_death(report);
        assert_eq!(report.remark, None, "{self:?}: {report:?}");
        assert!(report.task.as_deref().is_some_and(|name| name.ends_with(task)), "{self:?}: {report:?}");
        assert!(report.ran_for.is_some() && report.attempt == 1, "{self:?}: {report:?}");
        if aloud {
            assert!(report.stderr_tail.contains(&format!("last words before {self:?}")), "{report:?}");
        }
    }

    /// The part of the report that says how the process ended.
    pub fn check_death(self, report: &WorkerLost) {
        self.check_status(report);
        let panicked = report
            .last_panic
            .as_ref()
            .is_some_and(|panic| panic.message.starts_with("struck by PanicInDrop"));
        assert_eq!(panicked, self == Self::PanicInDrop, "{self:?}: {report:?}");
    }

    /// What is seen of the end of any process, worker already or not.
    pub fn check_status(self, report: &WorkerLost) {
        let status = report.status.unwrap();
        let as_expected = match self.status() {
            Status::Signal(name) => died_of(status, name),
            Status::Code(code) => status.code() == Some(code),
        };
        // std's handler for overflows aborts; workers of a test program serve before std has set it up.
        let aborted = self == Self::StackOverflow && died_of(status, "SIGABRT");
        // Before a worker's own handler is there, Wine ends the thread alone.
        let ended = self == Self::StackOverflow && cfg!(windows) && matches!(status.code(), Some(0 | 1));
        assert!(aborted || ended || as_expected, "{self:?}: {report:?}");
        // std's handler looks for the stack when `main` begins: on musl nobody tells of a worker that is none yet.
        let is_none_yet = report.remark.as_deref().is_some_and(|remark| remark.contains("had not begun"));
        let told = self == Self::StackOverflow && !(cfg!(target_env = "musl") && is_none_yet);
        assert_eq!(report.stack_overflow, told, "{self:?}: {report:?}");
        let memory = matches!(self, Self::Memory | Self::MemoryLimit);
        assert_eq!(report.out_of_memory, memory, "{self:?}: {report:?}");
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a second panic");
    }
}

fn segfault() {
    // SAFETY: none is kept: nothing is mapped at that address, and the process is meant to die of it.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
}

fn illegal_instruction() {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    // SAFETY: none is kept: the process is meant to die of it.
    unsafe {
        std::arch::asm!("ud2");
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("udf #0");
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    compile_error!("an illegal instruction of this processor is to be named");
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn deeper(depth: u64) -> u64 {
    let frame = [depth; 128];
    deeper(std::hint::black_box(&frame)[0] + 1) + frame[64]
}

/// An argument that says where and how its call ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(from = "Sent")]
pub struct Order {
    pub number: u64,
    pub end: Option<End>,
}

/// Where and how a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub place: Place,
    pub kind: Kind,
    pub aloud: bool,
}

#[derive(Deserialize)]
struct Sent {
    number: u64,
    end: Option<End>,
}

impl From<Sent> for Order {
    fn from(Sent { number, end }: Sent) -> Self {
        strike_at(end, Place::Decoding);
        Self { number, end }
    }
}

/// A result whose encoding may be the end.
#[derive(Debug, Deserialize)]
#[serde(from = "(u64, Vec<u8>)")]
pub struct Answer {
    pub number: u64,
    end: Option<End>,
}

impl From<(u64, Vec<u8>)> for Answer {
    fn from((number, _): (u64, Vec<u8>)) -> Self {
        Self { number, end: None }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        strike_at(self.end, Place::Encoding);
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&self.number)?;
        tuple.serialize_element(&Content(self.end))?;
        tuple.end()
    }
}

struct Content(Option<End>);

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let len = match self.0.map(|end| end.place) {
            Some(Place::HalfWritten) => 1_u32 << 10,
            Some(Place::HalfWrittenLong) => 300 << 10,
            Some(Place::Decoding | Place::Running | Place::Encoding) | None => 0,
        };
        serializer.collect_seq((0..len).map(|index| {
            if index + 1 == len {
                strike_at(self.0, Place::HalfWritten);
                strike_at(self.0, Place::HalfWrittenLong);
            }
            (index % 251) as u8
        }))
    }
}

fn strike_at(end: Option<End>, place: Place) {
    if let Some(end) = end
        && end.place == place
    {
        end.kind.strike(end.aloud);
    }
}

/// Runs an order.
#[mp::task]
pub fn one(order: Order) -> Answer {
    strike_at(order.end, Place::Running);
    Answer { number: order.number, end: order.end }
}

/// The same with a second parameter.
#[mp::task]
pub fn two(order: Order, addend: u64) -> Answer {
    strike_at(order.end, Place::Running);
    Answer { number: order.number + addend, end: order.end }
}
