//! Where a task may be written, and with how many parameters.

#[path = "halved.rs"]
mod halved;

use halved::halved;
use mp::Pool;
use mp_tests::scenario;

mod public {
    #[mp::task]
    pub fn double(x: i64) -> i64 {
        2 * x
    }

    pub mod deeper {
        #[mp::task]
        pub fn double(x: i64) -> i64 {
            20 * x
        }
    }
}

mod private {
    #[mp::task]
    fn hidden(x: i64) -> i64 {
        x + 100
    }

    pub(super) fn run(pool: &mp::Pool, x: i64) -> Result<i64, mp::Error> {
        pool.apply(hidden, (x,))
    }
}

macro_rules! adders {
    ($($name:ident $number:literal;)+) => {$(
        #[mp::task]
        fn $name(x: i64) -> i64 {
            x + $number
        }
    )+};
}
adders! { plus_one 1; plus_two 2; }

struct Account;

#[mp::tasks]
impl Account {
    #[task]
    fn deposit(balance: i64, amount: i64) -> i64 {
        balance + amount
    }

    #[task(name = "account.withdraw")]
    fn withdraw(balance: i64, amount: i64) -> Result<i64, String> {
        if amount > balance { Err(format!("{} short", amount - balance)) } else { Ok(balance - amount) }
    }
}

#[mp::task(instances(f64, i32, String))]
fn twice<T: Clone>(value: T) -> (T, T) {
    (value.clone(), value)
}

#[mp::task(instances((u8, 2), (char, 3)))]
fn filled<T: Copy, const N: usize>(value: T) -> Vec<T> {
    vec![value; N]
}

fn plain_pair<A, B>(a: A, b: B) -> (B, A) {
    (b, a)
}

trait Speaks {
    fn word() -> String;
}

struct Dog;

impl Speaks for Dog {
    fn word() -> String {
        "woof".into()
    }
}

fn say<S: Speaks>(times: usize) -> String {
    S::word().repeat(times)
}

#[mp::task]
const fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn r#match(x: i64) -> i64 {
    x - 1
}

#[mp::task]
fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1) }
}

#[test]
fn tasks_are_found_wherever_they_are_written() {
    #[mp::task]
    fn nested(x: i64) -> i64 {
        #[mp::task]
        fn inside_it(x: i64) -> i64 {
            x
        }
        inside_it(x) - 1000
    }
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.map(public::double, [1, 2]).unwrap(), [2, 4]);
        assert_eq!(pool.map(public::deeper::double, [1, 2]).unwrap(), [20, 40]);
        assert_eq!(private::run(&pool, 1).unwrap(), 101);
        assert_eq!(pool.map(plus_one, [1]).unwrap(), [2]);
        assert_eq!(pool.map(plus_two, [1]).unwrap(), [3]);
        assert_eq!(pool.map(nested, [1]).unwrap(), [-999]);
        assert_eq!(pool.map(r#match, [1]).unwrap(), [0]);
        assert_eq!(pool.map(factorial, [5]).unwrap(), [120]);
    });
}

#[test]
fn associated_functions_are_tasks() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(Account::deposit, (1, 2)).unwrap(), 3);
        assert_eq!(pool.apply(Account::withdraw, (1, 3)).unwrap(), Err("2 short".to_owned()));
        assert_eq!(pool.apply(mp::task_of!(Account::deposit), (1, 2)).unwrap(), 3);
        assert_eq!(pool.starmap(<Account>::withdraw, [(5, 2), (9, 9)]).unwrap(), [Ok(3), Ok(0)]);
    });
}

#[test]
fn instances_of_generic_functions_are_tasks() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.map(twice::<f64>, [1.5]).unwrap(), [(1.5, 1.5)]);
        assert_eq!(pool.map(twice::<i32>, [7]).unwrap(), [(7, 7)]);
        assert_eq!(pool.map(twice::<String>, ["a"]).unwrap(), [("a".to_owned(), "a".to_owned())]);
        assert_eq!(pool.map(filled::<u8, 2>, [4]).unwrap(), [[4, 4]]);
        assert_eq!(pool.map(filled::<char, 3>, ['é']).unwrap(), [['é', 'é', 'é']]);
        let refused = pool.map(twice::<i64>, [1]).unwrap_err();
        assert_eq!(refused.kind(), mp::ErrorKind::NotATask);
        assert!(refused.to_string().contains("instances"), "{refused}");
    });
}

#[test]
fn an_instance_named_where_it_is_used_is_a_task() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.map(mp::task_of!(twice::<u16>), [1]).unwrap(), [(1, 1)]);
        assert_eq!(pool.apply(mp::task_of!(plain_pair::<u8, String>), (1, "b")).unwrap(), ("b".into(), 1));
        assert_eq!(pool.apply(mp::task_of!(say::<Dog>), (2,)).unwrap(), "woofwoof");
    });
}

