//! What the body of a response is: told by its bytes, because its label may be absent or wrong.
//!
//! A list that went out unread because it was labelled as plain text would show everything that a policy hides. So a body
//! is JSON or a stream of events when its first bytes are; UTF-16 and what is encoded cannot be read here, though a client
//! might read it, and is withheld.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::serve::HeldBytes;

/// What a client can make of a body, by the most careless reading that is known of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    Json,
    Events,
    /// Neither, and no client takes it for a message.
    Other,
    /// Text in UTF-16 or UTF-32.
    Unreadable,
}

/// White space that is looked through for what comes after it; more of it is no beginning of a message.
const MAX_BLANK: usize = 16 * 1024;

/// The fields of a server-sent event (WHATWG HTML §9.2.6).
pub(super) const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The first bytes of a body, until they tell what it is.
#[derive(Debug, Default)]
pub(super) struct BodyStart {
    pub(super) held: HeldBytes,
    /// How much of it, from the start, is white space and byte order marks.
    blank: usize,
}

impl BodyStart {
    /// Takes a piece; `None` while it could be the start of several kinds.
    pub(super) fn push(&mut self, piece: Bytes) -> Option<BodyKind> {
        self.held.push(piece);
        self.skip_blank();
        if self.blank > MAX_BLANK {
            return Some(BodyKind::Other);
        }
        kind(self.rest())
    }

    /// What a body is of which nothing more comes; `None`: there is nothing in it.
    pub(super) fn whole(&self) -> Option<BodyKind> {
        match self.rest() {
            [] => None,
            start if is_field(start) => Some(BodyKind::Events),
            start => Some(kind(start).unwrap_or(BodyKind::Other)),
        }
    }

    /// What comes after the white space.
    fn rest(&self) -> &[u8] {
        &self.held.as_slice()[self.blank..]
    }

    fn skip_blank(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c', ..] => self.blank += 1,
                start if start.starts_with(BYTE_ORDER_MARK) => self.blank += BYTE_ORDER_MARK.len(),
                _ => return,
            }
        }
    }
}

/// What begins like this, after white space.
fn kind(start: &[u8]) -> Option<BodyKind> {
    match start {
        [] => None,
        [b'{' | b'[', ..] => Some(BodyKind::Json),
        [b':', ..] => Some(BodyKind::Events),
        [0, ..] | [_, 0, ..] | [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => Some(BodyKind::Unreadable),
        [0xfe | 0xff] => None,
        _ if is_prefix(start, BYTE_ORDER_MARK) => None,
        _ if FIELDS.iter().any(|field| is_prefix(start, field.as_bytes())) => None,
        _ if is_field(start) => Some(BodyKind::Events),
        _ => Some(BodyKind::Other),
    }
}

fn is_prefix(start: &[u8], whole: &[u8]) -> bool {
    whole.starts_with(start)
}

/// Whether a line of an event stream begins here that has a meaning there.
pub(super) fn is_field(line: &[u8]) -> bool {
    FIELDS.iter().any(|field| {
        let rest = line.strip_prefix(field.as_bytes());
        rest.is_some_and(|after| matches!(after, [] | [b':' | b'\n' | b'\r', ..]))
    })
}

/// Why a body that is labelled like this cannot be read here, though others may read it.
pub(super) fn unreadable(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    if carries_nothing(status) {
        return None;
    }
    if is_encoded(headers) {
        return Some("the service encoded it although nobody asked");
    }
    if status == StatusCode::PARTIAL_CONTENT {
        return Some("it is only a part");
    }
    if !headers.get_all(CONTENT_TYPE).iter().all(is_like_utf8) {
        return Some("it is in another charset than UTF-8");
    }
    None
}

/// RFC 9110 §15.3.5, §15.4.5: such a response has no body, and its headers may be those of another one.
pub(super) fn carries_nothing(status: StatusCode) -> bool {
    status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

/// Whether one of the labels says so.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let mut labels = headers.get_all(CONTENT_TYPE).iter();
    labels.any(|label| names_event_stream(label.as_bytes()))
}

/// Whether a label says so, whatever stands around it.
pub(super) fn names_event_stream(label: &[u8]) -> bool {
    const NAME: &[u8] = b"text/event-stream";
    // Asked about every response, so no copy is made of the label.
    label.windows(NAME.len()).any(|part| part.eq_ignore_ascii_case(NAME))
}

/// Whether the bytes of the body are not those of its text.
pub(in crate::serve) fn is_encoded(headers: &HeaderMap) -> bool {
    has_encoding(headers, &CONTENT_ENCODING, "identity")
        || has_encoding(headers, &TRANSFER_ENCODING, "chunked")
}

/// Whether the header names an encoding that is neither none nor this one.
fn has_encoding(headers: &HeaderMap, name: &HeaderName, plain: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        lower(value)
            .split(',')
            .map(str::trim)
            .any(|one| !one.is_empty() && one != "identity" && one != plain)
    })
}

