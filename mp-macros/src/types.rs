//! How a type as written in a signature is turned into one that glue can name.

use crate::errors::Errors;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{BoundLifetimes, Expr, Ident, Lifetime, Path, Type, TypePath, TypeReference};

/// The names that mean something in the signature but not in the glue.
#[derive(Clone, Copy, Default)]
pub struct Scope<'a> {
    /// The type parameters of the function; the glue defines an alias for each.
    pub generics: &'a [Ident],
    /// What `Self` is, in an impl.
    pub self_type: Option<&'a Type>,
}

/// A type that the glue can write down.
pub struct Named {
    /// The type, or `_` where only the compiler can tell (`T::Item`).
    pub tokens: TokenStream,
    /// Whether it can be checked on its own: it is spelled out and borrows nothing.
    pub checkable: bool,
}

/// The type without the invisible groups of `macro_rules!` and without parentheses.
pub fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        _ => ty,
    }
}

/// The last segment of a path type, if it has no generic arguments: `Path` of `std::path::Path`.
pub fn last_word(ty: &Type) -> Option<&Ident> {
    match bare(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => {
            path.segments.last().filter(|segment| segment.arguments.is_none()).map(|segment| &segment.ident)
        }
        _ => None,
    }
}

/// The type with `Self` replaced and with its lifetimes left to the compiler.
pub fn named(ty: &Type, scope: Scope<'_>) -> Named {
    let mut ty = ty.clone();
    let span = ty.span().resolved_at(Span::mixed_site());
    let mut renaming = Renaming { scope, bound: Vec::new(), borrows: false, projects: false };
    renaming.visit_type_mut(&mut ty);
    if renaming.projects {
        Named { tokens: quote_spanned!(span=> _), checkable: false }
    } else {
        Named { tokens: ty.into_token_stream(), checkable: !renaming.borrows }
    }
}

struct Renaming<'a> {
    scope: Scope<'a>,
    /// Lifetimes that a `for<'a>` inside the type introduces.
    bound: Vec<Ident>,
    borrows: bool,
    projects: bool,
}

impl Renaming<'_> {
    fn starts_in_scope(&self, path: &Path) -> bool {
        path.leading_colon.is_none()
            && path.segments.first().is_some_and(|head| {
                (head.ident == "Self" && self.scope.self_type.is_some())
                    || self.scope.generics.contains(&head.ident)
            })
    }
}

impl VisitMut for Renaming<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(TypePath { qself: None, path, .. }) = &*ty
            && self.starts_in_scope(path)
        {
            if path.segments.len() > 1 {
                self.projects = true;
            } else if let (Some(self_type), true) = (self.scope.self_type, path.is_ident("Self")) {
                *ty = self_type.clone();
                return;
            }
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if let Expr::Path(path) = &*expression
            && path.path.segments.len() > 1
            && self.starts_in_scope(&path.path)
        {
            self.projects = true;
        }
        visit_mut::visit_expr_mut(self, expression);
    }

    fn visit_bound_lifetimes_mut(&mut self, lifetimes: &mut BoundLifetimes) {
        self.bound.extend(lifetimes.lifetimes.iter().filter_map(|parameter| match parameter {
            syn::GenericParam::Lifetime(parameter) => Some(parameter.lifetime.ident.clone()),
            _ => None,
        }));
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        self.borrows = true;
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" && !self.bound.contains(&lifetime.ident) {
            self.borrows = true;
            *lifetime = Lifetime::new("'_", lifetime.span());
        }
    }
}

/// Reports what a parameter's type must not contain, at any depth.
pub fn check_parameter(ty: &Type, errors: &mut Errors) {
    Refusing { errors }.visit_type_mut(&mut ty.clone());
}

struct Refusing<'a> {
    errors: &'a mut Errors,
}

impl VisitMut for Refusing<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match &*ty {
            Type::ImplTrait(_) => self.errors.on(
                ty,
                "a task cannot take `impl Trait`: name the type, or make the function generic and list its instances",
            ),
            Type::Ptr(_) => self.errors.on(
                ty,
                "a task cannot take a raw pointer: it means nothing in another process",
            ),
            Type::FnPtr(_) => self.errors.on(
                ty,
                "a task cannot take a function pointer: it means nothing in another process",
            ),
            _ => visit_mut::visit_type_mut(self, ty),
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.mutability.is_some() {
            self.errors.on(
                &reference,
                "a task cannot change its caller's value through `&mut`: take the value and return it",
            );
        } else if let Some(lifetime) =
            reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static")
        {
            self.errors.on(
                lifetime,
                "a task borrows its arguments for the time of the call only: leave `'static` out, or take an owned type",
            );
        } else if matches!(bare(&reference.elem), Type::TraitObject(_)) {
            self.errors.on(
                &reference.elem,
                "a task cannot take a trait object: a value is decoded by its concrete type, so name that",
            );
            return;
        }
        visit_mut::visit_type_mut(self, &mut reference.elem);
    }
}

/// Reports what the type of a result must not contain, at any depth.
pub fn check_result(ty: &Type, errors: &mut Errors) {
    RefusingInResult { errors }.visit_type_mut(&mut ty.clone());
}

struct RefusingInResult<'a> {
    errors: &'a mut Errors,
}

impl VisitMut for RefusingInResult<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match &*ty {
            Type::ImplTrait(_) => self.errors.on(
                ty,
                "a task cannot return `impl Trait`: its caller decodes the result, so name the type",
            ),
            Type::Never(_) => self.errors.on(
                ty,
                "a task returns to give its result back: return `()`",
            ),
            Type::Reference(_) => self.errors.on(
                ty,
                "a task cannot return a reference: its caller is in another process, so return an owned value, such \
                 as a `String` or a `Vec`",
            ),
            Type::FnPtr(_) => {}
            _ => visit_mut::visit_type_mut(self, ty),
        }
    }
}

/// The first `Self` in the type.
pub fn self_word(ty: &Type) -> Option<Ident> {
    struct Finding(Option<Ident>);
    impl VisitMut for Finding {
        fn visit_ident_mut(&mut self, ident: &mut Ident) {
            if ident == "Self" {
                self.0.get_or_insert_with(|| ident.clone());
            }
        }
    }
    let mut finding = Finding(None);
    finding.visit_type_mut(&mut ty.clone());
    finding.0
}
