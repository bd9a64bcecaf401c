//! What stands in the parentheses of an attribute.

use crate::errors::Errors;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, LitStr, Path, Result, Token, token};

/// The options of an attribute; which ones are allowed depends on the attribute.
#[derive(Default)]
pub struct Options {
    /// `name = ".."`
    pub name: Option<LitStr>,
    /// `crate = path`
    pub runtime: Runtime,
    /// `instances(..)`
    pub instances: Option<InstanceList>,
}

/// `instances(..)`, unread: how to read it depends on the function's generic parameters.
pub struct InstanceList {
    /// The word `instances`.
    pub keyword: Ident,
    /// What stands in the parentheses.
    pub list: TokenStream,
}

/// Where the runtime is.
#[derive(Clone, Default)]
pub struct Runtime(Option<Path>);

impl Runtime {
    /// The path of the hidden module, to be followed by `::name`.
    pub fn path(&self) -> TokenStream {
        if let Some(path) = &self.0 {
            quote_spanned!(Span::mixed_site()=> #path::__private1)
        } else {
            quote_spanned!(Span::mixed_site()=> ::mp::__private1)
        }
    }

    /// This one, or `other` where this one was not given.
    pub fn or(self, other: &Self) -> Self {
        Self(self.0.or_else(|| other.0.clone()))
    }
}

impl From<Path> for Runtime {
    fn from(path: Path) -> Self {
        Self(Some(path))
    }
}

/// The options of `#[mp::task]`.
pub const TASK: &[&str] = &["name", "crate", "instances"];
/// The options of `#[mp::tasks]` and `#[mp::entry]`.
pub const CRATE_ONLY: &[&str] = &["crate"];

/// Reads the options that are `allowed`, and goes on after each mistake.
pub fn parse(tokens: TokenStream, allowed: &[&str], errors: &mut Errors) -> Options {
    let mut options = Options::default();
    let mut seen: Vec<Ident> = Vec::new();
    let read = |input: ParseStream| -> Result<()> {
        while !input.is_empty() {
            if let Err(error) = parse_one(input, allowed, &mut seen, &mut options) {
                errors.push(error);
                skip_to_comma(input)?;
            }
            if !input.is_empty() && !input.peek(Token![,]) {
                errors.push(input.error("expected `,` between options"));
                skip_to_comma(input)?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    if let Err(error) = read.parse2(tokens) {
        errors.push(error);
    }
    options
}

fn parse_one(
    input: ParseStream<'_>,
    allowed: &[&str],
    seen: &mut Vec<Ident>,
    options: &mut Options,
) -> Result<()> {
    let expected = allowed.join(", ");
    let Ok(option) = input.call(Ident::parse_any) else {
        return Err(input.error(format!("expected one of the options: {expected}")));
    };
    if !allowed.iter().any(|name| option == name) {
        let message = format!("unknown option `{option}`; expected one of: {expected}");
        return Err(syn::Error::new(option.span(), message));
    }
    let repeated = seen.contains(&option);
    seen.push(option.clone());
    match option.to_string().as_str() {
        "name" => options.name = Some(parse_name(input, option.span())?),
        "crate" => options.runtime = Runtime::from(parse_crate(input, option.span())?),
        _ => options.instances = Some(parse_instances(input, &option)?),
    }
    if repeated {
        return Err(syn::Error::new(option.span(), format!("option `{option}` is given twice")));
    }
    Ok(())
}

fn parse_name(input: ParseStream<'_>, keyword: Span) -> Result<LitStr> {
    let name: LitStr = parse_value(input, keyword, "`name` takes a string: name = \"mail.send\"")?;
    if name.value().trim().is_empty() {
        return Err(syn::Error::new(name.span(), "the name of a task cannot be empty"));
    }
    Ok(name)
}

/// `= path`, of `crate = path`.
pub fn parse_crate(input: ParseStream<'_>, keyword: Span) -> Result<Path> {
    let hint = "`crate` takes the path of mp, without quotes: crate = my::mp";
    Ok(parse_value::<ModulePath>(input, keyword, hint)?.0)
}

/// A path without generic arguments, as in `use`.
struct ModulePath(Path);

impl Parse for ModulePath {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Path::parse_mod_style(input).map(Self)
    }
}

fn parse_value<T: Parse>(input: ParseStream<'_>, keyword: Span, hint: &str) -> Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(keyword, hint));
    }
    input.parse::<Token![=]>()?;
    input.parse().map_err(|error: syn::Error| syn::Error::new(error.span(), hint))
}

fn parse_instances(input: ParseStream<'_>, keyword: &Ident) -> Result<InstanceList> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(keyword.span(), "`instances` takes a list: instances(f64, i64)"));
    }
    let content;
    syn::parenthesized!(content in input);
    Ok(InstanceList { keyword: keyword.clone(), list: content.parse()? })
}

fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
