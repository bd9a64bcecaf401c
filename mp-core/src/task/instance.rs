//! The two places where the registry needs unsafe code: following the list, and calling a function through nothing but
//! its type.
#![allow(unsafe_code, reason = "a list of statics, and values of zero-sized function types")]

use super::arguments::{Task, TaskInput, TaskOutput};
use super::calls::{Calls, Invoke, each};
use super::entry::Node;
use super::frame::{Arguments, Reply};
use crate::error::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The node that a link of the list points at.
pub(super) fn node_of(link: *mut Node) -> Option<&'static Node> {
    // SAFETY: valid or null, for ever: `register`, the only writer of links, takes `&'static Node`.
    unsafe { link.cast_const().as_ref() }
}

/// The glue that is made of a function for one call, which is named and no closure.
pub const fn glue<F>(_: &F) -> Invoke
where
    F: Fn(&mut Arguments<'_>, Reply<'_>) -> Result<(), Failure> + Copy + 'static,
{
    |calls| each(calls, conjure::<F>())
}

/// The glue of a function whose parameters are owned: for instances of generic functions, whose signature no macro sees.
pub const fn instance_invoke<F, P>(_: &F) -> Invoke
where
    F: Task<P> + CallOwned<P>,
{
    F::invoke_owned
}

/// Functions that can be called with decoded, owned arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made a task here: its parameters and its result must be owned, serialisable values",
    note = "for borrowed parameters list the instance in the attribute: `#[mp::task(instances(..))]`"
)]
pub trait CallOwned<P>: Copy + 'static {
    /// Decode, call, encode, for each call.
    fn invoke_owned(calls: &mut (dyn Calls<'_> + '_));
}

/// Makes a value of a function's type out of nothing.
fn conjure<F: Copy + 'static>() -> F {
    const {
        assert!(
            size_of::<F>() == 0,
            "a task must be a function named by its path, not a pointer or a closure"
        );
    };
    // SAFETY: a zero-sized `Copy` type has no bytes to be wrong: the assertion above; a dangling pointer is aligned.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}

macro_rules! call_owned {
    ($(($($parameter:ident),*))+) => {$(
        impl<Function, Output, $($parameter),*> CallOwned<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Output + Copy + 'static,
            Output: Serialize + TaskOutput,
            $($parameter: DeserializeOwned + TaskInput,)*
        {
            #[allow(non_snake_case, reason = "one variable per parameter, named like its type")]
            fn invoke_owned(calls: &mut (dyn Calls<'_> + '_)) {
                each(calls, |arguments, reply| {
                    $(let $parameter = arguments.next::<$parameter>()?;)*
                    arguments.finish()?;
                    reply.value(conjure::<Function>()($($parameter),*))
                });
            }
        }
    )+};
}

call_owned! {
    ()
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H) (A, B, C, D, E, F, G, H, I) (A, B, C, D, E, F, G, H, I, J)
    (A, B, C, D, E, F, G, H, I, J, K) (A, B, C, D, E, F, G, H, I, J, K, L)
}
