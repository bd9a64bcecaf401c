//! `#[derive(mp::Shareable)]` on a struct.

use crate::args;
use crate::errors::Errors;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Field, Ident, Index, Item, ItemStruct, Meta};

/// The implementation, and the proofs that it may stand.
pub fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let added = match syn::parse2::<Item>(item) {
        Ok(Item::Struct(item)) => add(&item, &mut errors),
        Ok(Item::Enum(item)) => refuse(&item.ident, "an enum", &mut errors),
        Ok(Item::Union(item)) => refuse(&item.ident, "a union", &mut errors),
        Ok(other) => refuse(&other, "this", &mut errors),
        Err(error) => {
            errors.push(error);
            TokenStream::new()
        }
    };
    let errors = errors.into_tokens();
    quote_spanned!(Span::mixed_site()=> #added #errors)
}

fn refuse(place: &impl ToTokens, what: &str, errors: &mut Errors) -> TokenStream {
    let message = format!(
        "{what} cannot live in shared memory: another process could leave bits there that are no value of it; use a \
         struct or an integer"
    );
    errors.on(place, message);
    TokenStream::new()
}

fn add(item: &ItemStruct, errors: &mut Errors) -> TokenStream {
    let runtime = runtime(&item.attrs, errors);
    check(item, errors);
    if !errors.is_empty() {
        return TokenStream::new();
    }
    let name = &item.ident;
    let fields: Vec<(TokenStream, &Field)> = item.fields.iter().zip(0..).map(named).collect();
    let bounds = fields.iter().map(|(field, Field { ty, .. })| {
        // The compiler names the function in its message.
        let bound = format_ident!("field_{}", field.to_string().trim_start_matches("r#"));
        quote_spanned!(ty.span().resolved_at(Span::mixed_site())=> {
            const fn #bound<T: #runtime::Shareable>() {}
            #bound::<#ty>();
        })
    });
    let gaps = fields.iter().enumerate().map(|(index, (field, declared))| {
        let before = index.checked_sub(1).and_then(|before| fields.get(before));
        let end = before.map(|(before, Field { ty, .. })| {
            quote_spanned! {Span::mixed_site()=>
                ::core::mem::offset_of!(#name, #before) + ::core::mem::size_of::<#ty>()
            }
        });
        let end = end.unwrap_or_else(|| quote_spanned!(Span::mixed_site()=> 0));
        let message = format!("there is padding before the field `{field}`: {WAY_OUT}");
        let place = declared.ident.as_ref().map_or_else(|| declared.ty.span(), Ident::span);
        quote_spanned!(place.resolved_at(Span::mixed_site())=>
            ::core::assert!(::core::mem::offset_of!(#name, #field) == #end, #message);
        )
    });
    let last = fields.last().map(|(field, Field { ty, .. })| {
        let message = format!("there is padding after the field `{field}`: {WAY_OUT}");
        quote_spanned!(name.span().resolved_at(Span::mixed_site())=>
            ::core::assert!(
                ::core::mem::size_of::<#name>()
                    == ::core::mem::offset_of!(#name, #field) + ::core::mem::size_of::<#ty>(),
                #message
            );
        )
    });
    quote_spanned! {Span::mixed_site()=>
        const _: () = {
            unsafe impl #runtime::Shareable for #name {}
            #(#bounds)*
            #(#gaps)*
            #last
        };
    }
}

/// What to do about padding.
const WAY_OUT: &str = "put the widest fields first, or fill the gap with a field of bytes";

fn named((field, index): (&Field, u32)) -> (TokenStream, &Field) {
    let name = match &field.ident {
        Some(name) => name.to_token_stream(),
        None => Index { index, span: Span::mixed_site() }.to_token_stream(),
    };
    (name, field)
}

fn check(item: &ItemStruct, errors: &mut Errors) {
    if !item.generics.params.is_empty() {
        errors.on(
            &item.generics,
            "a generic struct cannot be proved to be without padding: write one for each type that it is used with",
        );
    }
    if item.fields.is_empty() {
        errors.on(&item.ident, "a struct without fields has nothing to share");
    }
    let laid_out = item.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")).any(|attribute| {
        let mut found = false;
        // What else stands there is for the compiler to judge.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        });
        found
    });
    if !laid_out {
        errors.on(
            &item.ident,
            "the compiler may lay this struct out as it likes: put `#[repr(C)]` on it, so that every process sees the same",
        );
    }
}

/// `#[mp(crate = path)]`.
fn runtime(attributes: &[Attribute], errors: &mut Errors) -> TokenStream {
    let mut runtime = args::Runtime::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("mp")) {
        match &attribute.meta {
            Meta::List(list) => runtime = args::parse(list.tokens.clone(), args::CRATE_ONLY, errors).runtime,
            Meta::Path(_) | Meta::NameValue(_) => {
                errors.on(attribute, "options stand in parentheses: `#[mp(crate = my::mp)]`");
            }
        }
    }
    runtime.path()
}
