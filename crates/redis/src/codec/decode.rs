//! The incremental decoder: bytes in, requests out, position kept, nothing read twice.
//!
//! It must never reserve memory for a length that a client merely announced, and it must give the same requests
//! however the bytes are cut. The connection calls it.

use bytes::{Buf, Bytes, BytesMut};

use super::inline;
use crate::limits;

/// What a client may send now; less before it has authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) arguments: usize,
    pub(crate) bulk_bytes: usize,
    pub(crate) authenticated: bool,
}

impl Allowance {
    pub(crate) fn new(authenticated: bool) -> Self {
        let (arguments, bulk_bytes) = if authenticated {
            (limits::ARGUMENTS_MAX, limits::BULK_BYTES_MAX)
        } else {
            (limits::UNAUTHENTICATED_ARGUMENTS_MAX, limits::UNAUTHENTICATED_BULK_BYTES_MAX)
        };
        Self { arguments, bulk_bytes, authenticated }
    }
}

/// Invariants:
/// * `scanned` bytes at the front of `buffer` hold no line end.
/// * Every argument that is complete has left `buffer` for `partial`.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    scanned: usize,
    partial: Option<Partial>,
    received: u64,
}

/// An array of arguments of which some are missing.
#[derive(Debug)]
struct Partial {
    missing: usize,
    /// The length of the next argument, once its header has arrived.
    bulk: Option<usize>,
    arguments: Vec<Bytes>,
    bytes: usize,
}

/// The client does not speak the protocol; after the error it is disconnected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolError(pub(crate) String);

impl Decoder {
    /// The next request, or `None` until more bytes have come. Empty requests are passed over.
    ///
    /// A client that has said everything costs no buffer.
    pub(crate) fn next(&mut self, allowance: Allowance) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        loop {
            if self.partial.is_some() {
                return self.array(allowance);
            }
            match self.buffer.first() {
                None => {
                    self.buffer = BytesMut::new();
                    return Ok(None);
                }
                Some(b'*') => {
                    let Some(line) = self.line("too big mbulk count string")? else { return Ok(None) };
                    self.begin(&line[1..], allowance)?;
                }
                Some(_) => {
                    let Some(line) = self.line("too big inline request")? else { return Ok(None) };
                    let arguments =
                        inline::split(&line).ok_or_else(|| error("unbalanced quotes in request"))?;
                    if !arguments.is_empty() {
                        return Ok(Some(arguments));
                    }
                }
            }
        }
    }

    /// Takes what has been read.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.received += bytes.len() as u64;
    }

    /// Bytes received since the beginning.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes received and not yet part of an argument.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes consumed since the beginning.
    pub(crate) fn consumed(&self) -> u64 {
        self.received - self.buffer.len() as u64
    }

    fn begin(&mut self, header: &[u8], allowance: Allowance) -> Result<(), ProtocolError> {
        let count = integer(header).ok_or_else(|| error("invalid multibulk length"))?;
        // An array of nothing, or of less, is no request; Redis passes over it without a word.
        let Ok(missing) = usize::try_from(count) else { return Ok(()) };
        if missing == 0 {
            return Ok(());
        }
        if missing > allowance.arguments {
            let text = if allowance.authenticated { "invalid" } else { "unauthenticated" };
            return Err(error(&format!("{text} multibulk length")));
        }
        self.partial = Some(Partial { missing, bulk: None, arguments: Vec::new(), bytes: 0 });
        Ok(())
    }

    fn array(&mut self, allowance: Allowance) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        loop {
            let Some(partial) = &mut self.partial else { return Ok(None) };
            if partial.missing == 0 {
                return Ok(self.partial.take().map(|partial| partial.arguments));
            }
            let Some(length) = partial.bulk else {
                let Some(line) = self.line("too big bulk count string")? else { return Ok(None) };
                let length = bulk_length(&line, allowance)?;
                if let Some(partial) = &mut self.partial {
                    partial.bulk = Some(length);
                    partial.bytes += length;
                    if partial.bytes > limits::REQUEST_BYTES_MAX {
                        let max = limits::REQUEST_BYTES_MAX;
                        return Err(error(&format!("request is longer than the limit of {max} bytes")));
                    }
                }
                continue;
            };
            if self.buffer.len() < length + 2 {
                return Ok(None);
            }
            partial.arguments.push(self.buffer.split_to(length).freeze());
            partial.missing -= 1;
            partial.bulk = None;
            self.buffer.advance(2);
        }
    }

    /// The next line without its end, or `None` until it is complete.
    fn line(&mut self, too_long: &str) -> Result<Option<Bytes>, ProtocolError> {
        let Some(offset) = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n') else {
            self.scanned = self.buffer.len();
            return if self.scanned > limits::INLINE_BYTES_MAX { Err(error(too_long)) } else { Ok(None) };
        };
        let end = self.scanned + offset;
        self.scanned = 0;
        if end > limits::INLINE_BYTES_MAX {
            return Err(error(too_long));
        }
        let mut line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line))
    }
}

fn bulk_length(line: &[u8], allowance: Allowance) -> Result<usize, ProtocolError> {
    let Some((b'$', length)) = line.split_first() else {
        let got = line.first().map_or('\r', |&byte| char::from(byte));
        return Err(error(&format!("expected '$', got '{got}'")));
    };
    let length = integer(length).and_then(|length| usize::try_from(length).ok());
    match length {
        Some(length) if length <= allowance.bulk_bytes => Ok(length),
        Some(length) if !allowance.authenticated && length <= limits::BULK_BYTES_MAX => {
            Err(error("unauthenticated bulk length"))
        }
        _ => Err(error("invalid bulk length")),
    }
}

