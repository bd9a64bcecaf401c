//! The generated code: glue that decodes, calls and encodes, and the constructor that registers it.
//!
//! Our own names start with `__mp_`: hygiene keeps our variables apart from the user's, but not our items. Our tokens
//! have mixed-site spans, which also keeps the user's lints (`forbid(unsafe_code)` among them) off them; the user's
//! tokens keep their own spans, so that messages about their types point at what they wrote.

use crate::signature::{Decode, Parameter};
use crate::types::Named;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use std::ffi::OsStr;
use std::path::Path;
use syn::{Attribute, Ident, LitStr, Meta, Token, Visibility, punctuated::Punctuated};

/// What the registry is told about one task.
pub struct Registration<'a> {
    /// The path of the hidden module of the runtime.
    pub runtime: &'a TokenStream,
    /// `name = ".."`.
    pub given_name: Option<&'a LitStr>,
    /// The name within its module: `twice::<f64>`.
    pub local_name: &'a str,
    /// The signature as text.
    pub signature: &'a str,
    /// The token whose place is the task's place.
    pub place: Span,
    /// The function, as an expression.
    pub function: &'a TokenStream,
    /// The token at which the compiler complains about the function: one place, so that it complains once.
    pub instance: Span,
    /// The glue, as an expression.
    pub invoke: TokenStream,
    /// Items that `invoke` needs.
    pub items: TokenStream,
}

impl Registration<'_> {
    /// The items that make the entry and register it before `main`.
    pub fn items(&self) -> TokenStream {
        let Self { runtime, function, invoke, items, signature, .. } = self;
        let (name, named) = self.name();
        let (file, line, column) = self.location();
        let constructor = constructor(runtime);
        let type_id_of = Ident::new("__mp_type_id_of", self.instance);
        quote_spanned! {Span::mixed_site()=>
            #items
            use #runtime::type_id_of as __mp_type_id_of;
            static __MP_NODE: #runtime::Node = #runtime::Node::new(#runtime::Entry {
                name: #name,
                named: #named,
                package: ::core::concat!(
                    ::core::env!("CARGO_PKG_NAME"), "@", ::core::env!("CARGO_PKG_VERSION")
                ),
                signature: #signature,
                file: #file,
                line: #line,
                column: #column,
                type_id: #type_id_of(&#function),
                invoke: #invoke,
            });
            #constructor
        }
    }

    fn name(&self) -> (TokenStream, bool) {
        match self.given_name {
            Some(name) if self.local_name.contains("::<") => {
                // One name for all instances of the function would not be unique.
                let instance = self.local_name.split_once("::<").map_or("", |(_, instance)| instance);
                let name = format!("{}::<{instance}", name.value());
                (quote_spanned!(Span::mixed_site()=> #name), true)
            }
            Some(name) => (quote_spanned!(Span::mixed_site()=> #name), true),
            None => {
                let name = self.local_name;
                (
                    quote_spanned!(Span::mixed_site()=> ::core::concat!(::core::module_path!(), "::", #name)),
                    false,
                )
            }
        }
    }

    /// These macros report the place of the tokens that call them.
    fn location(&self) -> (TokenStream, TokenStream, TokenStream) {
        let place = self.place;
        (
            quote_spanned!(place=> ::core::file!()),
            quote_spanned!(place=> ::core::line!()),
            quote_spanned!(place=> ::core::column!()),
        )
    }
}

/// Runs before `main`; the number puts it before constructors without one, such as that of `mp::test_main!`.
fn constructor(runtime: &TokenStream) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        extern "C" fn __mp_register() {
            #runtime::register(&__MP_NODE);
        }

        #[used]
        #[cfg_attr(
            any(
                target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd",
                target_os = "openbsd", target_os = "dragonfly", target_os = "illumos", target_os = "solaris",
                target_os = "fuchsia", target_os = "haiku", target_os = "hurd", target_os = "nto"
            ),
            unsafe(link_section = ".init_array.00700")
        )]
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mp_register,regular,no_dead_strip"))]
        #[cfg_attr(windows, unsafe(link_section = ".CRT$XCT"))]
        static __MP_CONSTRUCTOR: extern "C" fn() = __mp_register;

        #[cfg(not(any(
            target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd",
            target_os = "openbsd", target_os = "dragonfly", target_os = "illumos", target_os = "solaris",
            target_os = "fuchsia", target_os = "haiku", target_os = "hurd", target_os = "nto",
            target_vendor = "apple", windows
        )))]
        ::core::compile_error!(
            "mp: nothing runs before `main` on this target, so tasks cannot be registered, not even for inline use"
        );
    }
}