/// Whether ASCII in such a text is what it is in UTF-8.
fn is_like_utf8(label: &HeaderValue) -> bool {
    const LIKE_UTF8: [&str; 6] =
        ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"];
    let text = lower(label);
    let mut charsets = text.split("charset").skip(1);
    charsets.all(|rest| {
        let value = rest.split([';', ',']).next().map(|value| {
            value.trim_matches(|one: char| {
                one == '=' || one == '"' || one == '\'' || one.is_whitespace()
            })
        });
        value.is_some_and(|charset| LIKE_UTF8.contains(&charset))
    })
}

fn lower(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(body: &[u8], size: usize) -> Option<BodyKind> {
        let mut start = BodyStart::default();
        body.chunks(size)
            .find_map(|piece| start.push(Bytes::copy_from_slice(piece)))
            .or_else(|| start.whole())
    }

    #[test]
    fn the_first_bytes_tell_what_a_body_is() {
        use BodyKind::{Events, Json, Other, Unreadable};
        let blank = " ".repeat(MAX_BLANK + 1) + "{";
        let rows: [(&[u8], Option<BodyKind>); 42] = [
            (b"", None),
            (b" \r\n\t", None),
            ("\u{feff}".as_bytes(), None),
            (b"{}", Some(Json)),
            (b"\n\n [", Some(Json)),
            (b"\x0c{", Some(Json)),
            ("\u{feff}\n{".as_bytes(), Some(Json)),
            ("\n\u{feff}\u{feff}[".as_bytes(), Some(Json)),
            (b"data: {}\n\n", Some(Events)),
            (b"\n\ndata:{}\n\n", Some(Events)),
            ("\u{feff}data: {}\n\n".as_bytes(), Some(Events)),
            (b"data\n", Some(Events)),
            (b"data\r\n", Some(Events)),
            (b"data", Some(Events)),
            (b"event: message\n", Some(Events)),
            (b"id:1\n", Some(Events)),
            (b"id\n", Some(Events)),
            (b"retry: 5\n", Some(Events)),
            (b": ping\n", Some(Events)),
            (b":", Some(Events)),
            (b"dat", Some(Other)),
            (b"database: x", Some(Other)),
            (b"Data: {}", Some(Other)),
            (b"idle", Some(Other)),
            (b"retry ", Some(Other)),
            (b"hello {\"tools\":[]}", Some(Other)),
            (b"<html>", Some(Other)),
            (b"\"{}\"", Some(Other)),
            (b"null", Some(Other)),
            (b"1", Some(Other)),
            (b")]}',\n{}", Some(Other)),
            ("\u{a0}{}".as_bytes(), Some(Other)),
            (b"\x1f\x8b", Some(Other)),
            (b"\xef\xbb", Some(Other)),
            (b"\xff", Some(Other)),
            (b"\xff\xfe{\0", Some(Unreadable)),
            (b"\xfe\xff\0{", Some(Unreadable)),
            (b"\0{\0}", Some(Unreadable)),
            (b"\0\0\0{", Some(Unreadable)),
            (b"\n\0{\0", Some(Unreadable)),
            (b"d\0a\0t\0a\0", Some(Unreadable)),
            (blank.as_bytes(), Some(Other)),
        ];
        for (body, expected) in rows {
            for size in [1, 2, 100_000] {
                assert_eq!(kind_of(body, size), expected, "{:?}", String::from_utf8_lossy(body));
            }
        }
    }

    #[test]
    fn labels_say_whether_a_body_can_be_read() {
        let labelled = |name: &'static str, value: &str| {
            HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
        };
        let rows = [
            ("content-encoding", "gzip", false),
            ("content-encoding", "identity, br", false),
            ("content-encoding", "x", false),
            ("content-encoding", "Identity", true),
            ("content-encoding", "", true),
            ("transfer-encoding", "chunked", true),
            ("transfer-encoding", "gzip, Chunked", false),
            ("content-type", "application/json", true),
            ("content-type", "application/json; charset=UTF-8", true),
            ("content-type", "text/html;charset=\"iso-8859-1\"; x=y", true),
            ("content-type", "application/json; charset=utf-16", false),
            ("content-type", "application/json; Charset = 'UTF-7'", false),
            ("content-type", "text/plain; charset=utf-8, text/plain; charset=utf-32", false),
            ("content-type", "text/plain; charset", false),
            ("content-type", "nonsense", true),
        ];
        for (name, value, is_readable) in rows {
            let headers = labelled(name, value);
            let reason = unreadable(StatusCode::OK, &headers);
            assert_eq!(reason.is_none(), is_readable, "{name}: {value}");
            assert_eq!(unreadable(StatusCode::NO_CONTENT, &headers), None);
            assert!(unreadable(StatusCode::PARTIAL_CONTENT, &headers).is_some());
        }
        let mut headers = labelled("content-type", "application/json");
        headers.append(CONTENT_TYPE, "text/plain; charset=utf-16".parse().unwrap());
        assert!(unreadable(StatusCode::OK, &headers).is_some());
        assert!(!is_event_stream(&headers));
        headers.append(CONTENT_TYPE, "Text/Event-Stream;x".parse().unwrap());
        assert!(is_event_stream(&headers));
        assert!(is_event_stream(&labelled("content-type", "application/json, text/event-stream")));
    }
}
