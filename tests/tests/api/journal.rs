//! What a program's log is told of its workers.

use log::{Log, Metadata, Record};
use mp::{Pool, Restart};
use mp_tests::scenario;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn abort() {
    std::process::abort()
}

#[mp::task]
fn panic_at_once() {
    panic!("no table")
}

/// What was told, in the order in which it came: level and text.
type Told = Mutex<Vec<(&'static str, String)>>;

static LOG: Told = Mutex::new(Vec::new());
static TRACING: Told = Mutex::new(Vec::new());
/// A log may use the pool that it hears of: nothing of it is locked.
static POOL: Mutex<Option<Arc<Pool>>> = Mutex::new(None);

struct Kept;

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == "mp" {
            let pool = POOL.lock().unwrap().clone();
            let _ = pool.map(|pool| pool.workers());
            LOG.lock().unwrap().push((record.level().as_str(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

impl Subscriber for Kept {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "mp" {
            let mut text = Text::default();
            event.record(&mut text);
            let level = event.metadata().level().as_str();
            TRACING.lock().unwrap().push((level, format!("{}: {}", text.name, text.message)));
        }
    }
}

#[derive(Default)]
struct Text {
    name: String,
    message: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "name" => self.name = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            other => panic!("the field {other} is new"),
        }
    }
}

/// What was said of this pool and its workers since the last time.
fn told(pool: &str) -> Vec<(&'static str, String)> {
    let take = |told: &Told| -> Vec<_> {
        told.lock().unwrap().extract_if(.., |(_, text)| text.starts_with(pool)).collect()
    };
    let (by_log, by_tracing) = (take(&LOG), take(&TRACING));
    assert_eq!(by_log, by_tracing, "both are told the same");
    by_log
}

fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        log::set_logger(&Kept).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        tracing::subscriber::set_global_default(Kept).unwrap();
    });
}

fn texts<'a>(told: &'a [(&'static str, String)], level: &str) -> Vec<&'a str> {
    told.iter().filter(|(of, _)| *of == level).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn a_log_hears_of_workers_that_start_die_and_are_replaced() {
    scenario(|| {
        listen();
        let pool = Pool::builder().workers(1).name("logged").build().unwrap();
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
        let first = pool.workers()[0].pid;
        assert!(pool.apply(abort, ()).unwrap_err().is_worker_lost());
        assert_eq!(pool.apply(square, (4,)).unwrap(), 16);
        pool.shutdown(false).unwrap();
        let told = told("logged");
        let lost = texts(&told, "WARN");
        let [lost] = lost[..] else { panic!("one death was nobody's wish: {told:?}") };
        for part in ["logged-0: task `", "abort` was lost", &format!("process {first} died")] {
            assert!(lost.contains(part), "{part:?} is not in {lost:?}");
        }
        let debug = texts(&told, "DEBUG");
        assert_eq!(debug[0], format!("logged-0: started as process {first}"));
        let count = |what: &str| debug.iter().filter(|text| text.contains(what)).count();
        assert_eq!((count("started as"), count("takes calls"), count("is gone")), (2, 2, 1), "{told:?}");
        assert!(texts(&told, "ERROR").is_empty(), "{told:?}");
    });
}

#[test]
fn a_log_hears_why_a_pool_gave_up() {
    scenario(|| {
        listen();
        let strict = Restart { at_most: 1, per: Duration::from_secs(60) };
        let pool = Pool::builder().workers(1).name("hopeless").restart(strict).build().unwrap();
        let calls: Vec<_> = (0..3).map(|_| pool.apply_async(abort, ())).collect();
        assert!(calls.into_iter().all(|call| call.wait().is_err()));
        drop(pool);
        let hopeless = told("hopeless");
        let [why] = texts(&hopeless, "ERROR")[..] else { panic!("{hopeless:?}") };
        assert!(why.starts_with("hopeless: ended: ") && why.contains("gave up"), "{why}");
        let pool =
            Pool::builder().workers(1).name("untabled").initializer(panic_at_once, ()).build().unwrap();
        assert!(pool.apply(square, (1,)).is_err());
        drop(pool);
        let untabled = told("untabled");
        let [why] = texts(&untabled, "ERROR")[..] else { panic!("{untabled:?}") };
        assert!(why.contains("no table"), "{why}");
    });
}

#[test]
fn a_log_hears_of_a_finalizer_that_ends_its_process() {
    scenario(|| {
        listen();
        let pool = Pool::builder().workers(1).name("final").finalizer(abort, ()).build().unwrap();
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
        let pid = pool.workers()[0].pid;
        pool.shutdown(false).unwrap();
        let told = told("final");
        let [why] = texts(&told, "WARN")[..] else { panic!("{told:?}") };
        assert!(why.starts_with(&format!("final-0: process {pid} died with ")), "{why}");
    });
}

#[test]
fn a_log_that_uses_the_pool_holds_nobody_up() {
    scenario(|| {
        listen();
        let pool = Arc::new(Pool::builder().workers(2).name("reentrant").build().unwrap());
        *POOL.lock().unwrap() = Some(pool.clone());
        for _ in 0..3 {
            assert!(pool.apply(abort, ()).is_err());
            assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
        }
        pool.terminate();
        *POOL.lock().unwrap() = None;
        drop(pool);
        assert_eq!(texts(&told("reentrant"), "WARN").len(), 3);
    });
}
