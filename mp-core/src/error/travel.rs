//! An [`Error`] as a value: a task may return `Result<T, mp::Error>`, and use `?` on what `mp` gives it.

use super::{Detail, Error, ErrorKind, ExitStatus, Inner, PanicReport, WorkerLost};
use crate::sys::process::Status;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Traveller<'a> {
    kind: ErrorKind,
    message: Cow<'a, str>,
    task: Option<Cow<'a, str>>,
    item: Option<u64>,
    detail: Carried<'a>,
}

#[derive(Serialize, Deserialize)]
enum Carried<'a> {
    None,
    Panic(Cow<'a, PanicReport>),
    Lost(Cow<'a, WorkerLost>),
    /// The system's number.
    Os(i32),
    /// What it says, without a number.
    Io(String),
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { kind, message, task, item, detail } = &*self.0;
        let detail = match detail {
            Detail::None => Carried::None,
            Detail::Panic(report) => Carried::Panic(Cow::Borrowed(report)),
            Detail::Lost(report) => Carried::Lost(Cow::Borrowed(report)),
            Detail::Io(source) => {
                source.raw_os_error().map_or_else(|| Carried::Io(source.to_string()), Carried::Os)
            }
        };
        let (message, task) = (Cow::Borrowed(message.as_str()), task.as_deref().map(Cow::Borrowed));
        Traveller { kind: *kind, message, task, item: *item, detail }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Traveller { kind, message, task, item, detail } = Traveller::deserialize(deserializer)?;
        let detail = match detail {
            Carried::None => Detail::None,
            Carried::Panic(report) => Detail::Panic(Box::new(report.into_owned())),
            Carried::Lost(report) => Detail::Lost(Box::new(report.into_owned())),
            Carried::Os(number) => Detail::Io(Arc::new(io::Error::from_raw_os_error(number))),
            Carried::Io(text) => Detail::Io(Arc::new(io::Error::other(text))),
        };
        let task = task.map(|task| Cow::Owned(task.into_owned()));
        Ok(Self(Box::new(Inner { kind, message: message.into_owned(), task, item, detail })))
    }
}

/// Whether it is a code, and the number.
impl Serialize for ExitStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = match self.0 {
            Status::Code(code) => (true, code),
            Status::Signal(signal) => (false, signal),
        };
        parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExitStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (is_code, number) = Deserialize::deserialize(deserializer)?;
        Ok(Self(if is_code { Status::Code(number) } else { Status::Signal(number) }))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_error_says_the_same_on_the_other_side() {
        let report = PanicReport {
            message: "no".into(),
            location: Some("a.rs:1:2".into()),
            backtrace: None,
            task: "t".into(),
            pid: 7,
            worker: Some(1),
        };
        let lost = WorkerLost {
            pid: 8,
            status: Some(ExitStatus(Status::Signal(9))),
            task: Some("t".into()),
            ran_for: Some(Duration::from_millis(3)),
            peak_rss: None,
            out_of_memory: true,
            stack_overflow: false,
            last_panic: Some(report.clone()),
            stderr_tail: "last".into(),
            attempt: 1,
            remark: None,
        };
        let panicked = Error::of_failure(crate::error::Failure::Panicked(report.clone()), "t").on_item(3);
        let refused = Error::os("cannot", io::Error::from_raw_os_error(2));
        for error in [Error::new(ErrorKind::Empty, "none"), panicked, refused, Error::lost(lost.clone())] {
            let bytes = postcard::to_allocvec(&error).expect("strings and numbers");
            let back: Error = postcard::from_bytes(&bytes).expect("the same");
            assert_eq!(format!("{error:?}"), format!("{back:?}"));
            assert_eq!((error.kind(), error.item()), (back.kind(), back.item()));
            assert_eq!((error.panic(), error.worker_lost()), (back.panic(), back.worker_lost()));
            assert_eq!(
                std::error::Error::source(&error).is_some(),
                std::error::Error::source(&back).is_some()
            );
        }
    }
}
