//! What travels: parameters that borrow, and values of every shape, there and back.

use mp::{Pool, Task};
use mp_tests::scenario;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::thread;
use std::time::{Duration, SystemTime};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle { center: Point, radius: f64 },
    Line(Point, Point),
    Group(Vec<Shape>),
    Named(Box<Shape>, String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper<T>(T);

type Table = HashMap<String, Vec<i64>>;
type Tree = BTreeMap<(u8, char), BTreeSet<String>>;
type Outcome = Result<Option<u8>, String>;
type Maybe = Option<Option<bool>>;
type Grid = Vec<Vec<u16>>;
type Wide = (u8, i16, u32, i64, u128, char, bool, String);

#[mp::task(instances(
    i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, isize, usize, f32, f64, bool, char, String, (), PathBuf,
    Duration, SystemTime, IpAddr, OsString, Table, Tree, Outcome, Maybe, Grid, Wide, Point, Shape, Unit,
    Wrapper<Vec<Shape>>, [u8; 32], Box<str>, NonZeroU8, Range<i64>, VecDeque<i8>, Vec<u8>, Vec<()>, (f32, f64)
))]
fn echo<T>(value: T) -> T {
    value
}

/// A value comes back as it was, whether it is lent or given away.
#[track_caller]
fn check<T>(pool: &Pool, task: impl Task<(T,), Output = T>, values: impl IntoIterator<Item = T>)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone,
{
    for value in values {
        assert_eq!(pool.apply(task, (&value,)).unwrap(), value, "lent");
        assert_eq!(pool.map(task, [value.clone()]).unwrap(), [value], "given away");
    }
}

#[test]
fn numbers_and_text_come_back_as_they_were() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        check(&pool, echo::<i8>, [i8::MIN, -1, 0, i8::MAX]);
        check(&pool, echo::<i16>, [i16::MIN, -1, 0, i16::MAX]);
        check(&pool, echo::<i32>, [i32::MIN, -1, 0, i32::MAX]);
        check(&pool, echo::<i64>, [i64::MIN, -1, 0, i64::MAX]);
        check(&pool, echo::<i128>, [i128::MIN, -1, 0, i128::MAX]);
        check(&pool, echo::<isize>, [isize::MIN, -1, 0, isize::MAX]);
        check(&pool, echo::<u8>, [0, 127, 128, u8::MAX]);
        check(&pool, echo::<u16>, [0, 127, 128, u16::MAX]);
        check(&pool, echo::<u32>, [0, 127, 128, u32::MAX]);
        check(&pool, echo::<u64>, [0, 127, 128, u64::MAX]);
        check(&pool, echo::<u128>, [0, 127, 128, u128::MAX]);
        check(&pool, echo::<usize>, [0, 127, 128, usize::MAX]);
        check(&pool, echo::<bool>, [true, false]);
        check(&pool, echo::<char>, ['a', '\0', 'é', '\u{10ffff}']);
        check(&pool, echo::<String>, ["", "a", "línea\nnueva\0", &"é".repeat(1000)].map(str::to_owned));
        check(&pool, echo::<Box<str>>, ["", "boxed"].map(Box::from));
        check(&pool, echo::<()>, [()]);
    });
}

#[test]
fn floats_keep_every_bit() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let patterns = [
            0,
            1 << 63,
            0x7ff0_0000_0000_0000,
            0x7ff8_0000_0000_0001,
            0xfff8_dead_beef_0001,
            1,
            0x3ff0_0000_0000_0000,
        ];
        for bits in patterns {
            assert_eq!(pool.apply(echo::<f64>, (f64::from_bits(bits),)).unwrap().to_bits(), bits, "{bits:x}");
        }
        for bits in [0, 1 << 31, 0x7f80_0000, 0x7fc0_0001, 0xffc0_beef, 1] {
            assert_eq!(pool.apply(echo::<f32>, (f32::from_bits(bits),)).unwrap().to_bits(), bits, "{bits:x}");
        }
        assert!(pool.apply(echo::<(f32, f64)>, ((f32::NAN, f64::NAN),)).unwrap().1.is_nan());
    });
}

