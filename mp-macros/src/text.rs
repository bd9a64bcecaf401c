//! Tokens as a person would write them, on one line: `fn twice(x: &[u8]) -> Vec<u8>`.
//!
//! `TokenStream::to_string` breaks lines and puts spaces as it likes; this text goes into names and messages.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The text of these tokens.
pub fn compact(tokens: TokenStream) -> String {
    let mut text = String::new();
    append(tokens, &mut text);
    text.truncate(text.trim_end().len());
    text
}

fn append(tokens: TokenStream, text: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => append_group(&group, text),
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if text.ends_with(|end: char| end.is_alphanumeric() || "_>)]}\"".contains(end)) {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
            }
            TokenTree::Punct(punct) => {
                let mut followed_by = |sign: char| {
                    let next =
                        |token: &TokenTree| matches!(token, TokenTree::Punct(next) if next.as_char() == sign);
                    tokens.next_if(next).is_some()
                };
                match punct.as_char() {
                    ':' if followed_by(':') => text.push_str("::"),
                    '-' if followed_by('>') => text.push_str(" -> "),
                    sign @ (',' | ';' | ':') => text.extend([sign, ' ']),
                    sign @ ('=' | '+') => text.extend([' ', sign, ' ']),
                    sign => text.push(sign),
                }
            }
        }
    }
}

fn append_group(group: &Group, text: &mut String) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    text.push_str(open);
    append(group.stream(), text);
    text.truncate(text.trim_end().len());
    text.push_str(close);
}

#[cfg(test)]
mod tests {
    use super::compact;

    fn check(text: &str) {
        let tokens = text.parse().expect("the text is made of tokens");
        assert_eq!(compact(tokens), text);
    }

    #[test]
    fn text_survives_the_way_through_tokens() {
        check("fn f<'a, T: Clone + 'a, const N: usize>(x: &'a str, y: [T; N]) -> Vec<(T, u8)> where T: Copy");
        check("twice::<Vec<HashMap<u8, &[u8]>>, {1 + 1}>");
        check("fn f(mut x: <Self as Has>::Item, _: dyn Fn(u8) -> u8, [a, ..]: [u8; 3])");
    }
}
