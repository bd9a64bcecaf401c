//! `#[mp::task]` on a function.

use crate::args::{self, Options};
use crate::errors::Errors;
use crate::expand::{self, Registration};
use crate::instances;
use crate::signature::{self, Place, TaskFn};
use crate::text::compact;
use crate::types::Scope;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;

/// The item as written, and what it takes to find and to call it.
pub fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = args::parse(arguments, args::TASK, &mut errors);
    let (lint, added) = match syn::parse2::<TaskFn>(item.clone()) {
        Ok(function) => (Some(expand::owns_its_arguments()), add(&function, options, &mut errors)),
        Err(error) => {
            errors.push(error);
            (None, TokenStream::new())
        }
    };
    let errors = errors.into_tokens();
    quote_spanned!(Span::mixed_site()=> #lint #item #errors #added)
}

fn add(function: &TaskFn, options: Options, errors: &mut Errors) -> TokenStream {
    let TaskFn { attributes, visibility, signature } = function;
    let runtime = options.runtime.path();
    let shared = expand::shared_attributes(attributes);
    signature::check(attributes, signature, Place::Free, errors);
    let path = signature.ident.unraw().to_string();
    let instances = instances::resolve(signature, &path, options.instances, errors);
    if signature::stands_in_impl(signature) {
        return TokenStream::new();
    }
    let twin = |registrations: &[TokenStream]| {
        expand::twin(&runtime, &shared, visibility, &signature.ident, registrations)
    };
    if !errors.is_empty() {
        return twin(&[]);
    }
    let generics = instances::type_parameters(signature);
    let scope = Scope { generics: &generics, self_type: None };
    let parameters = signature::parameters(signature, scope);
    let result = signature::result(signature, scope);
    let text = compact(signature.to_token_stream());
    let registrations = instances.iter().map(|instance| {
        let name = expand::at_mixed_site(signature.ident.clone());
        let turbofish = instance.turbofish();
        let callee = quote_spanned!(Span::mixed_site()=> #name #turbofish);
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
        instance.define(signature, registration.items())
    });
    twin(&registrations.collect::<Vec<_>>())
}
