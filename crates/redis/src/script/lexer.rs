//! Text to tokens: the lexical part of Lua 5.1, comments and long brackets included.

use bytes::Bytes;

use super::Unsupported;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(f64),
    Text(Bytes),
    /// A keyword.
    Word(&'static str),
    Symbol(&'static str),
}

const WORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Longer ones first, so that `==` is not read as two.
const SYMBOLS: [&str; 27] = [
    "...", "..", "==", "~=", "<=", ">=", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{",
    "}", "[", "]", ";", ":", ",", ".", "~",
];

/// The tokens, each with its line from 1.
pub(super) fn tokens(source: &[u8]) -> Result<Vec<(Token, usize)>, Unsupported> {
    let mut lexer = Lexer { rest: source, line: 1 };
    lexer.shebang();
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push((token, lexer.line));
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Lexer<'a> {
    /// A first line such as `#!lua flags=no-writes`, and the mark that some editors put before everything. Another
    /// engine than Lua was refused before.
    fn shebang(&mut self) {
        self.rest = self.rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.rest);
        if self.rest.starts_with(b"#!") {
            self.take_while(|byte| byte != b'\n');
        }
    }

    fn next(&mut self) -> Result<Option<Token>, Unsupported> {
        self.skip()?;
        let Some(&first) = self.rest.first() else { return Ok(None) };
        Ok(Some(match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.name(),
            b'0'..=b'9' => self.number()?,
            b'.' if self.rest.get(1).is_some_and(u8::is_ascii_digit) => self.number()?,
            b'"' | b'\'' => self.quoted(first)?,
            b'[' if self.long_level().is_some() => Token::Text(Bytes::copy_from_slice(self.long()?)),
            _ => self.symbol()?,
        }))
    }

    /// Spaces and comments.
    fn skip(&mut self) -> Result<(), Unsupported> {
        loop {
            self.take_while(|byte| byte.is_ascii_whitespace() || byte == 0x0b);
            let Some(comment) = self.rest.strip_prefix(b"--") else { return Ok(()) };
            self.rest = comment;
            if self.long_level().is_some() {
                self.long()?;
            } else {
                self.take_while(|byte| byte != b'\n');
            }
        }
    }

    fn name(&mut self) -> Token {
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = String::from_utf8_lossy(name).into_owned();
        match WORDS.iter().find(|word| **word == name) {
            Some(word) => Token::Word(word),
            None => Token::Name(name),
        }
    }

    fn number(&mut self) -> Result<Token, Unsupported> {
        let text = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        number(text).map(Token::Number).ok_or_else(|| self.error("a malformed number"))
    }

    fn quoted(&mut self, quote: u8) -> Result<Token, Unsupported> {
        self.rest = &self.rest[1..];
        let mut text = Vec::new();
        loop {
            match self.rest {
                [byte, after @ ..] if *byte == quote => {
                    self.rest = after;
                    return Ok(Token::Text(text.into()));
                }
                [b'\\', after @ ..] => {
                    self.rest = after;
                    text.push(self.escape()?);
                }
                [] | [b'\n', ..] => return Err(self.error("an unfinished string")),
                [byte, after @ ..] => {
                    text.push(*byte);
                    self.rest = after;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<u8, Unsupported> {
        if self.rest.first().is_some_and(u8::is_ascii_digit) {
            let length = self.rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, after) = self.rest.split_at(length);
            self.rest = after;
            let code = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            return code.ok_or_else(|| self.error("an escape sequence that is too large"));
        }
        let Some((&byte, after)) = self.rest.split_first() else {
            return Err(self.error("an unfinished string"));
        };
        self.rest = after;
        Ok(match byte {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'\n' => {
                self.line += 1;
                b'\n'
            }
            other => other,
        })
    }

    fn symbol(&mut self) -> Result<Token, Unsupported> {
        let found = SYMBOLS.iter().find(|symbol| self.rest.starts_with(symbol.as_bytes()));
        let symbol = found.ok_or_else(|| self.error("a character that Lua does not know"))?;
        self.rest = &self.rest[symbol.len()..];
        Ok(Token::Symbol(symbol))
    }

    /// How many `=` stand between the brackets that open a long text here, if one opens here.
    fn long_level(&self) -> Option<usize> {
        let inner = self.rest.strip_prefix(b"[")?;
        let level = inner.iter().take_while(|byte| **byte == b'=').count();
        (inner.get(level) == Some(&b'[')).then_some(level)
    }

    fn long(&mut self) -> Result<&'a [u8], Unsupported> {
        let level = self.long_level().unwrap_or(0);
        let text = &self.rest[level + 2..];
        let close: Vec<u8> = [&b"]"[..], &vec![b'='; level], &b"]"[..]].concat();
        let end = text.windows(close.len()).position(|window| window == close);
        let end = end.ok_or_else(|| self.error("an unfinished long string or comment"))?;
        let (inside, after) = text.split_at(end);
        self.line += inside.iter().filter(|byte| **byte == b'\n').count();
        self.rest = &after[close.len()..];
        // The first line end belongs to the brackets.
        Ok(inside.strip_prefix(b"\r\n").or_else(|| inside.strip_prefix(b"\n")).unwrap_or(inside))
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().take_while(|byte| wanted(**byte)).count();
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn error(&self, what: &str) -> Unsupported {
        Unsupported::new(format!("line {}: {what}", self.line))
    }
}

/// A number as Lua reads it, from a script or from a text.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim_matches(|c: char| c.is_ascii_whitespace());
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok().map(f64::from);
    }
    // Rust would also take "inf" and "nan".
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(source: &str) -> Vec<Token> {
        tokens(source.as_bytes()).unwrap().into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn comments_brackets_and_quotes() {
        let source =
            "#!lua flags=no-writes\n--[==[ a ]] \n]==] local x -- rest\n= [[\n'y']] ..'\\'\\065\\n' ~= 0x1F";
        let text = |text: &'static str| Token::Text(Bytes::from_static(text.as_bytes()));
        let name = |name: &str| Token::Name(name.to_owned());
        assert_eq!(
            plain(source),
            [
                Token::Word("local"),
                name("x"),
                Token::Symbol("="),
                text("'y'"),
                Token::Symbol(".."),
                text("'A\n"),
                Token::Symbol("~="),
                Token::Number(31.0),
            ]
        );
    }

    #[test]
    fn what_is_not_lua_is_told_with_its_line() {
        for (source, reason) in [
            ("\n'a", "line 2: an unfinished string"),
            ("[[a", "line 1: an unfinished long string or comment"),
            ("a\n\n?", "line 3: a character that Lua does not know"),
            ("1x", "line 1: a malformed number"),
        ] {
            assert_eq!(tokens(source.as_bytes()), Err(Unsupported::new(reason)));
        }
    }
}
