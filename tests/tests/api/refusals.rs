//! What is refused, where, and with which words.

use crate::gate::wait_at;
use mp::{Backend, Error, ErrorKind, Pool, Process};
#[cfg(windows)]
use mp::{Context, Fork, StartMethod};
use mp_tests::{living_children, scenario};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flattened {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum InternallyTagged {
    One { x: u8 },
    Two { y: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum AdjacentlyTagged {
    One,
    Two(u8),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Skipping {
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u32>,
    rest: u32,
}

/// Serde code that fails by itself.
#[derive(Clone, Debug, Deserialize)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format_args!("I will not, {}", "ever")))
    }
}

/// It reads less than it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
struct Positive(i32);

impl TryFrom<i32> for Positive {
    type Error = String;

    fn try_from(number: i32) -> Result<Self, String> {
        if number > 0 { Ok(Self(number)) } else { Err(format!("{number} is not positive")) }
    }
}

impl From<Positive> for i32 {
    fn from(positive: Positive) -> Self {
        positive.0
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    name: String,
    amounts: Vec<Positive>,
}

fn order(amount: i32) -> Order {
    Order { name: "x".into(), amounts: vec![Positive(1), Positive(amount)] }
}

#[mp::task]
fn give_order(amount: i32) -> Order {
    order(amount)
}

#[mp::task(instances(
    Flattened,
    Untagged,
    InternallyTagged,
    AdjacentlyTagged,
    Skipping,
    Stubborn,
    PathBuf,
    Order
))]
fn take<T>(value: T) -> u8 {
    drop(value);
    1
}

#[mp::task]
fn give_flattened() -> Flattened {
    Flattened { a: 1, rest: BTreeMap::from([("b".into(), 2)]) }
}

#[mp::task]
fn give_untagged(text: bool) -> Untagged {
    if text { Untagged::Text("x".into()) } else { Untagged::Number(1) }
}

#[mp::task]
fn give_tagged(two: bool) -> InternallyTagged {
    if two { InternallyTagged::Two { y: "y".into() } } else { InternallyTagged::One { x: 1 } }
}

#[mp::task]
fn give_skipping(maybe: Option<u32>) -> Vec<Skipping> {
    vec![Skipping { maybe: Some(1), rest: 2 }, Skipping { maybe, rest: 7 }]
}

#[mp::task]
fn give_path() -> PathBuf {
    PathBuf::from(mp_tests::no_text())
}

#[mp::task]
fn give_stubborn(refuse: bool) -> Result<u8, Stubborn> {
    if refuse { Err(Stubborn) } else { Ok(4) }
}

/// The error names the kind, the task, the direction, the type and the way out.
#[track_caller]
fn check(error: &Error, kind: ErrorKind, task: &str, direction: &str, type_name: &str) {
    check_reason(error, kind, [task, direction, type_name], "send a plain struct or enum");
    assert!(error.to_string().contains("postcard"), "{error}");
}

