//! `#[mp::entry]` on `fn main`.

use crate::args;
use crate::errors::Errors;
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Attribute, Expr, ItemFn, Stmt, Token};

/// `main`, which first serves if this process is a worker.
pub fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let runtime = args::parse(arguments, args::CRATE_ONLY, &mut errors).runtime.path();
    let main = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(main) => main,
        Err(error) => {
            let is_fn = item
                .clone()
                .into_iter()
                .any(|token| matches!(token, proc_macro2::TokenTree::Ident(word) if word == "fn"));
            errors.push(if is_fn {
                error
            } else {
                syn::Error::new_spanned(item, "`#[mp::entry]` goes on `fn main`")
            });
            let errors = errors.into_tokens();
            return quote_spanned!(Span::mixed_site()=> #item #errors);
        }
    };
    check(&main, &mut errors);
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        return if main.sig.asyncness.is_some() {
            // The compiler would complain once more about `async fn main`.
            quote_spanned!(Span::mixed_site()=> fn main() { #item } #errors)
        } else {
            quote_spanned!(Span::mixed_site()=> #item #errors)
        };
    }
    let serve = quote_spanned!(Span::mixed_site()=> #runtime::main());
    if main.sig.asyncness.is_some() || main.attrs.iter().any(rewrites) {
        nested(main, &serve)
    } else {
        first_statement(main, serve)
    }
}

fn check(main: &ItemFn, errors: &mut Errors) {
    if main.sig.ident != "main" {
        errors.on(&main.sig.ident, "`#[mp::entry]` goes on `fn main`: this is where a worker process begins");
    }
    if !main.sig.inputs.is_empty() {
        errors.on(&main.sig.inputs, "`main` takes no parameters");
    }
    if let Some(asyncness) = &main.sig.asyncness
        && !main.attrs.iter().any(rewrites)
    {
        let message = "`async fn main` needs a runtime: put its attribute, such as `#[tokio::main]`, below \
                       `#[mp::entry]`";
        errors.on(asyncness, message);
    }
}

fn first_statement(mut main: ItemFn, serve: TokenStream) -> TokenStream {
    let serve = Stmt::Expr(Expr::Verbatim(serve), Some(Token![;](Span::mixed_site())));
    main.block.stmts.insert(0, serve);
    quote_spanned!(Span::mixed_site()=> #main)
}

/// The attributes that are left, `#[tokio::main]` among them, go with the function into a `main` that serves first.
fn nested(mut inner: ItemFn, serve: &TokenStream) -> TokenStream {
    let outer: Vec<Attribute> =
        inner.attrs.iter().filter(|attribute| stays_outside(attribute)).cloned().collect();
    inner.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
    let (visibility, name, output) = (&inner.vis, &inner.sig.ident, &inner.sig.output);
    quote_spanned! {Span::mixed_site()=>
        #(#outer)*
        #visibility fn #name() #output {
            #inner
            #serve;
            #name()
        }
    }
}

fn stays_outside(attribute: &Attribute) -> bool {
    ["doc", "allow", "warn", "deny", "forbid"].iter().any(|name| attribute.path().is_ident(name))
}

/// Whether an attribute may be a macro that rewrites the function.
fn rewrites(attribute: &Attribute) -> bool {
    const PASSIVE: &[&str] = &[
        "doc",
        "allow",
        "warn",
        "deny",
        "forbid",
        "expect",
        "cfg",
        "cfg_attr",
        "inline",
        "cold",
        "must_use",
        "deprecated",
        "track_caller",
        "rustfmt",
        "clippy",
        "diagnostic",
    ];
    let first = attribute.path().segments.first();
    !first.is_some_and(|segment| PASSIVE.iter().any(|name| segment.ident == name))
}

#[cfg(test)]
mod tests {
    use super::expand;
    use crate::text::compact;
    use proc_macro2::TokenStream;
    use quote::quote;

    fn check(main: &TokenStream, expected: &TokenStream) {
        assert_eq!(compact(expand(TokenStream::new(), main)), compact(expected.clone()));
    }

    #[test]
    fn a_plain_main_serves_first() {
        check(
            &quote! { #[allow(unused)] pub fn main() -> R { #![warn(dead_code)] start()?; Ok(()) } },
            &quote! {
                #[allow(unused)] pub fn main() -> R { #![warn(dead_code)] ::mp::__private1::main(); start()?; Ok(()) }
            },
        );
    }

    #[test]
    fn a_main_with_a_runtime_moves_inside() {
        check(
            &quote! { #[doc = " page "] #[deny(unused)] #[tokio::main(flavor = "x")] async fn main() -> R { start().await } },
            &quote! {
                #[doc = " page "] #[deny(unused)]
                fn main() -> R {
                    #[deny(unused)] #[tokio::main(flavor = "x")] async fn main() -> R { start().await }
                    ::mp::__private1::main();
                    main()
                }
            },
        );
    }
}
