//! `#[mp::tasks]` on an impl.

use crate::args::{self, Options, Runtime};
use crate::errors::Errors;
use crate::expand::{self, Registration};
use crate::instances;
use crate::signature::{self, Place};
use crate::text::compact;
use crate::types::Scope;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta};

/// The impl without the marks, and what it takes to find and to call the marked functions.
pub fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = args::parse(arguments, args::CRATE_ONLY, &mut errors);
    let mut block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => {
            errors.push(explain(item, error));
            let errors = errors.into_tokens();
            return quote_spanned!(Span::mixed_site()=> #item #errors);
        }
    };
    let marked = take_marks(&mut block, &mut errors);
    check_impl(&block, marked.is_empty(), &mut errors);
    let mut added = TokenStream::new();
    let mut proofs = Vec::new();
    for mut mark in marked {
        let runtime = std::mem::take(&mut mark.options.runtime).or(&options.runtime);
        if block.trait_.is_none() {
            proofs.push(proof(&mark.function));
        }
        added.extend(add(&block, mark, &runtime, &mut errors));
    }
    block.items.extend(proofs);
    if !errors.is_empty() {
        added = errors.into_tokens();
    }
    quote_spanned!(Span::mixed_site()=> #block #added)
}

fn explain(item: &TokenStream, error: syn::Error) -> syn::Error {
    let is_impl = item
        .clone()
        .into_iter()
        .any(|token| matches!(token, proc_macro2::TokenTree::Ident(word) if word == "impl"));
    if is_impl {
        error
    } else {
        syn::Error::new_spanned(item, "`#[mp::tasks]` goes on an impl; put `#[mp::task]` on a function")
    }
}

fn check_impl(block: &ItemImpl, nothing_marked: bool, errors: &mut Errors) {
    if let Some((path, _)) = &block.trait_ {
        errors.on(
            path,
            "the functions of a trait cannot be tasks: write a function with `#[mp::task]` that calls the trait's",
        );
    } else if !block.generics.params.is_empty() {
        errors.on(
            &block.generics,
            "a generic impl cannot hold tasks: write a generic function with `#[mp::task(instances(..))]`",
        );
    } else if nothing_marked {
        errors.on(
            block.impl_token,
            "nothing is marked here: put `#[task]` on the functions that are to be tasks",
        );
    }
}

/// A marked function.
struct Marked {
    function: ImplItemFn,
    options: Options,
}

/// Takes the marks off: they mean nothing to the compiler.
fn take_marks(block: &mut ItemImpl, errors: &mut Errors) -> Vec<Marked> {
    let mut marked = Vec::new();
    for item in &mut block.items {
        let attributes = match item {
            ImplItem::Fn(function) => &mut function.attrs,
            ImplItem::Const(constant) => &mut constant.attrs,
            ImplItem::Type(ty) => &mut ty.attrs,
            ImplItem::Macro(macro_call) => &mut macro_call.attrs,
            _ => continue,
        };
        let Some(mark) = attributes.iter().position(is_mark).map(|index| attributes.remove(index)) else {
            continue;
        };
        while let Some(index) = attributes.iter().position(is_mark) {
            errors.on(attributes.remove(index), "this function is already marked as a task");
        }
        let ImplItem::Fn(function) = item else {
            errors.on(mark, "`#[task]` goes on a function");
            continue;
        };
        function.attrs.insert(0, expand::owns_its_arguments());
        let options = match &mark.meta {
            Meta::Path(_) => Options::default(),
            Meta::List(list) => args::parse(list.tokens.clone(), args::TASK, errors),
            Meta::NameValue(_) => {
                errors.on(&mark, "options stand in parentheses: `#[task(name = \"..\")]`");
                Options::default()
            }
        };
        marked.push(Marked { function: function.clone(), options });
    }
    marked
}

/// `#[task]` or `#[mp::task]`, whatever `mp` is called here.
fn is_mark(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "task")
}

/// `const __mp_task_attribute_on_f: () = ();`
fn proof(function: &ImplItemFn) -> ImplItem {
    let shared = expand::shared_attributes(&function.attrs);
    let visibility = &function.vis;
    let name = expand::proof_name(&function.sig.ident);
    ImplItem::Verbatim(quote_spanned! {Span::mixed_site()=>
        #(#shared)*
        #[doc(hidden)]
        #visibility const #name: () = ();
    })
}

fn add(block: &ItemImpl, marked: Marked, runtime: &Runtime, errors: &mut Errors) -> TokenStream {
    let Marked { function, options } = marked;
    let (signature, self_type, runtime) = (&function.sig, &*block.self_ty, runtime.path());
    let shared = expand::shared_attributes(&function.attrs);
    signature::check(&function.attrs, signature, Place::Impl, errors);
    let path = format!("{}::{}", compact(self_type.to_token_stream()), signature.ident.unraw());
    let instances = instances::resolve(signature, &path, options.instances, errors);
    if !errors.is_empty() {
        return TokenStream::new();
    }
    let generics = instances::type_parameters(signature);
    let scope = Scope { generics: &generics, self_type: Some(self_type) };
    let parameters = signature::parameters(signature, scope);
    let result = signature::result(signature, scope);
    let text = compact(signature.to_token_stream());
    let mut added = TokenStream::new();
    for instance in instances {
        let name = expand::at_mixed_site(signature.ident.clone());
        let turbofish = instance.turbofish();
        let callee = quote_spanned!(Span::mixed_site()=> <#self_type>::#name #turbofish);
        let registration = Registration {
            runtime: &runtime,
            given_name: options.name.as_ref(),
            local_name: &format!("{path}{}", instance.label()),
            signature: &text,
            place: signature.ident.span(),
            function: &callee,
            instance: instance.place(),
            invoke: quote_spanned!(Span::mixed_site()=> #runtime::glue(&__mp_invoke)),
            items: expand::invoke(&runtime, &callee, &parameters, &result),
        };
        added.extend(expand::nameless(&shared, &instance.define(signature, registration.items())));
    }
    added
}