/// It is of this kind, and names task, direction and type; then comes the reason.
#[track_caller]
fn check_reason(error: &Error, kind: ErrorKind, parts: [&str; 3], reason: &str) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(error.task_name().unwrap().contains(parts[0]), "{text}");
    for part in parts.iter().chain([&reason]) {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// It ends with what the type itself says, and not with advice about others.
#[track_caller]
fn check_words(error: &Error, kind: ErrorKind, parts: [&str; 3], words: &str) {
    check_reason(error, kind, parts, words);
    assert!(error.to_string().ends_with(words), "{error}");
}

/// What a type says that leaves out the field `maybe`.
const SKIPPED: &str = "the field `maybe` was skipped (`skip_serializing_if`), and the receiver could not tell: remove the \
                       attribute, or send a type without it";

/// What serde says of a path that is no text.
const NO_TEXT: &str = "path contains invalid UTF-8 characters";

const BACKENDS: [Backend; 3] = [Backend::Process, Backend::Thread, Backend::Inline];

#[test]
fn an_argument_that_cannot_be_encoded_fails_in_the_caller() {
    scenario(|| {
        let flattened = Flattened { a: 1, rest: BTreeMap::new() };
        let path = PathBuf::from(mp_tests::no_text());
        let pool = Pool::new(1).unwrap();
        let argument = "an argument of type";
        let error = pool.apply(take::<Flattened>, (&flattened,)).unwrap_err();
        check(&error, ErrorKind::Encode, "take", argument, "Flattened");
        let error = pool.apply(take::<PathBuf>, (&path,)).unwrap_err();
        check_words(&error, ErrorKind::Encode, ["take", argument, "PathBuf"], NO_TEXT);
        for error in [
            pool.apply(take::<Stubborn>, (Stubborn,)).unwrap_err(),
            pool.apply_async(take::<Stubborn>, (Stubborn,)).wait().unwrap_err(),
            mp::spawn(take::<Stubborn>, (Stubborn,)).unwrap_err(),
        ] {
            check_words(&error, ErrorKind::Encode, ["take", argument, "Stubborn"], "I will not, ever");
        }
        let error = mp::spawn(take::<Flattened>, (flattened,)).unwrap_err();
        check(&error, ErrorKind::Encode, "take", argument, "Flattened");
    });
}

#[test]
fn a_field_that_is_skipped_fails_its_own_call_and_is_named() {
    scenario(|| {
        let items = [Some(1), None, Some(3)].map(|maybe| Skipping { maybe, rest: 7 });
        for backend in BACKENDS {
            let pool = Pool::builder().workers(1).backend(backend).build().unwrap();
            let parts = ["take", "an argument of type", "Skipping"];
            assert_eq!(pool.apply(take::<Skipping>, (&items[0],)).unwrap(), 1, "{backend:?}");
            let error = pool.apply(take::<Skipping>, (&items[1],)).unwrap_err();
            check_words(&error, ErrorKind::Encode, parts, SKIPPED);
            let outcomes = pool.try_map(take::<Skipping>, &items);
            assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
            check_words(outcomes[1].as_ref().unwrap_err(), ErrorKind::Encode, parts, SKIPPED);
            assert_eq!(outcomes[1].as_ref().unwrap_err().item(), Some(1));

            let parts = ["give_skipping", "the result of type", "Skipping"];
            let there = pool.apply(give_skipping, (Some(3),)).unwrap();
            assert_eq!(there, [Skipping { maybe: Some(1), rest: 2 }, items[2].clone()], "{backend:?}");
            let error = pool.apply(give_skipping, (None,)).unwrap_err();
            check_words(&error, ErrorKind::Encode, parts, SKIPPED);
        }
    });
}

#[test]
fn an_argument_that_cannot_be_decoded_fails_that_call_alone() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let argument = "an argument of type";
        let error = pool.apply(take::<Untagged>, (Untagged::Number(1),)).unwrap_err();
        check(&error, ErrorKind::Decode, "take", argument, "Untagged");
        let error = pool.apply(take::<InternallyTagged>, (InternallyTagged::One { x: 1 },)).unwrap_err();
        check(&error, ErrorKind::Decode, "take", argument, "InternallyTagged");
        let all = [AdjacentlyTagged::One, AdjacentlyTagged::Two(2)];
        for (item, outcome) in pool.try_map(take::<AdjacentlyTagged>, all).into_iter().enumerate() {
            let error = outcome.unwrap_err();
            check(&error, ErrorKind::Decode, "take", argument, "AdjacentlyTagged");
            assert_eq!(error.item(), Some(item as u64));
        }
        assert_eq!(pool.apply(take::<PathBuf>, ("a",)).unwrap(), 1);
    });
}

