//! `main!` and `test_main!`.

/// Makes this program its own worker: the first statement of `fn main`. (What stands outside of functions, in a test crate, is
/// [`test_main!`](crate::test_main).)
///
/// In the program that a user starts it does nothing. In a worker, which is the same program started again with
/// `--mp-worker` as its last argument, it serves the parent and never returns, so that no line after it runs twice. What stands
/// before it runs in every worker, too.
///
/// In an `async fn main` under `#[tokio::main]` and its like this statement comes when the runtime is there already: each worker
/// builds one, and its tasks run inside of it, where they cannot block on another. Write [`#[mp::entry]`](macro@crate::entry)
/// above that attribute instead.
///
/// A program that knows `mp` through a library only writes what that library offers for it, such as `the_library::mp::main!();`.
///
/// ```
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     assert!(!mp::is_worker());
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! main {
    () => {
        $crate::__private1::main()
    };
}

/// Lets the binary of a test, bench or example crate be its own worker: an item, once per crate.
///
/// libtest and criterion bring their own `main`, so a constructor serves before it. No dummy test is needed and nothing
/// is printed.
///
/// ```
/// mp::test_main!();
///
/// #[mp::task]
/// fn double(x: u32) -> u32 {
///     2 * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     assert_eq!(mp::spawn(double, (21,))?.join()?, 42);
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! test_main {
    () => {
        $crate::__mp_constructor!(serving: $crate::__private1::test_main());
    };
}
