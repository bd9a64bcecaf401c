//! Code that runs before `main`.
//!
//! The linker sorts numbered sections before plain ones: every task registers in a numbered one, and a test binary's
//! entry, which needs them all, runs from a plain one. Apple's linker does not sort: there a section of our own lists what
//! registers, and the first who needs it all has it run.

#![allow(unsafe_code)] // the borders of a section

/// Runs an expression before `main`, or before it is needed: `registering` before all that is `serving`.
#[doc(hidden)]
#[macro_export]
macro_rules! __mp_constructor {
    (registering: $run:expr) => {
        $crate::__mp_constructor!(
            #[allow(unsafe_code)]
            ".init_array.00700",
            ".CRT$XCT",
            "__DATA,__mp_register,regular,no_dead_strip",
            $run
        );
    };
    (serving: $run:expr) => {
        $crate::__mp_constructor!(".init_array", ".CRT$XCU", "__DATA,__mod_init_func,mod_init_funcs", $run);
    };
    // Without an attribute in other crates: no lint sees what a macro of this one wrote, but a `forbid` sees an `allow`.
    ($(#[$attribute:meta])? $elf:literal, $pe:literal, $mach:literal, $run:expr) => {
        $(#[$attribute])?
        const _: () = {
            extern "C" fn run() {
                $run
            }
            // SAFETY: duty: what runs there is a function of this signature, and touches nothing that std sets up before
            // `main`: the two callers, registration and the worker's entry.
            #[used]
            #[cfg_attr(not(any(windows, target_vendor = "apple")), unsafe(link_section = $elf))]
            #[cfg_attr(windows, unsafe(link_section = $pe))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = $mach))]
            static RUN: extern "C" fn() = run;
        };
    };
}

/// Runs all that is registering, where nothing has run it before `main`. For one caller.
pub fn run_registering() {
    #[cfg(target_vendor = "apple")]
    {
        type Function = extern "C" fn();
        // SAFETY: duty: these are there and have this type: the linker makes them for a section that has members, and this crate
        // puts one in.
        unsafe extern "C" {
            #[link_name = "\x01section$start$__DATA$__mp_register"]
            static START: Function;
            #[link_name = "\x01section$end$__DATA$__mp_register"]
            static END: Function;
        }
        let (mut next, end) = (&raw const START, &raw const END);
        while next != end {
            // SAFETY: duty: in bounds, and a function of this signature: nothing else is put into this section, and the linker
            // joins its members without gaps, as all are of one size and alignment.
            unsafe {
                (*next)();
                next = next.add(1);
            }
        }
    }
}
