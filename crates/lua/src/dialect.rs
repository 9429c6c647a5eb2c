//! Lua 5.1 for a compiler of Luau, word by word: what both read alike goes through untouched, and every line stays where
//! it was.
//!
//! - `a .. b` becomes `a ..__redis__join.. b`, so that the prelude turns numbers into texts of 14 digits. The dots bind
//!   as they did, and a chain is still evaluated from its right.
//! - An escape that only Luau knows, as `\x41`, is the letter after it.
//! - Operators that only Luau has are refused in Lua's words. Its keywords are not: a script that uses them is no Lua,
//!   and nobody has it.

use std::fmt::Write;

const JOIN: &[u8] = b"..__redis__join..";

/// Each with what Lua 5.1 stumbles over.
const FOREIGN: [(&[u8], &str); 13] = [
    (b"..=", "="),
    (b"//", "/"),
    (b"+=", "+"),
    (b"-=", "-"),
    (b"*=", "*"),
    (b"/=", "/"),
    (b"%=", "%"),
    (b"^=", "^"),
    (b"->", ">"),
    (b"::", ":"),
    (b"`", "`"),
    (b"@", "@"),
    (b"?", "?"),
];

/// Where a source is no Lua.
#[derive(Debug, PartialEq)]
pub(crate) struct Mistake {
    line: usize,
    words: String,
}

impl Mistake {
    /// As the compiler tells it, in a chunk of this name.
    pub(crate) fn tell(&self, name: &str) -> String {
        let mut told = match name.as_bytes().first() {
            Some(b'@' | b'=') => name[1..].to_owned(),
            _ => format!("[string \"{}\"]", name.lines().next().unwrap_or_default()),
        };
        let _ = write!(told, ":{}: {}", self.line, self.words);
        told
    }
}

pub(crate) fn translate(source: &[u8]) -> Result<Vec<u8>, Mistake> {
    let mut translator = Translator { source, at: 0, translated: Vec::with_capacity(source.len() + 64) };
    while translator.at < source.len() {
        translator.word()?;
    }
    Ok(translator.translated)
}

struct Translator<'a> {
    source: &'a [u8],
    at: usize,
    translated: Vec<u8>,
}

impl Translator<'_> {
    fn word(&mut self) -> Result<(), Mistake> {
        let rest = &self.source[self.at..];
        match rest[0] {
            quote @ (b'"' | b'\'') => self.text(quote),
            b'-' if rest.starts_with(b"--") => self.comment(),
            b'[' => match long_bracket(rest) {
                Some(length) => self.keep(length),
                None => self.keep(1),
            },
            b'0'..=b'9' => return self.number(),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => return self.number(),
            b'.' if rest.starts_with(b"...") => self.keep(3),
            b'.' if rest.starts_with(b"..") && rest.get(2) != Some(&b'=') => {
                self.at += 2;
                self.translated.extend_from_slice(JOIN);
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                self.keep(
                    rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count(),
                );
            }
            _ => {
                if let Some((_, near)) = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign)) {
                    return Err(self.mistake(format!("unexpected symbol near '{near}'")));
                }
                self.keep(1);
            }
        }
        Ok(())
    }

    fn keep(&mut self, length: usize) {
        let end = (self.at + length).min(self.source.len());
        self.translated.extend_from_slice(&self.source[self.at..end]);
        self.at = end;
    }

    /// Up to its quote or, as a mistake that the compiler tells, to the end of its line.
    fn text(&mut self, quote: u8) {
        self.keep(1);
        while let Some(byte) = self.source.get(self.at).copied() {
            match (byte, self.source.get(self.at + 1).copied()) {
                (b'\\', Some(escaped)) => {
                    let is_foreign = escaped.is_ascii_alphabetic() && !b"abfnrtv".contains(&escaped);
                    self.at += usize::from(is_foreign);
                    self.keep(if is_foreign { 1 } else { 2 });
                }
                (b'\n', _) => return,
                _ => {
                    self.keep(1);
                    if byte == quote {
                        return;
                    }
                }
            }
        }
    }

    fn comment(&mut self) {
        let rest = &self.source[self.at..];
        let length = match long_bracket(&rest[2..]) {
            Some(length) => 2 + length,
            None => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        };
        self.keep(length);
    }

    /// As Lua reads one: everything that could belong to it, and then it is a number or none.
    fn number(&mut self) -> Result<(), Mistake> {
        let rest = &self.source[self.at..];
        let mut length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        if matches!(rest.get(length), Some(b'e' | b'E')) {
            length += 1 + usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
        }
        let tail = rest[length..].iter();
        length += tail.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let number = &rest[..length];
        let is_foreign = number.contains(&b'_') || number.starts_with(b"0b") || number.starts_with(b"0B");
        if is_foreign || number.windows(2).any(|pair| pair == b"..") {
            let number = String::from_utf8_lossy(number).into_owned();
            return Err(self.mistake(format!("malformed number near '{number}'")));
        }
        self.keep(length);
        Ok(())
    }

    fn mistake(&self, words: String) -> Mistake {
        let line = 1 + self.source[..self.at].iter().filter(|byte| **byte == b'\n').count();
        Mistake { line, words }
    }
}

/// The length of `[[…]]` or `[=[…]=]`, if one begins here; to the end of the source if it does not end.
fn long_bracket(rest: &[u8]) -> Option<usize> {
    let inner = rest.strip_prefix(b"[")?;
    let level = inner.iter().take_while(|byte| **byte == b'=').count();
    if inner.get(level) != Some(&b'[') {
        return None;
    }
    let mut close = vec![b'='; level + 2];
    (close[0], close[level + 1]) = (b']', b']');
    Some(memchr::memmem::find(rest, &close).map_or(rest.len(), |at| at + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(source: &str) -> String {
        String::from_utf8(translate(source.as_bytes()).unwrap()).unwrap()
    }

    fn mistake(source: &str) -> String {
        translate(source.as_bytes()).unwrap_err().tell("@user_script")
    }

    #[test]
    fn what_both_read_alike_stays() {
        for source in [
            "local a = {...} -- a .. b\nreturn a[1] --[[ .. ]] , [[ .. ]], [==[ ]] .. ]==] , '..' , \"\\\"..\"",
            "return 1.5e-3 + .5 + 0x1F, a.b:c'x', '\\n\\065\\\\'",
            "a[b[1]] = 'never ends",
            "x = a[ [[k]] ]",
        ] {
            assert_eq!(translated(source), source);
        }
    }

    #[test]
    fn dots_join_through_the_prelude() {
        assert_eq!(translated("return a..b .. 'x'"), "return a..__redis__join..b ..__redis__join.. 'x'");
    }

    #[test]
    fn an_escape_that_lua_does_not_know_is_its_letter() {
        assert_eq!(translated("'\\x41\\z\\u{1}\\n'"), "'x41zu{1}\\n'");
    }

    #[test]
    fn what_only_luau_has_is_refused() {
        assert_eq!(mistake("\nreturn 7 // 2"), "user_script:2: unexpected symbol near '/'");
        assert_eq!(mistake("x += 1"), "user_script:1: unexpected symbol near '+'");
        assert_eq!(mistake("return `a`"), "user_script:1: unexpected symbol near '`'");
        assert_eq!(mistake("return 1_000"), "user_script:1: malformed number near '1_000'");
        assert_eq!(mistake("return 3..2"), "user_script:1: malformed number near '3..2'");
    }
}