/// `fn __mp_invoke`: decodes the arguments, calls the function, encodes the result.
pub fn invoke(
    runtime: &TokenStream,
    function: &TokenStream,
    parameters: &[Parameter],
    result: &Named,
) -> TokenStream {
    let arguments: Vec<Ident> = (0..parameters.len()).map(|index| format_ident!("__mp_{index}")).collect();
    let arguments: Vec<Ident> = arguments.into_iter().map(at_mixed_site).collect();
    // By their paths: a trait of the user's may have methods of these names for everything.
    let next = |ty: &TokenStream| quote_spanned!(Span::mixed_site()=> #runtime::Arguments::next::<#ty>(__mp_arguments)?);
    let decoding = parameters.iter().zip(&arguments).map(|(parameter, argument)| {
        let check =
            parameter.check.as_ref().map(|ty| quote_spanned!(Span::mixed_site()=> __mp_input::<#ty>();));
        let decoded = match &parameter.decode {
            Decode::Bytes => quote_spanned!(Span::mixed_site()=> #runtime::Arguments::bytes(__mp_arguments)?),
            Decode::Value(ty) => next(ty),
            Decode::List(element) => next(&list_of(element)),
        };
        quote_spanned!(Span::mixed_site()=> #check let #argument = #decoded;)
    });
    let passed = parameters.iter().zip(&arguments).map(|(parameter, argument)| {
        let lend = parameter.lend.then(|| quote_spanned!(Span::mixed_site()=> &));
        quote_spanned!(Span::mixed_site()=> #lend #argument)
    });
    let checks = parameters.iter().any(|parameter| parameter.check.is_some());
    let input =
        checks.then(|| quote_spanned!(Span::mixed_site()=> fn __mp_input<T: #runtime::TaskInput>() {}));
    let lists = parameters.iter().any(|parameter| matches!(parameter.decode, Decode::List(_)));
    let list = lists.then(|| quote_spanned!(Span::mixed_site()=> type __MpList<T> = #runtime::Vec<T>;));
    let ty = &result.tokens;
    quote_spanned! {Span::mixed_site()=>
        fn __mp_invoke(
            __mp_arguments: &mut #runtime::Arguments<'_>,
            __mp_reply: #runtime::Reply<'_>,
        ) -> ::core::result::Result<(), #runtime::Failure> {
            #list
            #input
            fn __mp_output<T: #runtime::TaskOutput>(_: &T) {}
            #(#decoding)*
            #runtime::Arguments::finish(__mp_arguments)?;
            let __mp_result = #function(#(#passed),*);
            __mp_output::<#ty>(&__mp_result);
            #runtime::Reply::value::<#ty>(__mp_reply, __mp_result)
        }
    }
}

/// `__MpList<element>`, all of it at the place of the element: two complaints about one place are shown once.
fn list_of(element: &TokenStream) -> TokenStream {
    let places = || element.clone().into_iter().map(|token| token.span());
    let (first, last) = (places().next(), places().last());
    let (first, last) = (first.unwrap_or_else(Span::mixed_site), last.unwrap_or_else(Span::mixed_site));
    let name = Ident::new("__MpList", first);
    let (open, close) = (Token![<](first), Token![>](last));
    quote!(#name #open #element #close)
}

/// The type of the same name that proves the attribute to `task_of!`, with the registrations inside.
///
/// They are constants of an `impl` and not nameless ones, because an attribute cannot know that it stands in an impl:
/// there the compiler refuses these items as a whole, with a line each, and does not look into them.
pub fn twin(
    runtime: &TokenStream,
    attributes: &[Attribute],
    visibility: &Visibility,
    name: &Ident,
    registrations: &[TokenStream],
) -> TokenStream {
    if would_hide_another(name) || is_named_like_its_file(name) {
        return registrations.iter().map(|registration| nameless(attributes, registration)).collect();
    }
    let name = at_mixed_site(name.clone());
    // The lints of the user would find the twin by it, if it comes out of a macro.
    let visibility = quote!(#visibility).into_iter().map(|mut token| {
        token.set_span(token.span().resolved_at(Span::mixed_site()));
        token
    });
    let visibility: TokenStream = visibility.collect();
    let constants = (0..registrations.len()).map(|index| at_mixed_site(format_ident!("__MP_TASK_{index}")));
    let registered = (!registrations.is_empty()).then(|| {
        quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            impl #name {
                #(const #constants: () = {
                    // Makes it used, without an `allow` that a `forbid` would refuse.
                    const _: #name = #name {};
                    #registrations
                };)*
            }
        }
    });
    quote_spanned! {Span::mixed_site()=>
        #(#attributes)*
        #[doc(hidden)]
        #visibility struct #name {}
        #(#attributes)*
        impl #runtime::Proven for #name {}
        #registered
    }
}

/// Whether a twin would hide the type or the crate that everybody means by this name.
fn would_hide_another(name: &Ident) -> bool {
    const TYPES_AND_CRATES: &[&str] = &[
        "std", "core", "alloc", "mp", "serde", "bool", "char", "str", "u8", "u16", "u32", "u64", "u128",
        "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f16", "f32", "f64", "f128",
    ];
    TYPES_AND_CRATES.contains(&name.to_string().as_str())
}

/// Whether the function most likely stands in a module of its name, as `sieve` does in `sieve.rs`: who has declared that module
/// could not import the function, which would bring a second type of the name along.
fn is_named_like_its_file(name: &Ident) -> bool {
    if !proc_macro::is_available() {
        return false;
    }
    // The span of the compiler, which is at hand within a macro.
    let file = Span::unwrap(name.span()).local_file();
    file.is_some_and(|file| {
        is_module(&file, &name.to_string(), std::env::var("CARGO_CRATE_NAME").ok().as_deref())
    })
}

/// Whether a file holds a module of that name, and is not the root of a crate.
fn is_module(file: &Path, name: &str, of_crate: Option<&str>) -> bool {
    const ROOTS: &[&str] = &["bin", "examples", "tests", "benches"];
    let folder = file.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    let stem = file.file_stem().and_then(OsStr::to_str);
    let is_root = of_crate == stem && folder.is_some_and(|folder| ROOTS.contains(&folder));
    stem == Some(name) && !is_root || stem == Some("mod") && folder == Some(name)
}

/// Items in a nameless constant, under the attributes.
pub fn nameless(attributes: &[Attribute], items: &TokenStream) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        #(#attributes)*
        const _: () = { #items };
    }
}

/// The associated constant that proves a function of an impl to `task_of!`. Its name is what a user reads when it is not
/// there.
pub fn proof_name(function: &Ident) -> Ident {
    let name = format_ident!("__mp_task_attribute_on_{}", function);
    Ident::new(&name.to_string(), function.span().resolved_at(Span::mixed_site()))
}

/// The same identifier at the same place, as one of ours: of our edition, too, in which it may be a keyword.
pub fn at_mixed_site(mut ident: Ident) -> Ident {
    let place = ident.span().resolved_at(Span::mixed_site());
    if LATER_KEYWORDS.iter().any(|keyword| ident == keyword) {
        return Ident::new_raw(&ident.to_string(), place);
    }
    ident.set_span(place);
    ident
}

/// What an older edition takes for names.
const LATER_KEYWORDS: &[&str] = &["async", "await", "dyn", "try", "gen"];

/// The attributes of a function that its generated companions must share: `cfg`, and lint levels as far as they allow.
pub fn shared_attributes(attributes: &[Attribute]) -> Vec<Attribute> {
    let mut shared = Vec::new();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("cfg") || path.is_ident("allow") {
            shared.push(attribute.clone());
        } else if path.is_ident("expect") {
            // Companions need not do what is expected of the function.
            shared.extend(allow_instead(attribute));
        } else if path.is_ident("deprecated") {
            shared.push(syn::parse_quote_spanned!(Span::mixed_site()=> #[allow(deprecated)]));
        }
    }
    shared
}

/// A task owns what it was sent, whatever its body does with it.
pub fn owns_its_arguments() -> Attribute {
    syn::parse_quote_spanned!(Span::mixed_site()=> #[allow(clippy::needless_pass_by_value)])
}

fn allow_instead(expectation: &Attribute) -> Option<Attribute> {
    let Meta::List(list) = &expectation.meta else { return None };
    let lints = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let lints = lints.iter().filter(|lint| !lint.path().is_ident("reason"));
    Some(syn::parse_quote_spanned!(Span::mixed_site()=> #[allow(#(#lints),*)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_told_from_the_root_of_a_crate() {
        let check = |file: &str, of_crate: &str| is_module(Path::new(file), "sieve", Some(of_crate));
        assert!(
            check("src/sieve.rs", "app")
                && check("src/sieve/mod.rs", "app")
                && check("src/sieve.rs", "sieve")
        );
        assert!(check("tests/api/sieve.rs", "api") && check("tests/sieve.rs", "api"));
        assert!(
            !check("src/main.rs", "sieve")
                && !check("src/sieve/other.rs", "app")
                && !check("src/mod.rs", "app")
        );
        for root in ["src/bin/sieve.rs", "examples/sieve.rs", "app/tests/sieve.rs", "benches/sieve.rs"] {
            assert!(!check(root, "sieve"), "{root}");
        }
    }

    #[test]
    fn a_name_of_an_older_edition_stays_a_name_in_ours() {
        let check = |name: Ident, expected: &str| assert_eq!(at_mixed_site(name).to_string(), expected);
        check(format_ident!("gen"), "r#gen");
        check(Ident::new_raw("gen", Span::call_site()), "r#gen");
        check(format_ident!("generate"), "generate");
    }
}