#[test]
fn an_annotated_function_stays_a_function() {
    const NINE: i64 = square(3);
    scenario(|| {
        let pointer: fn(i64) -> i64 = square;
        let here: Vec<i64> = (0..5).map(square).collect();
        let there = Pool::new(1).unwrap().map(square, 0..5).unwrap();
        assert_eq!((here, pointer(4), NINE), (there, 16, 9));
        let square = square(5);
        assert_eq!(square, 25);
    });
}

#[test]
fn tasks_of_other_crates_are_found() {
    scenario(|| {
        // `mp_tests::lives` is no task; its library holds one that `scenario` runs, so this crate sees two registries' worth.
        assert_eq!(mp::spawn(mp_tests::lives, (1,)).unwrap_err().kind(), mp::ErrorKind::NotATask);
    });
}

#[mp::task]
fn p0() -> String {
    String::from("none")
}

macro_rules! with_parameters {
    ($($name:ident($($parameter:ident),+);)+) => {$(
        #[mp::task]
        #[allow(clippy::too_many_arguments)]
        fn $name($($parameter: u8),+) -> Vec<u8> {
            vec![$($parameter),+]
        }
    )+};
}
with_parameters! {
    p1(a);
    p2(a, b);
    p3(a, b, c);
    p4(a, b, c, d);
    p5(a, b, c, d, e);
    p6(a, b, c, d, e, f);
    p7(a, b, c, d, e, f, g);
    p8(a, b, c, d, e, f, g, h);
    p9(a, b, c, d, e, f, g, h, i);
    p10(a, b, c, d, e, f, g, h, i, j);
    p11(a, b, c, d, e, f, g, h, i, j, k);
    p12(a, b, c, d, e, f, g, h, i, j, k, l);
}

#[test]
fn tasks_take_up_to_twelve_parameters_in_their_order() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let counted = |n: u8| (1..=n).collect::<Vec<_>>();
        assert_eq!(pool.apply(p0, ()).unwrap(), "none");
        assert_eq!(pool.apply(p1, (1,)).unwrap(), counted(1));
        assert_eq!(pool.apply(p2, (1, 2)).unwrap(), counted(2));
        assert_eq!(pool.apply(p3, (1, 2, 3)).unwrap(), counted(3));
        assert_eq!(pool.apply(p4, (1, 2, 3, 4)).unwrap(), counted(4));
        assert_eq!(pool.apply(p5, (1, 2, 3, 4, 5)).unwrap(), counted(5));
        assert_eq!(pool.apply(p6, (1, 2, 3, 4, 5, 6)).unwrap(), counted(6));
        assert_eq!(pool.apply(p7, (1, 2, 3, 4, 5, 6, 7)).unwrap(), counted(7));
        assert_eq!(pool.apply(p8, (1, 2, 3, 4, 5, 6, 7, 8)).unwrap(), counted(8));
        assert_eq!(pool.apply(p9, (1, 2, 3, 4, 5, 6, 7, 8, 9)).unwrap(), counted(9));
        assert_eq!(pool.apply(p10, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)).unwrap(), counted(10));
        assert_eq!(pool.apply(p11, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)).unwrap(), counted(11));
        let twelve = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        assert_eq!(pool.apply(p12, twelve).unwrap(), counted(12));
        assert_eq!(mp::spawn(p12, twelve).unwrap().join().unwrap(), counted(12));
        assert_eq!(pool.starmap(p12, [twelve; 3]).unwrap(), vec![counted(12); 3]);
        assert_eq!(pool.starmap(p0, [(), ()]).unwrap(), ["none", "none"]);
    });
}

/// Catches a panic that our hook sees, and puts a hook of its own in the place of that.
#[mp::task]
fn catch_one_and_change_the_hook() {
    assert!(std::panic::catch_unwind(|| panic!("this one was caught")).is_err());
    std::panic::set_hook(Box::new(|_| {}));
}

#[mp::task]
fn panic_with(message: String) {
    panic!("{message}");
}

#[test]
fn a_panic_under_the_hook_of_a_task_is_not_taken_for_an_earlier_one() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        pool.apply(catch_one_and_change_the_hook, ()).unwrap();
        let error = pool.apply(panic_with, ("the second",)).unwrap_err();
        let report = error.panic().unwrap();
        assert_eq!((report.message.as_str(), &report.location), ("the second", &None), "{error}");
        assert!(report.task.ends_with("panic_with"), "{error}");
    });
}

#[test]
fn a_task_is_imported_out_of_a_module_of_its_name() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.map(halved, [8, 9]).unwrap(), [4, 4]);
    });
}
