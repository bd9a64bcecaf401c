//! The attributes and the function-like macro of `mp`. Use them through the crate `mp-core`, whose library is `mp`.
//!
//! ```text
//!  attribute tokens ─► args ──────┐
//!                                 ├─► signature ─► expand ─► the item as written + a registration
//!  item tokens ───────────────────┘   checks        glue
//!
//!  task     one function              tasks     the marked functions of an impl
//!  task_of  a path, in an expression  entry     fn main
//!  shareable  a struct
//! ```
//!
//! Every step adds its mistakes to one `errors::Errors`; all are shown at once, on the tokens they are about, and the
//! item is emitted all the same so that nothing else breaks because of them.
#![forbid(unsafe_code)]

mod args;
mod entry;
mod errors;
mod expand;
mod instances;
mod shareable;
mod signature;
mod task;
mod task_of;
mod tasks;
mod text;
mod types;

use proc_macro::TokenStream;

/// Makes a function a task: something that another process can be told to run.
///
/// The function stays as it is: it can be called, coerced to `fn(..)`, used in `const`, documented and shadowed. The
/// attribute adds an entry to the program's registry, which [`Pool::map`] and its like look up by the function's type.
///
/// ```ignore (mp depends on this crate, so this crate cannot run examples of mp)
/// #[mp::task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// let squares = mp::Pool::new(4)?.map(square, 0..10)?;
/// ```
///
/// # Parameters and result
///
/// 0 to 12 parameters. Owned types implement `serde::Serialize` and `serde::Deserialize`, and both sides agree on every
/// field: enums with serde's `tag` or `untagged`, `flatten`, and fields that `skip_serializing_if` leaves out fail their
/// call, with the reason. Borrowed types are lent for the time of the call: `&str`, `&[u8]` and `&Path` point into the received bytes, of `&[T]` and any other `&T` an owned
/// value is decoded and lent. Types with a lifetime, such as `Cow<'_, str>` or `Option<&str>`, borrow from the received
/// bytes where serde does; their lifetime must be written (`Parser<'_>`, not `Parser`). The attribute goes by how a type
/// is written: `&Path` is taken for one to a `std::path::Path`.
///
/// The result is owned and has a name: no references, no `impl Trait`, no `!`.
///
/// # Panics
///
/// A panic of the task fails its call, and goes no further. What it says goes to the caller (`Error::panic`), and not to stderr nor to
/// the program's panic hook, which hears of those on other threads; one that the task catches itself is written to stderr.
///
/// # Options
///
/// | option | what |
/// |---|---|
/// | `name = "mail.send"` | the name in messages and reports, unique in the program; default: module path and name |
/// | `instances(f64, i64)` | for a generic function: the arguments to register it with; `instances((f64, 3), (u8, 4))` for several parameters |
/// | `crate = my::mp` | where `mp` is, if it is not `::mp`; with `extern crate my_name as mp;` in the root of the crate it is |
///
/// # Errors
///
/// Does not compile, with a message for each: functions with `self` (see [`macro@tasks`]), generic functions without
/// `instances`, `async`, `unsafe`, `extern` and variadic functions, parameters of `impl Trait`, `&mut`, `&'static`, raw
/// pointer and function pointer types, results of `impl Trait` and `!`, more than 12 parameters, unknown and repeated
/// options, `#[target_feature]`, items that are not functions, targets that run nothing before `main`. A function in an `impl` is refused by the
/// compiler itself, which says that a struct is not supported there: mark the `impl` with [`macro@tasks`].
///
/// Next to the function a hidden type of the same name is defined, by which [`task_of!`] knows that the function is a
/// task. So a module, a struct or a type alias of that name cannot stand beside it, and cannot be where the task is
/// imported by this name: import it by another one, `use sieve::sieve as run_sieve`. Tasks that are named as a primitive
/// type, `std`, `core`, `alloc`, `serde` or `mp`, or as the file whose module they are in (`sieve` in `sieve.rs`), have no such
/// type: they collide with nothing, and `task_of!` does not know them.
///
/// [`Pool::map`]: https://docs.rs/mp-core/latest/mp/struct.Pool.html
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into()).into()
}