#[test]
fn collections_and_library_types_come_back_as_they_were() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let table: Table = (0..50).map(|n| (format!("key {n}"), (0..n).collect())).collect();
        check(&pool, echo::<Table>, [Table::new(), table]);
        let names = ["x", "", "y"].map(str::to_owned);
        check(
            &pool,
            echo::<Tree>,
            [BTreeMap::from([((1, 'z'), BTreeSet::from(names)), ((0, 'a'), BTreeSet::new())])],
        );
        check(&pool, echo::<Grid>, [vec![], vec![vec![]], vec![vec![1, 2], vec![], vec![u16::MAX; 1000]]]);
        check(&pool, echo::<VecDeque<i8>>, [VecDeque::from([1, -1])]);
        check(&pool, echo::<Vec<u8>>, [vec![], vec![0], (0..=255).collect()]);
        check(&pool, echo::<Vec<()>>, [vec![(); 3]]);
        check(&pool, echo::<[u8; 32]>, [[7; 32]]);
        check(&pool, echo::<Duration>, [Duration::ZERO, Duration::MAX, Duration::new(1, 999_999_999)]);
        check(&pool, echo::<SystemTime>, [SystemTime::UNIX_EPOCH + Duration::new(5, 7)]);
        check(&pool, echo::<PathBuf>, ["", "/", "a/b c", "été"].map(PathBuf::from));
        check(&pool, echo::<OsString>, [OsString::from("x"), mp_tests::no_text()]);
        check(&pool, echo::<IpAddr>, ["127.0.0.1", "::1"].map(|text| text.parse().unwrap()));
        check(&pool, echo::<NonZeroU8>, [NonZeroU8::MIN, NonZeroU8::MAX]);
        check(&pool, echo::<Range<i64>>, [-3..9, 0..0]);
    });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    times: Vec<u64>,
    steps: Box<[i32]>,
    counts: Option<Vec<usize>>,
}

#[mp::task]
fn reversed(series: &Series, more: &[i64]) -> (Vec<i64>, Series) {
    let mut series = series.clone();
    series.times.reverse();
    series.steps.reverse();
    (more.iter().rev().copied().collect(), series)
}

#[test]
fn lists_of_integers_of_any_length_and_width_come_back_as_they_were() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (sender, receiver) = mp::pipe().unwrap();
        let queue = mp::Queue::bounded(2).unwrap();
        for len in [0, 1, 31, 32, 33, 1000, 100_000] {
            for shift in [0, 24, 48, 57] {
                let times: Vec<u64> = (0..len).map(|n| (n % 128) << shift).collect();
                let steps = times.iter().map(|time| (*time as i32).wrapping_neg()).collect();
                let more: Vec<i64> = times.iter().map(|time| time.cast_signed().wrapping_neg()).collect();
                let counts = (len > 1).then(|| vec![usize::MAX >> (shift % 32); len as usize]);
                let series = Series { times, steps, counts };
                let back = |mut series: Series| {
                    series.times.reverse();
                    series.steps.reverse();
                    series
                };
                let turned: Vec<i64> = more.iter().rev().copied().collect();
                let expected = (turned, back(series.clone()));
                assert_eq!(pool.apply(reversed, (&series, &more)).unwrap(), expected, "lent");
                let handle = pool.apply_async(reversed, (series.clone(), more.clone()));
                assert_eq!(handle.wait().unwrap(), expected, "given away");
                let both = pool.starmap(reversed, [(&series, &more), (&series, &more)]).unwrap();
                assert_eq!(both, [expected.clone(), expected]);
                queue.put(series.clone()).unwrap();
                assert_eq!(queue.get().unwrap(), series);
                thread::scope(|scope| {
                    scope.spawn(|| sender.send(more.clone()).unwrap());
                    assert_eq!(receiver.recv().unwrap(), more);
                });
            }
        }
    });
}

#[test]
fn users_types_come_back_as_they_were() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let point = Point { x: -0.5, y: 1e300 };
        let circle = Shape::Circle { center: point.clone(), radius: 2.0 };
        let line = Shape::Line(point.clone(), Point::default());
        let group = Shape::Group(vec![Shape::Nothing, circle, Shape::Named(Box::new(line), "ü".into())]);
        check(&pool, echo::<Shape>, [Shape::Nothing, Shape::Group(vec![]), group.clone()]);
        check(&pool, echo::<Wrapper<Vec<Shape>>>, [Wrapper(vec![group.clone(), group])]);
        check(&pool, echo::<Point>, [point]);
        check(&pool, echo::<Unit>, [Unit]);
        check(&pool, echo::<Maybe>, [None, Some(None), Some(Some(true))]);
        check(&pool, echo::<Wide>, [(1, -2, 3, -4, 5, 'c', true, "s".into())]);
    });
}

#[test]
fn an_error_that_a_task_returns_is_a_value() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        check(&pool, echo::<Outcome>, [Ok(None), Ok(Some(1)), Err("no".into())]);
        let outcomes = [Ok(Some(1)), Err("first".to_owned()), Err("second".to_owned()), Ok(None)];
        assert_eq!(pool.map(echo::<Outcome>, &outcomes).unwrap(), outcomes, "no item of these failed");
        assert_eq!(mp::spawn(echo::<Outcome>, (&outcomes[1],)).unwrap().join().unwrap(), outcomes[1]);
    });
}

