//! Requests as people type them into telnet: words, with quotes.

use bytes::Bytes;

/// The words of a line; `None` when a quote is not closed, or closed in the middle of a word.
///
/// Double quotes know `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` and take any other escaped byte as itself; single quotes
/// know only `\'`.
pub(crate) fn split(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (word, after) = word(rest)?;
        words.push(Bytes::from(word));
        rest = after.trim_ascii_start();
    }
    Some(words)
}

fn word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' | b'\'' => {
                let closed = if byte == b'"' { double(after, &mut word)? } else { single(after, &mut word)? };
                let ends = closed.first().is_none_or(u8::is_ascii_whitespace);
                return ends.then_some((word, closed));
            }
            byte if byte.is_ascii_whitespace() => return Some((word, rest)),
            byte => word.push(byte),
        }
        rest = after;
    }
    Some((word, rest))
}

fn double<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                word.push(u8::from_str_radix(digits, 16).ok()?);
                after
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

fn single<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\'', after @ ..] => return Some(after),
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(words.iter().map(|word| word.escape_ascii().to_string()).collect())
    }

    #[test]
    fn words_and_quotes() {
        assert_eq!(words("  set  k v "), Some(vec!["set".into(), "k".into(), "v".into()]));
        assert_eq!(words(r#"set k "a b\x41\n""#).unwrap()[2], r"a bA\n");
        assert_eq!(words(r#"set k 'a "b" \' c'"#).unwrap()[2], r#"a \"b\" \' c"#);
        assert_eq!(words(r#"set k """#).unwrap()[2], "");
        assert_eq!(words(""), Some(vec![]));
        for unbalanced in [r#"get "a"#, "get 'a", r#"get "a"b"#, r#"get "a\"#] {
            assert_eq!(words(unbalanced), None, "{unbalanced}");
        }
    }
}
