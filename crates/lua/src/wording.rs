//! Errors of Luau in the words of Lua 5.1, as far as Luau tells as much: it does not name the variable that was at fault.
//! People read these lines and logs are searched for them; no client decides anything by them.

/// What has other words altogether.
const OTHERS: [(&str, &str); 2] = [
    ("attempt to modify a readonly table", "Attempt to modify a readonly table"),
    (
        "missing argument #1 to 'insert' (table expected)",
        "bad argument #1 to 'insert' (table expected, got no value)",
    ),
];

/// An error while a script runs. It may begin with its place, as `user_script:1: `.
pub(crate) fn of_run(text: &str) -> String {
    let (place, words) = split(text);
    format!("{place}{}", of_words(words))
}

fn of_words(words: &str) -> String {
    if let Some((_, ours)) = OTHERS.iter().find(|(luau, _)| *luau == words) {
        return (*ours).to_owned();
    }
    if let Some(rest) = words.strip_prefix("invalid argument #") {
        return format!("bad argument #{rest}");
    }
    if let Some(rest) = words.strip_prefix("missing argument #") {
        return match rest.strip_suffix(" expected)") {
            Some(rest) => format!("bad argument #{rest} expected, got no value)"),
            None if rest == "1" => "bad argument #1 (value expected)".to_owned(),
            // Of all functions only this one says it so.
            None => format!("bad argument #{rest} to 'format' (no value)"),
        };
    }
    if let Some(rest) = words.strip_prefix("attempt to index ") {
        let kind = rest.split_once(" with ").map_or(rest, |(kind, _)| kind);
        return format!("attempt to index a {kind} value");
    }
    if let Some(rest) = words.strip_prefix("attempt to perform arithmetic (") {
        let kinds = rest.split_once(") on ").map_or(rest, |(_, kinds)| kinds);
        return format!("attempt to perform arithmetic on a {} value", at_fault(kinds));
    }
    if let Some(rest) = words.strip_prefix("attempt to call missing method '") {
        let name = rest.split('\'').next().unwrap_or(rest);
        return format!("attempt to call method '{name}' (a nil value)");
    }
    if let Some(rest) = words.strip_prefix("attempt to compare ") {
        return compared(rest);
    }
    if words.starts_with("invalid capture index %") {
        return "invalid capture index".to_owned();
    }
    words.to_owned()
}

/// Of two operands the first that is no number, as Lua looks at them; a text may be one.
fn at_fault(kinds: &str) -> &str {
    match kinds.split_once(" and ") {
        Some(("number", second)) => second,
        Some(("string", second)) if !matches!(second, "string" | "number") => second,
        Some((first, _)) => first,
        None => kinds,
    }
}

fn compared(kinds: &str) -> String {
    match kinds.split(' ').collect::<Vec<_>>()[..] {
        [first, _, second] if first == second => format!("attempt to compare two {first} values"),
        [first, _, second] => format!("attempt to compare {first} with {second}"),
        _ => format!("attempt to compare {kinds}"),
    }
}

/// An error of the compiler, for the two mistakes that are most: something else was expected, or a text has no end.
pub(crate) fn of_compiler(text: &str) -> String {
    let (place, words) = split(text.lines().next().unwrap_or_default());
    format!("{place}{}", of_mistake(words))
}

fn of_mistake(words: &str) -> String {
    if words.starts_with("Malformed string") || words.starts_with("Unfinished string") {
        return "unfinished string near '<eof>'".to_owned();
    }
    if words.starts_with("Malformed number") {
        return "malformed number".to_owned();
    }
    let Some((expected, got)) = words.strip_prefix("Expected ").and_then(|rest| rest.rsplit_once(", got "))
    else {
        return match words {
            "Incomplete statement: expected assignment or a function call" => "'=' expected".to_owned(),
            _ => words.to_owned(),
        };
    };
    let near = format!("'{}'", got.trim_matches('\''));
    match expected.split(' ').next().unwrap_or_default() {
        "identifier" if expected.contains("expression") => format!("unexpected symbol near {near}"),
        "identifier" => format!("<name> expected near {near}"),
        token => format!("'{}' expected near {near}", token.trim_matches('\'')),
    }
}

/// Before and after a place: `name:line: `.
fn split(text: &str) -> (&str, &str) {
    let mut searched = 0;
    while let Some(at) = text[searched..].find(": ") {
        let end = searched + at;
        let digits = text[..end].rsplit(':').next().unwrap_or_default();
        if !digits.is_empty() && digits.len() < end && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.split_at(end + 2);
        }
        searched = end + 2;
    }
    ("", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_lua_5_1() {
        let cases = [
            (
                "user_script:1: attempt to modify a readonly table",
                "user_script:1: Attempt to modify a readonly table",
            ),
            ("user_script:2: attempt to index nil with 'x'", "user_script:2: attempt to index a nil value"),
            (
                "user_script:1: attempt to perform arithmetic (add) on nil and number",
                "user_script:1: attempt to perform arithmetic on a nil value",
            ),
            (
                "attempt to perform arithmetic (add) on string and table",
                "attempt to perform arithmetic on a table value",
            ),
            (
                "attempt to perform arithmetic (unm) on table",
                "attempt to perform arithmetic on a table value",
            ),
            ("attempt to compare number < string", "attempt to compare number with string"),
            ("attempt to compare table < table", "attempt to compare two table values"),
            (
                "invalid argument #2 to 'format' (number expected, got nil)",
                "bad argument #2 to 'format' (number expected, got nil)",
            ),
            (
                "missing argument #1 to 'rep' (string expected)",
                "bad argument #1 to 'rep' (string expected, got no value)",
            ),
            ("my own words: attempt to index nil with 'x'", "my own words: attempt to index nil with 'x'"),
        ];
        for (luau, expected) in cases {
            assert_eq!(of_run(luau), expected);
        }
    }

    #[test]
    fn the_place_is_found_in_a_chunk_with_any_name() {
        assert_eq!(split("[string \"a: b\"]:12: words: more"), ("[string \"a: b\"]:12: ", "words: more"));
        assert_eq!(split("a:b: c"), ("", "a:b: c"));
        assert_eq!(split("12: c"), ("", "12: c"));
    }
}