#[mp::task]
fn text_length(text: &str) -> usize {
    text.len()
}

#[mp::task]
fn total(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[mp::task]
fn bytes_sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

#[mp::task]
fn shapes_count(shapes: &[Shape]) -> usize {
    shapes.len()
}

#[mp::task]
fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[mp::task]
fn point_x(point: &Point) -> f64 {
    point.x
}

#[mp::task]
fn is_borrowed(text: Cow<'_, str>, list: &[&str], maybe: Option<&str>) -> (bool, usize, usize) {
    (matches!(text, Cow::Borrowed(_)), list.len(), maybe.map_or(0, str::len))
}

#[mp::task]
fn owned(text: String, list: Vec<String>, path: PathBuf, bytes: Vec<u8>) -> usize {
    text.len() + list.len() + path.as_os_str().len() + bytes.len()
}

#[mp::task]
fn platform_length(os: &OsStr, c: &CStr) -> (usize, usize) {
    (os.len(), c.to_bytes().len())
}

#[mp::task]
fn either_length(text: Cow<'_, str>, list: Cow<'_, [u16]>) -> (usize, usize) {
    (text.len(), list.len())
}

#[mp::task]
fn owned_platform(os: OsString, c: CString) -> (usize, usize) {
    (os.len(), c.as_bytes().len())
}

#[mp::task]
fn boxed_length(text: Box<str>, list: Box<[u16]>) -> (usize, usize) {
    (text.into_string().len(), list.into_vec().len())
}

#[test]
fn borrowing_parameters_take_owned_and_borrowed_values() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let text = "four".to_owned();
        assert_eq!(pool.map(text_length, ["a", "bc"]).unwrap(), [1, 2]);
        assert_eq!(pool.map(text_length, vec![text.clone(), String::new()]).unwrap(), [4, 0]);
        assert_eq!(pool.map(text_length, &[text.clone(), text.clone()]).unwrap(), [4, 4]);
        assert_eq!(pool.map(text_length, "a bc def".split(' ')).unwrap(), [1, 2, 3]);
        assert_eq!(pool.apply(text_length, (Cow::Borrowed("abc"),)).unwrap(), 3);
        assert_eq!(pool.apply(text_length, (Box::<str>::from("ab"),)).unwrap(), 2);
        let bytes = vec![1_u8, 2, 3];
        assert_eq!(pool.apply(bytes_sum, (&bytes,)).unwrap(), 6);
        assert_eq!(pool.apply(bytes_sum, (bytes.as_slice(),)).unwrap(), 6);
        assert_eq!(pool.map(total, [[1, 2], [3, 4]]).unwrap(), [3, 7]);
        assert_eq!(pool.apply(total, ([1, 2, 3],)).unwrap(), 6);
        assert_eq!(pool.apply(bytes_sum, ([1, 2],)).unwrap(), 3);
        assert_eq!(pool.apply(bytes_sum, (b"\x01\x02",)).unwrap(), 3);
        assert_eq!(pool.map(bytes_sum, bytes.chunks(2)).unwrap(), [3, 3]);
        assert_eq!(pool.apply(bytes_sum, (bytes,)).unwrap(), 6);
        let shapes = [Shape::Nothing, Shape::Group(vec![])];
        assert_eq!(pool.apply(shapes_count, (&shapes,)).unwrap(), 2);
        assert_eq!(pool.apply(shapes_count, (&shapes[1..],)).unwrap(), 1);
        assert_eq!(pool.apply(shapes_count, (shapes.to_vec(),)).unwrap(), 2);
        assert_eq!(pool.apply(file_name, ("/x/a",)).unwrap(), "a");
        assert_eq!(pool.apply(file_name, (Path::new("/x/b"),)).unwrap(), "b");
        assert_eq!(pool.map(file_name, vec![PathBuf::from("/x/c")]).unwrap(), ["c"]);
        assert_eq!(pool.apply(file_name, ("/x/d".to_owned(),)).unwrap(), "d");
        assert_eq!(pool.map(point_x, [Point { x: 1.0, y: 0.0 }]).unwrap(), [1.0]);
        assert_eq!(pool.map(point_x, &[Point { x: 2.0, y: 0.0 }]).unwrap(), [2.0]);
        let mixed = (Cow::Borrowed("x"), ["a", "b"], Some("abc"));
        assert_eq!(pool.apply(is_borrowed, mixed).unwrap().1, 2);
        let (os, c) = (OsString::from("four"), c"two".to_owned());
        assert_eq!(pool.apply(platform_length, (os.as_os_str(), c.as_c_str())).unwrap(), (4, 3));
        assert_eq!(pool.apply(platform_length, (&os, &c)).unwrap(), (4, 3));
        assert_eq!(pool.apply(platform_length, (os, c)).unwrap(), (4, 3));
        assert_eq!(pool.apply(total, (Cow::Borrowed(&[4, 5][..]),)).unwrap(), 9);
    });
}

