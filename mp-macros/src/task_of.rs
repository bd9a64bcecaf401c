//! `mp::task_of!(path)` in an expression.

use crate::args::{self, Runtime};
use crate::errors::Errors;
use crate::expand::{self, Registration};
use crate::text::compact;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprPath, Ident, PathArguments, PathSegment, Result, Token};

const CLOSURE: &str = "closures are not supported yet: write a function with `#[mp::task]`";
const EXPECTED: &str = "expected the path of a function: `task_of!(square)` or `task_of!(twice::<f64>)`";

/// The function, after a proof that it is a task.
pub fn expand(input: TokenStream) -> TokenStream {
    match syn::parse2::<Input>(input).and_then(|input| input.expand()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let mut errors = Errors::default();
            errors.push(error);
            errors.into_tokens()
        }
    }
}

/// `crate = my::mp, path`
struct Input {
    runtime: Runtime,
    function: ExprPath,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut runtime = Runtime::default();
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            let keyword = input.parse::<Token![crate]>()?;
            runtime = Runtime::from(args::parse_crate(input, keyword.span)?);
            input.parse::<Token![,]>()?;
        }
        if input.is_empty() {
            return Err(Error::new(Span::call_site(), EXPECTED));
        }
        let starts_closure = input.peek(Token![|]) || input.peek(Token![||]) || input.peek(Token![move]);
        let place = input.span();
        let expression = input
            .parse::<Expr>()
            .map_err(|error| if starts_closure { Error::new(place, CLOSURE) } else { error })?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("`task_of!` takes one function"));
        }
        Ok(Self { runtime, function: path(expression)? })
    }
}

fn path(expression: Expr) -> Result<ExprPath> {
    match expression {
        Expr::Path(path) => Ok(path),
        Expr::Group(group) => path(*group.expr),
        Expr::Paren(paren) => path(*paren.expr),
        Expr::Closure(closure) => Err(Error::new_spanned(closure, CLOSURE)),
        Expr::Call(call) => Err(Error::new_spanned(
            call,
            "this calls the function: `task_of!` takes its path, without arguments",
        )),
        other => Err(Error::new_spanned(other, EXPECTED)),
    }
}

impl Input {
    fn expand(&self) -> Result<TokenStream> {
        let segments: Vec<&PathSegment> = self.function.path.segments.iter().collect();
        if segments.iter().any(|segment| !segment.arguments.is_none()) {
            return Ok(self.register());
        }
        let function = &self.function;
        let proof = match (&function.qself, segments.as_slice()) {
            (Some(of), _) if of.position > 0 => {
                return Err(Error::new_spanned(
                    function,
                    "the functions of a trait cannot be tasks: write a function with `#[mp::task]` that calls it",
                ));
            }
            (Some(_), _) => self.associated(),
            (None, [.., owner, _]) if starts_upper_case(owner) => self.associated(),
            (None, _) => {
                let runtime = self.runtime.path();
                quote_spanned!(Span::mixed_site()=> #runtime::proven::<#function>())
            }
        };
        Ok(quote_spanned!(Span::mixed_site()=> { #proof; #function }))
    }

    /// `Type::__mp_task_attribute_on_f`
    fn associated(&self) -> TokenStream {
        let mut proof = self.function.clone();
        if let Some(last) = proof.path.segments.last_mut() {
            last.ident = expand::proof_name(&last.ident);
        }
        quote_spanned!(Span::mixed_site()=> let () = #proof)
    }

    /// Registers an instance of a generic function here.
    fn register(&self) -> TokenStream {
        let runtime = self.runtime.path();
        let function = self.function.to_token_stream();
        let text = compact(function.clone());
        let place = self.first_argument();
        let instance_invoke = Ident::new("__mp_instance_invoke", place);
        let registration = Registration {
            runtime: &runtime,
            given_name: None,
            local_name: &text,
            signature: &text,
            place: self.function.span(),
            function: &function,
            instance: place,
            invoke: quote_spanned!(Span::mixed_site()=> #instance_invoke(&#function)),
            items: quote_spanned!(Span::mixed_site()=> use #runtime::instance_invoke as __mp_instance_invoke;),
        };
        let registration = expand::nameless(&[], &registration.items());
        quote_spanned!(Span::mixed_site()=> { #registration #function })
    }

    /// The place of the first generic argument.
    fn first_argument(&self) -> Span {
        let arguments = self.function.path.segments.iter().find_map(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(list) => list.args.first().map(Spanned::span),
            _ => None,
        });
        arguments.unwrap_or_else(|| self.function.span())
    }
}

fn starts_upper_case(segment: &PathSegment) -> bool {
    segment.ident.to_string().starts_with(char::is_uppercase)
}