/// A decimal integer exactly as Redis accepts it: no sign but `-`, no leading zero, no space.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn error(text: &str) -> ProtocolError {
    ProtocolError(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Decoded = (Vec<Vec<Vec<u8>>>, Option<String>);

    /// What the decoder makes of the bytes when they arrive in these pieces.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, allowance: Allowance) -> Decoded {
        let mut decoder = Decoder::default();
        let mut requests = Vec::new();
        for piece in pieces {
            decoder.take(piece);
            loop {
                match decoder.next(allowance) {
                    Ok(Some(arguments)) => requests.push(arguments.iter().map(|a| a.to_vec()).collect()),
                    Ok(None) => break,
                    Err(error) => return (requests, Some(error.0)),
                }
            }
        }
        (requests, None)
    }

    fn whole(bytes: &[u8]) -> Decoded {
        decode([bytes], Allowance::new(true))
    }

    const MIXED: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nPING\r\n\r\n*0\r\n*-1\r\nGET \"a b\"\n*1\r\n$0\r\n\r\n";

    #[test]
    fn the_same_requests_come_out_wherever_the_bytes_are_cut() {
        let (expected, error) = whole(MIXED);
        assert_eq!(error, None);
        assert_eq!(expected.len(), 4);
        assert_eq!(expected[0], [b"SET".to_vec(), b"k".to_vec(), b"a\r\nb".to_vec()]);
        for cut in 0..=MIXED.len() {
            let (left, right) = MIXED.split_at(cut);
            assert_eq!(decode([left, right], Allowance::new(true)).0, expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = MIXED.chunks(1).collect();
        assert_eq!(decode(bytes, Allowance::new(true)).0, expected);
    }

    #[test]
    fn what_is_not_the_protocol_is_told_in_redis_words() {
        let long = vec![b'x'; limits::INLINE_BYTES_MAX + 2];
        let mut long_count = b"*".to_vec();
        long_count.extend(vec![b'1'; limits::INLINE_BYTES_MAX + 2]);
        let cases: &[(&[u8], &str)] = &[
            (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
            (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'"),
            (b"*abc\r\n", "invalid multibulk length"),
            (b"*8193\r\n", "invalid multibulk length"),
            (b"*99999999999999999999\r\n", "invalid multibulk length"),
            (b"*1\r\n$-10\r\n", "invalid bulk length"),
            (b"*1\r\n$2000000000\r\n", "invalid bulk length"),
            (b"*1\r\n$1048577\r\n", "invalid bulk length"),
            (b"GET \"unbalanced\r\n", "unbalanced quotes in request"),
            (&long, "too big inline request"),
            (&long_count, "too big mbulk count string"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(
                whole(bytes),
                (vec![], Some((*expected).to_owned())),
                "{:?}",
                bytes.escape_ascii().take(40)
            );
        }
    }

    #[test]
    fn a_stranger_may_send_little() {
        let stranger = Allowance::new(false);
        assert_eq!(
            decode([&b"*11\r\n"[..]], stranger).1.as_deref(),
            Some("unauthenticated multibulk length")
        );
        assert_eq!(
            decode([&b"*1\r\n$16385\r\n"[..]], stranger).1.as_deref(),
            Some("unauthenticated bulk length")
        );
        assert_eq!(decode([&b"*10\r\n$16384\r\n"[..]], stranger).1, None);
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut decoder = Decoder::default();
        decoder.take(b"*8192\r\n$1048576\r\n");
        assert_eq!(decoder.next(Allowance::new(true)), Ok(None));
        assert!(decoder.buffer.capacity() <= 64);
        assert_eq!(decoder.partial.unwrap().arguments.capacity(), 0);
    }

    #[test]
    fn who_has_said_everything_costs_nothing() {
        let mut decoder = Decoder::default();
        decoder.take(b"*1\r\n$4\r\nPING\r\nPING\r\n");
        while decoder.next(Allowance::new(true)).unwrap().is_some() {}
        assert_eq!(decoder.buffer.capacity(), 0);
    }

    #[test]
    fn a_request_has_a_limit_as_a_whole() {
        let mut bytes = b"*17\r\n".to_vec();
        for _ in 0..17 {
            bytes.extend_from_slice(b"$1048576\r\n");
            bytes.extend(std::iter::repeat_n(b'x', 1_048_576));
            bytes.extend_from_slice(b"\r\n");
        }
        assert!(whole(&bytes).1.unwrap().starts_with("request is longer than the limit"));
    }

    #[test]
    fn integers_are_canonical() {
        for (text, expected) in [("0", Some(0)), ("-1", Some(-1)), ("9223372036854775807", Some(i64::MAX))] {
            assert_eq!(integer(text.as_bytes()), expected);
        }
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "a"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn random_requests_survive_random_cuts(
            requests in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6), 1..8),
            cuts in prop::collection::vec(1usize..30, 1..60),
        ) {
            let mut bytes = Vec::new();
            for request in &requests {
                bytes.extend(format!("*{}\r\n", request.len()).bytes());
                for argument in request {
                    bytes.extend(format!("${}\r\n", argument.len()).bytes());
                    bytes.extend_from_slice(argument);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(decode(pieces, Allowance::new(true)), (requests, None));
        }

        #[test]
        fn any_bytes_give_the_same_however_they_are_cut(bytes in prop::collection::vec(
            prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'2'), Just(b'"'), any::<u8>()],
            0..80), cut in 0usize..80) {
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(decode([left, right], Allowance::new(true)), whole(&bytes));
        }
    }
}
