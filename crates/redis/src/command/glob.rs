//! Redis's patterns: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
//!
//! Only the last `*` is ever reconsidered: a later one can match whatever an earlier one could have left it. So a
//! match costs at most key × pattern, and no pattern makes it explode.

/// Whether the whole of `text` is matched.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', after)) = pattern.split_first() {
            pattern = after;
            retry = Some((after, text));
            continue;
        }
        let step = match text.split_first() {
            None if pattern.is_empty() => return true,
            None => return false,
            Some((&byte, rest)) => one(pattern, byte).map(|after| (after, rest)),
        };
        (pattern, text) = match (step, retry) {
            (Some(step), _) => step,
            (None, Some((after_star, [_, rest @ ..]))) => {
                retry = Some((after_star, rest));
                (after_star, rest)
            }
            (None, _) => return false,
        };
    }
}

/// What is left of the pattern if its first element, which is no `*`, matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'[', class @ ..] => {
            let (found, after) = in_class(class, byte);
            found.then_some(after)
        }
        [b'\\', literal, after @ ..] | [literal, after @ ..] => (*literal == byte).then_some(after),
        [] => None,
    }
}

/// A class that is not closed ends with the pattern, as in Redis.
fn in_class(class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    loop {
        class = match class {
            [] => return (found != negated, class),
            [b']', after @ ..] => return (found != negated, after),
            [b'\\', literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
            [low, b'-', high, after @ ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                after
            }
            [literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let yes = [
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbbc"),
            ("a*b*c", "axbxbc"),
            ("a?c", "abc"),
            ("a[bx]c", "abc"),
            ("a[^x]c", "abc"),
            ("a[a-c]c", "abc"),
            ("a[c-a]c", "abc"),
            (r"a\*c", "a*c"),
            (r"a[\]]c", "a]c"),
            ("**a**", "bab"),
            ("lock:*", "lock:x"),
            ("a[b", "ab"),
        ];
        let no = [
            ("", "a"),
            ("a", ""),
            ("a*c", "abb"),
            ("a?c", "ac"),
            ("a[^b]c", "abc"),
            (r"a\*c", "abc"),
            ("a*b*c", "axc"),
            ("?", ""),
            ("A", "a"),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} should match {text}");
        }
        for (pattern, text) in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = "a*".repeat(500) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(1024).as_bytes()));
    }
}
