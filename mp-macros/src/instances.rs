//! The instances of a generic function: one registration for each.

use crate::args::InstanceList;
use crate::errors::Errors;
use crate::expand::at_mixed_site;
use crate::text::compact;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, GenericArgument, GenericParam, Ident, Result, Signature, Stmt, Token, token};

/// One way to fill in the generic parameters.
#[derive(Default)]
pub struct Instance {
    arguments: Vec<GenericArgument>,
}

impl Instance {
    /// `::<f64, 3>`, or nothing for a function that is not generic.
    pub fn label(&self) -> String {
        if self.arguments.is_empty() {
            return String::new();
        }
        let arguments: Vec<String> =
            self.arguments.iter().map(|argument| compact(argument.to_token_stream())).collect();
        format!("::<{}>", arguments.join(", "))
    }

    /// The same as tokens, naming what [`define`](Self::define) defines, at the places of the arguments.
    pub fn turbofish(&self) -> TokenStream {
        if self.arguments.is_empty() {
            return TokenStream::new();
        }
        let names = (0..self.arguments.len()).map(|index| self.argument_name(index));
        quote_spanned!(Span::mixed_site()=> ::<#(#names),*>)
    }

    /// Puts `inner` where the function's generic parameters mean the arguments of this instance.
    ///
    /// In two steps, because an argument may have the same name as a parameter (`instances(T)` for `fn f<T>`).
    pub fn define(&self, signature: &Signature, inner: TokenStream) -> TokenStream {
        if self.arguments.is_empty() {
            return inner;
        }
        let (mut arguments, mut parameters) = (TokenStream::new(), TokenStream::new());
        let generics = signature.generics.params.iter().filter(|parameter| is_argument(parameter));
        for (index, (parameter, argument)) in generics.zip(&self.arguments).enumerate() {
            let name = self.argument_name(index);
            let (outside, inside) = match parameter {
                GenericParam::Const(parameter) => {
                    let (own, ty) = (at_mixed_site(parameter.ident.clone()), &parameter.ty);
                    let argument = unbraced(argument);
                    (
                        quote_spanned!(Span::mixed_site()=> const #name: #ty = #argument;),
                        quote_spanned!(Span::mixed_site()=> const #own: #ty = #name;),
                    )
                }
                GenericParam::Type(parameter) => {
                    let own = at_mixed_site(parameter.ident.clone());
                    (
                        quote_spanned!(Span::mixed_site()=> type #name = #argument;),
                        quote_spanned!(Span::mixed_site()=> type #own = #name;),
                    )
                }
                GenericParam::Lifetime(_) => continue,
            };
            arguments.extend(outside);
            parameters.extend(inside);
        }
        quote_spanned! {Span::mixed_site()=>
            #arguments
            const _: () = { #parameters #inner };
        }
    }

    /// The place of the first argument.
    pub fn place(&self) -> Span {
        self.argument_place(0)
    }

    fn argument_place(&self, index: usize) -> Span {
        let place = self.arguments.get(index).map_or_else(Span::mixed_site, Spanned::span);
        place.resolved_at(Span::mixed_site())
    }

    fn argument_name(&self, index: usize) -> Ident {
        format_ident!("__mp_argument_{index}", span = self.argument_place(index))
    }
}

/// The argument without the braces that a constant needs between `<` and `>` only.
fn unbraced(argument: &GenericArgument) -> TokenStream {
    if let GenericArgument::Const(Expr::Block(block)) = argument
        && let [Stmt::Expr(value, None)] = block.block.stmts.as_slice()
    {
        return value.to_token_stream();
    }
    argument.to_token_stream()
}

/// The type parameters, by name.
pub fn type_parameters(signature: &Signature) -> Vec<Ident> {
    signature.generics.type_params().map(|parameter| parameter.ident.clone()).collect()
}

/// The instances to register: one without arguments for a function that is not generic.
///
/// `path` is how a caller writes the function.
pub fn resolve(
    signature: &Signature,
    path: &str,
    list: Option<InstanceList>,
    errors: &mut Errors,
) -> Vec<Instance> {
    let generics: Vec<&GenericParam> = signature.generics.params.iter().filter(|p| is_argument(p)).collect();
    match (generics.as_slice(), list) {
        ([], None) => vec![Instance::default()],
        ([], Some(list)) => {
            let message = format!("`{path}` is not generic: leave `instances` out");
            errors.on(list.keyword, message);
            Vec::new()
        }
        (generics, None) => {
            let example: Vec<&str> = generics
                .iter()
                .map(|p| if matches!(p, GenericParam::Const(_)) { "4" } else { "f64" })
                .collect();
            let example = example.join(", ");
            let listed = if generics.len() == 1 { example.clone() } else { format!("({example})") };
            let message = format!(
                "a generic function is one task for each instance: list the instances, `#[mp::task(instances({listed}))]`, \
                 or leave the attribute off and write `mp::task_of!({path}::<{example}>)` where it is used"
            );
            errors.on(&signature.generics, message);
            Vec::new()
        }
        (generics, Some(list)) => read(generics.len(), list, errors),
    }
}

fn is_argument(parameter: &GenericParam) -> bool {
    !matches!(parameter, GenericParam::Lifetime(_))
}

fn read(count: usize, list: InstanceList, errors: &mut Errors) -> Vec<Instance> {
    let mut instances = Vec::new();
    let keyword = list.keyword;
    let read = |input: ParseStream<'_>| -> Result<()> {
        while !input.is_empty() {
            instances.push(Instance { arguments: read_one(count, input)? });
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = read.parse2(list.list) {
        errors.push(error);
    } else if instances.is_empty() {
        errors.on(keyword, "`instances` is empty: list at least one, `instances(f64)`");
    }
    instances
}

fn read_one(count: usize, input: ParseStream<'_>) -> Result<Vec<GenericArgument>> {
    if count == 1 {
        return Ok(vec![input.parse()?]);
    }
    let expected =
        || format!("the function has {count} generic parameters: write each instance as a list, `(f64, u8)`");
    if !input.peek(token::Paren) {
        return Err(input.error(expected()));
    }
    let content;
    let parentheses = syn::parenthesized!(content in input);
    let arguments = content.parse_terminated(GenericArgument::parse, Token![,])?;
    if arguments.len() != count {
        return Err(syn::Error::new(parentheses.span.join(), expected()));
    }
    Ok(arguments.into_iter().collect())
}