#[test]
fn a_type_that_refuses_what_it_reads_is_quoted_and_the_place_is_named() {
    scenario(|| {
        const WORDS: &str = "at `amounts[1]`: -3 is not positive";
        for backend in BACKENDS {
            let pool = Pool::builder().workers(1).backend(backend).build().unwrap();
            let error = pool.apply(take::<Order>, (order(-3),)).unwrap_err();
            check_words(&error, ErrorKind::Decode, ["take", "an argument of type", "Order"], WORDS);
            let error = pool.map(give_order, [1, -3]).unwrap_err();
            check_words(&error, ErrorKind::Decode, ["give_order", "the result of type", "Order"], WORDS);
            assert_eq!(pool.apply(give_order, (3,)).unwrap().name, "x");
        }
        let queue = mp::Queue::unbounded().unwrap();
        queue.put(order(-3)).unwrap();
        let error = queue.get().unwrap_err();
        assert!(error.to_string().ends_with(WORDS), "{error}");
    });
}

#[test]
fn a_result_that_cannot_travel_fails_that_call_alone() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let result = "the result of type";
        check(
            &pool.apply(give_flattened, ()).unwrap_err(),
            ErrorKind::Encode,
            "give_flattened",
            result,
            "Flattened",
        );
        let error = pool.apply(give_path, ()).unwrap_err();
        check_words(&error, ErrorKind::Encode, ["give_path", result, "PathBuf"], NO_TEXT);
        for choice in [false, true] {
            let error = pool.apply(give_untagged, (choice,)).unwrap_err();
            check(&error, ErrorKind::Decode, "give_untagged", result, "Untagged");
            let error = pool.apply(give_tagged, (choice,)).unwrap_err();
            check(&error, ErrorKind::Decode, "give_tagged", result, "InternallyTagged");
        }
        let error = mp::spawn(give_untagged, (true,)).unwrap().join().unwrap_err();
        check(&error, ErrorKind::Decode, "give_untagged", result, "Untagged");
        let error = mp::spawn(give_flattened, ()).unwrap().join().unwrap_err();
        check(&error, ErrorKind::Encode, "give_flattened", result, "Flattened");
        let outcomes = pool.try_map(give_stubborn, [false, true, false]);
        assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_ok(), "{outcomes:?}");
        let error = pool.map(give_stubborn, [false, true, false]).unwrap_err();
        check_words(&error, ErrorKind::Encode, ["give_stubborn", result, "Stubborn"], "I will not, ever");
        let error = mp::spawn(give_stubborn, (true,)).unwrap().join().unwrap_err();
        check_words(&error, ErrorKind::Encode, ["give_stubborn", result, "Stubborn"], "I will not, ever");
        let error = pool.map(give_stubborn, [false, true, false]).unwrap_err();
        assert_eq!(error.item(), Some(1));
    });
}

#[test]
fn items_that_cannot_be_encoded_fail_in_their_place() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let good = PathBuf::from("a");
        let bad = PathBuf::from(mp_tests::no_text());
        let items: Vec<_> = (0..40).map(|n| if n % 10 == 3 { bad.clone() } else { good.clone() }).collect();
        let expected: Vec<bool> = (0..40).map(|n| n % 10 != 3).collect();
        let outcomes = pool.try_map(take::<PathBuf>, &items);
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), expected);
        assert_eq!(outcomes[13].as_ref().unwrap_err().item(), Some(13));
        let one_by_one: Vec<bool> =
            pool.imap(take::<PathBuf>, &items).map(|outcome| outcome.is_ok()).collect();
        assert_eq!(one_by_one, expected);
        let mut any: Vec<_> =
            pool.imap_unordered(take::<PathBuf>, &items).map(|(n, r)| (n, r.is_ok())).collect();
        any.sort_unstable();
        assert_eq!(any, expected.into_iter().enumerate().collect::<Vec<_>>());
        assert_eq!(pool.map(take::<PathBuf>, &items).unwrap_err().item(), Some(3));
        assert_eq!(pool.map_async(take::<PathBuf>, &items).wait().unwrap_err().item(), Some(3));
    });
}

fn plain(x: i64) -> i64 {
    x
}

