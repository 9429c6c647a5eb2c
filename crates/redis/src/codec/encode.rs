//! Replies to bytes, in the version of the protocol that the connection spoke when it asked.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::Protocol;
use crate::Reply;

/// Appends `reply` to `out`.
pub(crate) fn encode(reply: &Reply, protocol: Protocol, out: &mut BytesMut) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Simple(text) => line(out, b'+', text),
        Reply::Error(error) => line(out, b'-', &error.to_string()),
        Reply::Integer(integer) => header(out, b':', *integer),
        Reply::Bulk(bytes) => bulk(out, bytes),
        Reply::Text(text) => bulk(out, text.as_bytes()),
        Reply::Verbatim(text) if resp3 => {
            header(out, b'=', text.len() + 4);
            out.put_slice(b"txt:");
            out.put_slice(text.as_bytes());
            out.put_slice(b"\r\n");
        }
        Reply::Verbatim(text) => bulk(out, text.as_bytes()),
        Reply::Null => out.put_slice(if resp3 { b"_\r\n" } else { b"$-1\r\n" }),
        Reply::NullArray => out.put_slice(if resp3 { b"_\r\n" } else { b"*-1\r\n" }),
        Reply::Bool(truth) if resp3 => out.put_slice(if *truth { b"#t\r\n" } else { b"#f\r\n" }),
        Reply::Bool(truth) => header(out, b':', i64::from(*truth)),
        Reply::Double(number) if resp3 => line(out, b',', &lua::number_text(*number)),
        Reply::Double(number) => bulk(out, lua::number_text(*number).as_bytes()),
        Reply::Array(items) => array(out, b'*', items, protocol),
        Reply::Set(items) => array(out, if resp3 { b'~' } else { b'*' }, items, protocol),
        Reply::Push(items) => array(out, if resp3 { b'>' } else { b'*' }, items, protocol),
        Reply::Several(replies) => replies.iter().for_each(|reply| encode(reply, protocol, out)),
        Reply::Pairs(pairs) => {
            header(out, b'*', if resp3 { pairs.len() } else { pairs.len() * 2 });
            for (first, second) in pairs {
                if resp3 {
                    header(out, b'*', 2);
                }
                encode(first, protocol, out);
                encode(second, protocol, out);
            }
        }
        Reply::Map(pairs) => {
            header(out, if resp3 { b'%' } else { b'*' }, if resp3 { pairs.len() } else { pairs.len() * 2 });
            for (key, value) in pairs {
                encode(key, protocol, out);
                encode(value, protocol, out);
            }
        }
    }
}

/// A line must stay one line, whatever a client's own words in it are.
fn line(out: &mut BytesMut, kind: u8, text: &str) {
    out.put_u8(kind);
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.put_slice(b"\r\n");
}

fn bulk(out: &mut BytesMut, bytes: &[u8]) {
    header(out, b'$', bytes.len());
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn array(out: &mut BytesMut, kind: u8, items: &[Reply], protocol: Protocol) {
    header(out, kind, items.len());
    for item in items {
        encode(item, protocol, out);
    }
}

fn header(out: &mut BytesMut, kind: u8, number: impl std::fmt::Display) {
    out.put_u8(kind);
    write!(out, "{number}\r\n").expect("a buffer grows as needed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn said(reply: &Reply, protocol: Protocol) -> String {
        let mut out = BytesMut::new();
        encode(reply, protocol, &mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn every_reply_in_both_versions() {
        let one = || Reply::Integer(1);
        let cases = [
            (Reply::OK, r"+OK\r\n", r"+OK\r\n"),
            (Reply::Error(Error::Syntax), r"-ERR syntax error\r\n", r"-ERR syntax error\r\n"),
            (Reply::Integer(-2), r":-2\r\n", r":-2\r\n"),
            (Reply::bulk(b"a\r\n"), r"$3\r\na\r\n\r\n", r"$3\r\na\r\n\r\n"),
            (Reply::text(""), r"$0\r\n\r\n", r"$0\r\n\r\n"),
            (Reply::Verbatim("a:1".into()), r"$3\r\na:1\r\n", r"=7\r\ntxt:a:1\r\n"),
            (Reply::Null, r"$-1\r\n", r"_\r\n"),
            (Reply::NullArray, r"*-1\r\n", r"_\r\n"),
            (Reply::Bool(true), r":1\r\n", r"#t\r\n"),
            (Reply::Double(1.5), r"$3\r\n1.5\r\n", r",1.5\r\n"),
            (Reply::Double(f64::NEG_INFINITY), r"$4\r\n-inf\r\n", r",-inf\r\n"),
            (Reply::Double(1e21), r"$5\r\n1e+21\r\n", r",1e+21\r\n"),
            (Reply::Pairs(vec![(one(), one())]), r"*2\r\n:1\r\n:1\r\n", r"*1\r\n*2\r\n:1\r\n:1\r\n"),
            (Reply::Array(vec![Reply::Null]), r"*1\r\n$-1\r\n", r"*1\r\n_\r\n"),
            (Reply::Set(vec![one()]), r"*1\r\n:1\r\n", r"~1\r\n:1\r\n"),
            (Reply::Push(vec![one()]), r"*1\r\n:1\r\n", r">1\r\n:1\r\n"),
            (Reply::Several(vec![one(), Reply::Null]), r":1\r\n$-1\r\n", r":1\r\n_\r\n"),
            (Reply::Map(vec![(one(), one())]), r"*2\r\n:1\r\n:1\r\n", r"%1\r\n:1\r\n:1\r\n"),
        ];
        for (reply, resp2, resp3) in cases {
            assert_eq!(said(&reply, Protocol::Resp2), resp2);
            assert_eq!(said(&reply, Protocol::Resp3), resp3);
        }
    }

    #[test]
    fn an_error_stays_one_line() {
        let error = Error::Custom("ERR a\r\n+OK".into());
        assert_eq!(said(&Reply::Error(error), Protocol::Resp2), r"-ERR a  +OK\r\n");
    }
}
