//! What a function must be like to be a task, and how each of its parameters is decoded.

use crate::errors::Errors;
use crate::types::{self, Named, Scope};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, Ident, PatType, Receiver, Result, ReturnType, Safety, Signature, Type,
    Visibility, token,
};

/// The most parameters a task can have: as many as the runtime's tuples go.
const PARAMETERS_MAX: usize = 12;

/// Where the function stands; it decides what to advise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On its own.
    Free,
    /// In an impl with `#[mp::tasks]`.
    Impl,
}

/// An annotated function up to its body, which nobody here reads.
pub struct TaskFn {
    /// Its attributes, without ours.
    pub attributes: Vec<Attribute>,
    /// Its visibility.
    pub visibility: Visibility,
    /// The rest, up to the body.
    pub signature: Signature,
}

impl Parse for TaskFn {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let ahead = input.fork();
        let signature = ahead.parse::<Signature>().map_err(|error| not_a_function(input, error))?;
        input.parse::<Signature>()?;
        if !input.peek(token::Brace) {
            return Err(Error::new_spanned(&signature, "a task needs a body"));
        }
        input.parse::<TokenStream>()?;
        Ok(Self { attributes, visibility, signature })
    }
}

fn not_a_function(input: ParseStream<'_>, error: Error) -> Error {
    let ahead = input.fork();
    let place = input.span();
    while let Ok(token) = ahead.parse::<TokenTree>() {
        let TokenTree::Ident(word) = token else { continue };
        match word.to_string().as_str() {
            "fn" => return error,
            "unsafe" | "async" | "extern" | "default" => {}
            "impl" => {
                return Error::new(place, "`#[mp::task]` goes on a function; put `#[mp::tasks]` on an impl");
            }
            kind => {
                return Error::new(place, format!("`#[mp::task]` goes on a function, this is a `{kind}`"));
            }
        }
    }
    Error::new(place, "`#[mp::task]` goes on a function")
}

/// How one argument gets from the received bytes into the call.
pub struct Parameter {
    /// What to decode.
    pub decode: Decode,
    /// Whether the function takes a reference to it.
    pub lend: bool,
    /// The type to check for being sendable, if that can be said of the type alone.
    pub check: Option<TokenStream>,
}

/// What to decode.
pub enum Decode {
    /// Raw bytes, left where they are.
    Bytes,
    /// A value of this type.
    Value(TokenStream),
    /// A `Vec` of values of this type.
    List(TokenStream),
}

/// Reports what no task can be, one message for each mistake.
pub fn check(attributes: &[Attribute], signature: &Signature, place: Place, errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("target_feature")) {
        let message = "a task cannot have `#[target_feature]`: nobody knows what the processor can do; write a task that asks \
                       (`is_x86_feature_detected!`) and calls this function";
        errors.on(attribute, message);
    }
    if let Some(asyncness) = &signature.asyncness {
        errors
            .on(asyncness, "`async` tasks are not supported yet: write a function that blocks on the future");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        let message = "a task cannot be `unsafe`: nobody in the other process can promise what its caller must; write \
                       a safe function around it";
        errors.on(unsafety, message);
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, "a task cannot be `extern`: write a Rust function that calls it");
    }
    if let Some(variadic) = &signature.variadic {
        errors.on(variadic, "a task cannot be variadic: take a `Vec`");
    }
    if let Some(excess) = signature.inputs.iter().nth(PARAMETERS_MAX) {
        let count = signature.inputs.len();
        let message = format!(
            "a task has at most {PARAMETERS_MAX} parameters, this has {count}: group some of them in a struct or tuple"
        );
        errors.on(excess, message);
    }
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => check_receiver(receiver, place, errors),
            FnArg::Typed(parameter) => check_parameter(parameter, place, errors),
        }
    }
    check_result(&signature.output, place, errors);
}