/// The error says which function, what to add, and where it was used.
#[track_caller]
fn check_not_a_task(error: &Error, line: u32, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::NotATask, "{text}");
    let place = format!("{}:{line}:", file!());
    for part in parts.iter().chain([&place.as_str()]) {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn an_unannotated_function_is_refused_by_every_verb() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let name = "`api::refusals::plain` is not an mp task: add `#[mp::task]` above its definition";
        check_not_a_task(&pool.apply(plain, (1,)).unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.apply_async(plain, (1,)).wait().unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.map(plain, 0..3).unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.map_async(plain, 0..3).wait().unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.starmap(plain, [(1,)]).unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.starmap_async(plain, [(1,)]).wait().unwrap_err(), line!(), &[name]);
        check_not_a_task(pool.try_map(plain, 0..3)[2].as_ref().unwrap_err(), line!(), &[name]);
        check_not_a_task(pool.try_starmap(plain, [(1,)])[0].as_ref().unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.imap(plain, 0..3).next().unwrap().unwrap_err(), line!(), &[name]);
        check_not_a_task(&pool.imap_unordered(plain, 0..3).next().unwrap().1.unwrap_err(), line!(), &[name]);
        check_not_a_task(&mp::spawn(plain, (1,)).unwrap_err(), line!(), &[name]);
        check_not_a_task(&Process::new(plain, (1,)).start().unwrap_err(), line!(), &[name]);
        check_not_a_task(&Pool::builder().initializer(plain, (1,)).build().unwrap_err(), line!(), &[name]);
        check_not_a_task(&Pool::builder().finalizer(plain, (1,)).build().unwrap_err(), line!(), &[name]);
        assert_eq!(pool.imap(plain, 0..3).count(), 1, "what is refused is said once");
    });
}

#[test]
fn a_refusal_starts_no_process() {
    scenario(|| {
        assert!(mp::spawn(plain, (1,)).is_err());
        assert!(Pool::builder().workers(4).initializer(plain, (1,)).build().is_err());
        assert!(living_children(std::process::id()).is_empty());
    });
}

#[test]
fn closures_and_function_pointers_are_refused_with_the_reason() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let captured = 5;
        let pointer: fn(&str, i64) -> i64 = wait_at;
        let closure = ["closure", "write a function with `#[mp::task]` above it"];
        let (line, refused) = (line!(), pool.map(|x: i64| x + 1, 0..3));
        check_not_a_task(&refused.unwrap_err(), line, &closure);
        let (line, refused) = (line!(), pool.apply(move |x: i64| x + captured, (1,)));
        check_not_a_task(&refused.unwrap_err(), line, &closure);
        let (line, refused) = (line!(), pool.apply(pointer, ("a", 1)));
        check_not_a_task(&refused.unwrap_err(), line, &["function pointer", "by its name"]);
    });
}

#[test]
fn functions_of_the_standard_library_and_of_traits_are_refused_with_the_way_out() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let called = "write a function with `#[mp::task]` that calls it";
        let (line, refused) = (line!(), pool.map(u32::count_ones, [1]));
        check_not_a_task(&refused.unwrap_err(), line, &["count_ones", called]);
        let (line, refused) = (line!(), pool.map(<u64 as From<u32>>::from, [1_u32]));
        check_not_a_task(&refused.unwrap_err(), line, &["From<u32>", called]);
    });
}

#[cfg(windows)]
#[mp::task]
fn half(x: u32) -> u32 {
    x / 2
}

// The start methods of other systems are the suite `start`.
#[cfg(windows)]
#[test]
fn a_copy_of_a_process_is_unsupported_and_the_same_program_runs_by_spawn() {
    scenario(|| {
        // SAFETY: duty: a copy can live with what the other threads are at: there will be none.
        let fork = StartMethod::Fork(unsafe { Fork::new() });
        for method in [StartMethod::ForkServer, fork] {
            let context = Context::new(method);
            let spawned = context.spawn(half, (4,)).unwrap_err();
            assert_eq!(spawned.kind(), ErrorKind::Unsupported, "{method:?}: {spawned:?}");
            let pooled = context.pool_builder().workers(1).build().and_then(|pool| pool.apply(half, (4,)));
            assert_eq!(pooled.unwrap_err().kind(), ErrorKind::Unsupported, "{method:?}");
        }
        assert_eq!(Context::new(StartMethod::Spawn).spawn(half, (4,)).unwrap().join().unwrap(), 2);
    });
}