#[test]
fn parameters_that_are_either_take_owned_and_borrowed_values() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (text, list) = ("four".to_owned(), vec![1_u16, 2]);
        assert_eq!(pool.apply(either_length, ("four", list.as_slice())).unwrap(), (4, 2));
        assert_eq!(
            pool.apply(either_length, (Cow::Borrowed("x"), Cow::Borrowed(&list[1..]))).unwrap(),
            (1, 1)
        );
        assert_eq!(pool.apply(either_length, (&text, &list)).unwrap(), (4, 2));
        assert_eq!(pool.apply(either_length, (text, list)).unwrap(), (4, 2));
    });
}

#[test]
fn owning_parameters_take_borrowed_values() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let list = vec!["x".to_owned(), "y".to_owned()];
        assert_eq!(pool.apply(owned, ("ab", &list, Path::new("/p"), &[1, 2, 3])).unwrap(), 9);
        assert_eq!(pool.apply(owned, ("ab".to_owned(), list, "/p", vec![1])).unwrap(), 7);
        let bytes = Cow::Borrowed(&[1_u8, 2][..]);
        assert_eq!(pool.apply(owned, (Cow::Borrowed("ab"), &[String::new()][..], "/p", bytes)).unwrap(), 7);
        assert_eq!(pool.apply(owned_platform, (OsStr::new("ab"), c"c")).unwrap(), (2, 1));
        assert_eq!(pool.apply(boxed_length, ("ab", &[1, 2, 3][..])).unwrap(), (2, 3));
        assert_eq!(pool.apply(boxed_length, ("ab".to_owned(), vec![1])).unwrap(), (2, 1));
    });
}

#[test]
fn what_was_lent_is_still_the_callers() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let texts: Vec<String> = (0..1000).map(|n| "x".repeat(n)).collect();
        let lengths = pool.map(text_length, &texts).unwrap();
        assert!(lengths.iter().zip(&texts).all(|(length, text)| *length == text.len()));
    });
}

#[test]
fn values_that_share_memory_travel_as_copies() {
    #[mp::task]
    fn raise(counter: AtomicU32) -> u32 {
        1 + counter.into_inner()
    }
    scenario(|| {
        let counter = AtomicU32::new(4);
        assert_eq!(mp::spawn(raise, (&counter,)).unwrap().join().unwrap(), 5);
        assert_eq!(counter.into_inner(), 4);
    });
}

#[derive(Serialize, Deserialize)]
struct Chain {
    number: u32,
    next: Option<Box<Self>>,
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut chain) = next {
            next = chain.next.take();
        }
    }
}

#[mp::task]
fn chain(length: u32) -> Chain {
    (1..length)
        .fold(Chain { number: 0, next: None }, |chain, number| Chain { number, next: Some(Box::new(chain)) })
}

#[mp::task]
fn total_of(chain: Chain) -> u32 {
    std::iter::successors(Some(&chain), |chain| chain.next.as_deref()).map(|chain| chain.number).sum()
}

#[test]
fn a_value_nested_too_deeply_for_a_stack_fails_its_own_call() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let small = thread::Builder::new().stack_size(512 << 10);
        let thread = small.spawn(move || {
            let outcomes: Vec<_> =
                (0..14).map(|power| pool.apply(chain, (64 << power,)).map(|chain| chain.number)).collect();
            let argument = pool.apply(total_of, (chain(1 << 18),));
            assert_eq!(pool.apply(total_of, (chain(4),)).unwrap(), 6);
            (outcomes, argument)
        });
        let (outcomes, argument) = thread.unwrap().join().unwrap();
        assert!(matches!(outcomes[0], Ok(63)));
        for error in [outcomes.last().unwrap().as_ref().unwrap_err(), &argument.unwrap_err()] {
            assert!(error.to_string().contains("nested too deeply for the stack of this thread"), "{error}");
            assert!(error.to_string().contains("next.next.next"), "{error}");
        }
        assert!(!outcomes.iter().flat_map(|outcome| outcome.as_ref().err()).any(mp::Error::is_worker_lost));
    });
}