fn check_receiver(receiver: &Receiver, place: Place, errors: &mut Errors) {
    let message = match place {
        Place::Free => {
            "tasks are free functions: the other process has no `self`; for a function without `self` put \
             `#[mp::tasks]` on the impl"
        }
        Place::Impl => {
            "a task cannot take `self`: the other process has no such object; take it as a parameter, `this: &Self`"
        }
    };
    errors.on(receiver, message);
}

fn check_parameter(parameter: &PatType, place: Place, errors: &mut Errors) {
    for attribute in parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
        errors.on(attribute, "a parameter of a task cannot depend on `cfg`: put it on the whole function");
    }
    check_self(&parameter.ty, place, errors);
    types::check_parameter(&parameter.ty, errors);
}

fn check_result(output: &ReturnType, place: Place, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = output else { return };
    check_self(ty, place, errors);
    types::check_result(ty, errors);
}

fn check_self(ty: &Type, place: Place, errors: &mut Errors) {
    if let (Place::Free, Some(word)) = (place, types::self_word(ty)) {
        errors.on(word, "there is no `Self` here: for a function in an impl put `#[mp::tasks]` on the impl");
    }
}

/// Whether the function belongs in an impl, so that nothing can be put beside it.
pub fn stands_in_impl(signature: &Signature) -> bool {
    let in_output = matches!(&signature.output, ReturnType::Type(_, ty) if types::self_word(ty).is_some());
    in_output
        || signature.inputs.iter().any(|input| match input {
            FnArg::Receiver(_) => true,
            FnArg::Typed(parameter) => types::self_word(&parameter.ty).is_some(),
        })
}

/// How to decode each parameter.
pub fn parameters(signature: &Signature, scope: Scope<'_>) -> Vec<Parameter> {
    let typed = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => Some(&*parameter.ty),
        FnArg::Receiver(_) => None,
    });
    typed.map(|ty| parameter(ty, scope)).collect()
}

/// The type of the result.
pub fn result(signature: &Signature, scope: Scope<'_>) -> Named {
    match &signature.output {
        ReturnType::Type(_, ty) => types::named(ty, scope),
        ReturnType::Default => {
            let tokens = quote_spanned!(signature.ident.span().resolved_at(Span::mixed_site())=> ());
            Named { tokens, checkable: true }
        }
    }
}

fn parameter(ty: &Type, scope: Scope<'_>) -> Parameter {
    let Type::Reference(reference) = types::bare(ty) else {
        return Parameter::value(types::named(ty, scope), false);
    };
    let lent = types::bare(&reference.elem);
    let here = lent.span().resolved_at(Span::mixed_site());
    let owned = |path: TokenStream| Parameter { decode: Decode::Value(path), lend: true, check: None };
    if let Type::Slice(slice) = lent {
        return slice_parameter(&slice.elem, scope);
    }
    match types::last_word(lent).map(Ident::to_string).as_deref() {
        Some("str" | "Path") => {
            let lent = lent.to_token_stream();
            Parameter { decode: Decode::Value(quote_spanned!(here=> &#lent)), lend: false, check: None }
        }
        Some("OsStr") => owned(quote_spanned!(here=> ::std::ffi::OsString)),
        Some("CStr") => owned(quote_spanned!(here=> ::std::ffi::CString)),
        _ => Parameter::value(types::named(lent, scope), true),
    }
}

fn slice_parameter(element: &Type, scope: Scope<'_>) -> Parameter {
    if types::last_word(element).is_some_and(|word| word == "u8") {
        return Parameter { decode: Decode::Bytes, lend: false, check: None };
    }
    let Named { tokens, checkable } = types::named(element, scope);
    Parameter { check: checkable.then(|| tokens.clone()), decode: Decode::List(tokens), lend: true }
}

impl Parameter {
    fn value(ty: Named, lend: bool) -> Self {
        let Named { tokens, checkable } = ty;
        Self { check: checkable.then(|| tokens.clone()), decode: Decode::Value(tokens), lend }
    }
}
