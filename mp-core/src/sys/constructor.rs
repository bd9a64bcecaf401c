//! Code that runs before `main`.
//!
//! The linker sorts numbered sections before plain ones: every task registers in a numbered one, and a test binary's
//! entry, which needs them all, runs from a plain one.

/// Runs an expression before `main`: `registering` before all that is `serving`.
#[doc(hidden)]
#[macro_export]
macro_rules! __mp_constructor {
    (registering: $run:expr) => {
        $crate::__mp_constructor!(".init_array.00700", ".CRT$XCT", $run);
    };
    (serving: $run:expr) => {
        $crate::__mp_constructor!(".init_array", ".CRT$XCU", $run);
    };
    ($elf:literal, $pe:literal, $run:expr) => {
        #[allow(unsafe_code)]
        const _: () = {
            extern "C" fn run() {
                $run
            }
            // SAFETY: duty: what runs there is a function of this signature, and touches nothing that std sets up before
            // `main`: the two callers, registration and the worker's entry.
            #[used]
            #[cfg_attr(not(any(windows, target_vendor = "apple")), unsafe(link_section = $elf))]
            #[cfg_attr(windows, unsafe(link_section = $pe))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            static RUN: extern "C" fn() = run;
        };
    };
}