/// Makes the marked functions of an `impl` tasks.
///
/// An attribute on the function alone cannot do that: nothing inside an `impl` can be registered.
///
/// ```ignore (mp depends on this crate, so this crate cannot run examples of mp)
/// #[mp::tasks]
/// impl Image {
///     #[task]
///     fn blurred(image: Image, radius: u32) -> Self { .. }
///
///     #[task(name = "image.size")]
///     fn size(image: &Self) -> usize { .. }
/// }
///
/// pool.starmap(Image::blurred, images.zip(radii))?;
/// ```
///
/// # Options
///
/// `crate = my::mp` on the impl; on a function those of [`macro@task`], with `#[task(..)]` or `#[mp::task(..)]`.
///
/// # Errors
///
/// Does not compile: what [`macro@task`] refuses, functions with `self` (there is no object in the other process: take
/// it as a parameter, `image: &Self`), generic impls, impls of a trait (write a function that calls the trait's), and an
/// impl in which nothing is marked.
#[proc_macro_attribute]
pub fn tasks(arguments: TokenStream, item: TokenStream) -> TokenStream {
    tasks::expand(arguments.into(), &item.into()).into()
}

/// A task by its path, checked when the program is compiled.
///
/// `pool.map(square, ..)` finds out at the first use that `square` has no attribute; `pool.map(task_of!(square), ..)`
/// does not compile. The value is the function itself.
///
/// ```ignore (mp depends on this crate, so this crate cannot run examples of mp)
/// pool.map(mp::task_of!(jobs::square), 0..10)?;      // proved: has #[mp::task]
/// pool.map(mp::task_of!(Image::size), &images)?;     // proved: marked in an impl with #[mp::tasks]
/// pool.map(mp::task_of!(twice::<f64>), [1.5, 2.5])?; // registers this instance of a function without attribute
/// ```
///
/// With generic arguments the instance is registered here, whether or not the function is annotated. Its parameters and
/// its result must be owned; for borrowed ones use `#[mp::task(instances(..))]`.
///
/// `task_of!(crate = my::mp, square)` says where `mp` is, if it is not `::mp`.
///
/// # Errors
///
/// A function that is not annotated gives "expected type, found function `square`" ("no associated item named
/// `__mp_task_attribute_on_size`" for one in an impl): the type of the same name is what the attribute adds. The
/// remedy is `#[mp::task]` above the function. So does a task without that type, such as `sieve` in `sieve.rs`: see
/// [`macro@task`]. Closures are not supported yet.
#[proc_macro]
pub fn task_of(input: TokenStream) -> TokenStream {
    task_of::expand(input.into()).into()
}

/// Proves that a struct may live in shared memory, and implements `mp::Shareable` for it.
///
/// ```ignore (mp depends on this crate, so this crate cannot run examples of mp)
/// #[derive(Clone, Copy, mp::Shareable)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
/// ```
///
/// # Options
///
/// `#[mp(crate = my::mp)]` below the derive says where `mp` is, if it is not `::mp`.
///
/// # Errors
///
/// Does not compile, with a message for each: fields whose type cannot live there, padding before, between or after fields
/// (put the widest fields first, or fill the gap with a field such as `_reserved: [u8; 4]`), a struct without `#[repr(C)]`
/// or `#[repr(transparent)]`, without `Copy` (so one with `Drop`), without fields, or with generic parameters; enums and
/// unions.
#[proc_macro_derive(Shareable, attributes(mp))]
pub fn shareable(item: TokenStream) -> TokenStream {
    shareable::expand(item.into()).into()
}

/// Lets the program be its own worker: `mp::main!();` as an attribute.
///
/// In the parent process `main` runs as written. In a worker process, which is the same program started again, it serves
/// tasks before the first line of `main` and never gets there.
///
/// ```ignore (mp depends on this crate, so this crate cannot run examples of mp)
/// #[mp::entry]
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> { .. }
/// ```
///
/// It may stand above or below attributes such as `#[tokio::main]`. Above, the function with those attributes moves into
/// a `main` that serves first, so that a worker never builds the runtime.
///
/// # Options
///
/// `crate = my::mp` says where `mp` is, if it is not `::mp`.
///
/// # Errors
///
/// Does not compile on anything but a function named `main` without parameters, and on an `async fn main` without an
/// attribute that gives it a runtime.
#[proc_macro_attribute]
pub fn entry(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(arguments.into(), &item.into()).into()
}
