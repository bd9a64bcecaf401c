//! `never!`: a branch that only a bug of ours reaches. It stops tests, and in a shipped program goes on to the code
//! after it, which must fail one call rather than the program (after the `always-assert` crate).

/// Says that this line is unreachable: panics where debug assertions are on, does nothing elsewhere.
macro_rules! never {
    ($($message:tt)+) => {
        debug_assert!(false, $($message)+)
    };
}
pub(crate) use never;
