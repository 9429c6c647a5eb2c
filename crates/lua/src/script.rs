//! [`Script`]: a source, its name, and what its first line says about it.

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::Error;
use crate::limits::SOURCE_BYTES_MAX;

/// A script that a client sent. Whether it is Lua is seen by [`crate::Engine::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    source: Bytes,
    sha: String,
    flags: Flags,
    /// Where the first line ends, if that is no Lua.
    begin: usize,
}

/// What the line `#!lua flags=…` promises or asks. A script without the line has none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot_keys: bool,
}

impl Script {
    pub fn new(source: Bytes) -> Result<Self, Error> {
        if source.len() > SOURCE_BYTES_MAX {
            let words = format!("the script is longer than the limit of {SOURCE_BYTES_MAX} bytes");
            return Err(Error::Compile(words));
        }
        let (flags, begin) = shebang(&source)?;
        Ok(Self { sha: sha_of(&source), source, flags, begin })
    }

    /// The SHA-1 of all its bytes in lower-case hexadecimal, as `EVALSHA` takes it.
    pub fn sha(&self) -> &str {
        &self.sha
    }

    pub fn source(&self) -> &Bytes {
        &self.source
    }

    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// What is to be compiled. The end of the first line stays, so that errors tell the right line.
    pub(crate) fn body(&self) -> &[u8] {
        &self.source[self.begin..]
    }
}

/// The SHA-1 of exact bytes, in lower-case hexadecimal.
pub fn sha_of(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shebang(source: &[u8]) -> Result<(Flags, usize), Error> {
    let mut flags = Flags::default();
    if !source.starts_with(b"#!") {
        return Ok((flags, 0));
    }
    let Some(end) = source.iter().position(|byte| *byte == b'\n') else {
        return Err(Error::Shebang("Invalid script shebang".into()));
    };
    let line = String::from_utf8_lossy(&source[..end]);
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    if engine != "#!lua" {
        return Err(Error::Shebang(format!("Unexpected engine in script shebang: {engine}")));
    }
    for word in words {
        let Some(names) = word.strip_prefix("flags=") else {
            return Err(Error::Shebang(format!("Unknown lua shebang option: {word}")));
        };
        for name in names.split(',').filter(|name| !name.is_empty()) {
            flags.raise(name)?;
        }
    }
    Ok((flags, end))
}

impl Flags {
    fn raise(&mut self, name: &str) -> Result<(), Error> {
        let flag = match name {
            "no-writes" => &mut self.no_writes,
            "allow-oom" => &mut self.allow_oom,
            "allow-stale" => &mut self.allow_stale,
            "no-cluster" => &mut self.no_cluster,
            "allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return Err(Error::Shebang(format!("Unexpected flag in script shebang: {name}"))),
        };
        *flag = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(source: &'static str) -> String {
        Script::new(source.into()).unwrap_err().to_string()
    }

    #[test]
    fn the_sha_is_that_of_the_exact_bytes() {
        let script = Script::new("return 1".into()).unwrap();
        assert_eq!(script.sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }

    #[test]
    fn the_first_line_gives_flags_and_stays_a_line() {
        let script =
            Script::new("#!lua flags=no-writes,allow-oom flags=allow-stale\r\nreturn 1".into()).unwrap();
        let expected = Flags { no_writes: true, allow_oom: true, allow_stale: true, ..Flags::default() };
        assert_eq!(script.flags(), expected);
        assert_eq!(script.body(), b"\nreturn 1");
        assert_eq!(Script::new("#!lua flags=\nreturn 1".into()).unwrap().flags(), Flags::default());
    }

    #[test]
    fn a_wrong_first_line_is_refused_in_redis_words() {
        assert_eq!(refusal("#!lua"), "ERR Invalid script shebang");
        assert_eq!(refusal("#!js\nreturn 1"), "ERR Unexpected engine in script shebang: #!js");
        assert_eq!(refusal("#!\nreturn 1"), "ERR Unexpected engine in script shebang: #!");
        assert_eq!(refusal("#!lua name=x\nreturn 1"), "ERR Unknown lua shebang option: name=x");
        assert_eq!(refusal("#!lua flags=foo\nreturn 1"), "ERR Unexpected flag in script shebang: foo");
    }

    #[test]
    fn a_source_beyond_the_limit_is_refused() {
        let source = "-".repeat(SOURCE_BYTES_MAX + 1);
        assert!(Script::new(source.into()).is_err());
    }
}
