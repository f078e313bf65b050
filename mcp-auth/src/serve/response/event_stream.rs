//! Rewrites the data of server-sent events as they come by (WHATWG HTML §9.2).
//!
//! 1. A stream may be cut anywhere, also within a line end of two bytes. What is not complete is held back.
//! 2. An event is judged as a whole: its `data` lines make one text, and what takes its place stands where they stood.
//!    Its other lines, and every event that needs no change, stay byte for byte.
//! 3. JSON in a line that is no data, and that a careless client could take for some, ends the stream.
//! 4. An event that is too long to be held ends the stream where a list was asked for. Elsewhere it goes on, until the
//!    trace of a list shows in it.
//! 5. What has no blank line behind it at the end is no event, and is dropped if it has data.
//! 6. Where identifiers of events are sealed, the value of each `id` line is replaced, also of events without data. A line
//!    whose value cannot be sealed is left out: a client goes on from the event before then.

use std::borrow::Cow;
use std::iter;
use std::mem;

use bytes::Bytes;
use memchr::memchr2;

use super::body_kind::is_field;
use super::list_filter::Fault;
use super::list_trace::{ListTrace, has_trace};
use crate::serve::HeldBytes;

/// A stream of events of which any part may have come yet; every byte is looked at a few times, however it
/// was cut.
#[derive(Default)]
pub(super) struct EventStream {
    max_event_bytes: usize,
    /// Whether a longer event goes on, as long as it has no trace of a list.
    passes_longer: bool,
    /// What has come of the unit that is not complete yet.
    pending: HeldBytes,
    units: Units,
    longer: Option<LongerEvent>,
    seal_id: Option<SealId>,
}

/// Where the unit ends that is not complete yet, as far as its bytes have come.
#[derive(Default)]
struct Units {
    /// How much of it was looked at.
    scanned: usize,
    /// Where its last line begins.
    line: usize,
    /// Whether the byte before the next one was a CR, which a LF may follow in the same line end.
    is_after_cr: bool,
    has_begun: bool,
}

/// An event of which much was sent on already.
struct LongerEvent {
    trace: ListTrace,
    is_at_line_start: bool,
}

/// Something that can replace the data of an event; `None` leaves the event as it is.
pub(super) type Rewrite<'r> = dyn FnMut(&[u8]) -> Result<Option<Vec<u8>>, Fault> + 'r;

/// What seals the identifier of an event; `None`: it must not be sent.
pub(super) type SealId = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

impl EventStream {
    pub(super) fn new(max_event_bytes: usize) -> Self {
        Self { max_event_bytes, ..Self::default() }
    }

    /// The same, where no list is expected: longer events go on unless one shows.
    pub(super) fn passing_longer(mut self, passes_longer: bool) -> Self {
        self.passes_longer = passes_longer;
        self
    }

    /// The same, which seals the identifiers of events with this, if it is there.
    pub(super) fn sealing_ids(mut self, seal_id: Option<SealId>) -> Self {
        self.seal_id = seal_id;
        self
    }

    /// Takes what has come, wherever it was cut, and gives what can be sent on now: what has not changed is not copied.
    ///
    /// # Errors
    /// An event that is too long, or that cannot be rewritten: the stream must end here, without
    /// what else was in the chunk.
    pub(super) fn push(
        &mut self,
        mut chunk: Bytes,
        rewrite: &mut Rewrite<'_>,
    ) -> Result<Bytes, Fault> {
        let passed = self.pass_longer(&mut chunk)?;
        self.pending.push(chunk);
        let mut held = mem::take(&mut self.pending);
        let bytes = held.as_slice();
        let mut out = Vec::new();
        // What of it is in `out`, and what was looked at.
        let (mut written, mut end) = (0, 0);
        while let Some(length) = self.units.next(&bytes[end..]) {
            let start = end;
            end += length;
            let unit = &bytes[start..end];
            if self.is_longer(unit)? {
                continue;
            }
            let mut new = rewritten(unit, rewrite)?;
            if let Some(seal_id) = &self.seal_id
                && has_id(unit)
            {
                new = Some(with_sealed_id(new.as_deref().unwrap_or(unit), seal_id));
            }
            if let Some(new) = new {
                out.extend_from_slice(&bytes[written..start]);
                out.extend_from_slice(&new);
                written = end;
            }
        }
        let rest = &bytes[end..];
        if self.is_longer(rest)? {
            let mut trace = ListTrace::default();
            trace.is_in(rest);
            let is_at_line_start = self.units.line == rest.len();
            self.longer = Some(LongerEvent { trace, is_at_line_start });
            self.units.end_unit();
            end = bytes.len();
        }
        out.extend_from_slice(if written > 0 { &bytes[written..end] } else { &[] });
        let unchanged = held.split_to(end);
        self.pending = held;
        let sent = if written > 0 { Bytes::from(out) } else { unchanged };
        Ok(if passed.is_empty() { sent } else { [passed, sent].concat().into() })
    }

    /// What is left when the stream has ended.
    ///
    /// Clients never dispatch an event without its blank line: its data, not rewritten, is dropped.
    ///
    /// # Errors
    /// JSON that is no event.
    pub(super) fn finish(&mut self) -> Result<Bytes, Fault> {
        let rest = mem::take(&mut self.pending).into_bytes();
        self.units.end_unit();
        if has_stray_json(&rest) {
            return Err(Fault::StrayLine);
        }
        let is_dropped = has_data(&rest) || (self.seal_id.is_some() && has_id(&rest));
        Ok(if is_dropped { Bytes::new() } else { rest })
    }

    /// Takes what belongs to an event that is too long to be held, to be sent on.
    fn pass_longer(&mut self, chunk: &mut Bytes) -> Result<Bytes, Fault> {
        let Some(longer) = &mut self.longer else { return Ok(Bytes::new()) };
        let mut is_over = false;
        let mut length = 0;
        while let (false, Some(&byte)) = (is_over, chunk.get(length)) {
            length += 1;
            let is_after_cr = mem::replace(&mut self.units.is_after_cr, byte == b'\r');
            match byte {
                b'\n' if is_after_cr => {}
                b'\n' | b'\r' => is_over = mem::replace(&mut longer.is_at_line_start, true),
                _ => longer.is_at_line_start = false,
            }
        }
        let passed = chunk.split_to(length);
        if longer.trace.is_in(&passed) {
            return Err(Fault::TooLong);
        }
        if is_over {
            self.longer = None;
        }
        Ok(passed)
    }

    /// Whether this is too long to be held and can go on as it is.
    fn is_longer(&self, event: &[u8]) -> Result<bool, Fault> {
        if event.len() <= self.max_event_bytes {
            return Ok(false);
        }
        if self.passes_longer && !has_trace(event) { Ok(true) } else { Err(Fault::TooLong) }
    }
}

impl Units {
    /// How long the next part is that can be judged alone: an event with its blank line; or what belongs
    /// to no event, which is a comment before one, a byte order mark, and a late LF of a CRLF. `None`: it is not all there.
    fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.has_begun && bytes.starts_with(BYTE_ORDER_MARK) {
            self.is_after_cr = false;
            return Some(self.unit_of(BYTE_ORDER_MARK.len()));
        }
        while let Some(distance) = line_end(&bytes[self.scanned..]) {
            crate::steps::take(distance + 1);
            let at = self.scanned + distance;
            let is_after_cr = distance == 0 && self.is_after_cr;
            self.scanned = at + 1;
            self.is_after_cr = bytes[at] == b'\r';
            let line = mem::replace(&mut self.line, self.scanned);
            let is_complete = match bytes[at] {
                b'\n' if is_after_cr => at == 0,
                _ => line == at || (line == 0 && bytes.starts_with(b":")),
            };
            if is_complete {
                return Some(self.unit_of(at + 1));
            }
        }
        if self.scanned < bytes.len() {
            crate::steps::take(bytes.len() - self.scanned);
            self.scanned = bytes.len();
            self.is_after_cr = false;
        }
        None
    }

    fn unit_of(&mut self, length: usize) -> usize {
        self.has_begun = true;
        self.end_unit();
        length
    }

    fn end_unit(&mut self) {
        (self.scanned, self.line) = (0, 0);
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Whether an event carries data; one that only primes a client with its `id` has an empty line.
fn has_data(event: &[u8]) -> bool {
    lines(event).filter_map(data).any(|data| !data.trim_ascii().is_empty())
}

/// Whether JSON stands in lines that no client should read as data, and a careless one could. What has a name of its
/// own before it is ignored by every client, unless there is a trace of a list in such lines.
fn has_stray_json(event: &[u8]) -> bool {
    let (mut has_brace, mut has_list) = (false, false);
    for line in lines(event).filter(|line| data(line).is_none()) {
        if line.contains(&b'{') {
            has_brace = true;
            if !is_ignored(line) {
                return true;
            }
        }
        has_list |= has_trace(line);
    }
    has_brace && has_list
}

/// Whether a line is a comment, or a field that is no data, also one of a name that nobody knows (WHATWG HTML §9.2.6).
fn is_ignored(line: &[u8]) -> bool {
    let Some(end) = line.iter().position(|&byte| byte == b':') else { return is_field(line) };
    let name = &line[..end];
    let is_word =
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    is_word && !name.eq_ignore_ascii_case(b"data")
}

/// Tells when a stream begins in earnest: with data, or with a comment. Each byte is looked at once.
///
/// An event without data, which tells clients where to resume, is no beginning. A comment is: servers
/// send them when nothing happens for long. So is too much of anything else, which nobody should hold.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    seen: usize,
    line: LineStart,
}

/// What is known of a line by its first bytes.
#[derive(Debug)]
enum LineStart {
    /// So many bytes of `data:`.
    Prefix(usize),
    Data,
    Other,
}

impl Default for LineStart {
    fn default() -> Self {
        Self::Prefix(0)
    }
}

impl Beginning {
    /// Takes what has come; whether the stream has begun.
    pub(super) fn push(&mut self, piece: &[u8]) -> bool {
        piece.iter().any(|byte| self.begins_with(*byte)) || self.is_too_long()
    }

    /// Whether more has come than should be held.
    pub(super) fn is_too_long(&self) -> bool {
        const MAX_HELD: usize = 16 * 1024;
        self.seen > MAX_HELD
    }

    fn begins_with(&mut self, byte: u8) -> bool {
        let is_mark = BYTE_ORDER_MARK.get(self.seen) == Some(&byte);
        self.seen += 1;
        match (&self.line, byte) {
            (LineStart::Prefix(0), b':') => return true,
            (LineStart::Data, _) if !byte.is_ascii_whitespace() => return true,
            (_, b'\n' | b'\r') => self.line = LineStart::Prefix(0),
            (LineStart::Prefix(0), _) if is_mark => {}
            (LineStart::Prefix(length), _) if b"data:".get(*length) == Some(&byte) => {
                self.line = match length {
                    4 => LineStart::Data,
                    _ => LineStart::Prefix(length + 1),
                };
            }
            (LineStart::Prefix(_), _) => self.line = LineStart::Other,
            (LineStart::Data | LineStart::Other, _) => {}
        }
        false
    }
}

/// The event with its data rewritten, where that is needed.
fn rewritten(event: &[u8], rewrite: &mut Rewrite<'_>) -> Result<Option<Vec<u8>>, Fault> {
    if has_stray_json(event) {
        return Err(Fault::StrayLine);
    }
    if !has_data(event) {
        return Ok(None);
    }
    Ok(rewrite(&joined_data(event))?.map(|new| with_data(event, &new)))
}

/// The data of an event; it is copied where it has several lines.
fn joined_data(event: &[u8]) -> Cow<'_, [u8]> {
    let mut all = lines(event).filter_map(data);
    match (all.next(), all.next()) {
        (None, _) => Cow::Borrowed(&[]),
        (Some(only), None) => Cow::Borrowed(only),
        (Some(first), Some(second)) => {
            let every: Vec<&[u8]> = [first, second].into_iter().chain(all).collect();
            Cow::Owned(every.join(&b'\n'))
        }
    }
}

/// The new data stands where the first of the old was, with its line end.
fn with_data(event: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len());
    let mut unwritten = Some(new);
    for line in lines(event) {
        if data(line).is_none() {
            // A CR whose next line is gone must not become one line end with this LF.
            if line == b"\n" && out.ends_with(b"\r") {
                out.push(b'\n');
            }
            out.extend_from_slice(line);
        } else if let Some(whole) = unwritten.take() {
            let end = &line[content(line).len()..];
            for part in whole.split(|byte| matches!(byte, b'\n' | b'\r')) {
                out.extend([b"data: ", part, end].concat());
            }
        }
    }
    out
}

/// Whether an event says where to resume.
fn has_id(event: &[u8]) -> bool {
    lines(event).any(|line| id(line).is_some())
}

/// The event with its identifier sealed. An empty one says that there is none, and stays.
fn with_sealed_id(event: &[u8], seal_id: &SealId) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len());
    for line in lines(event) {
        let Some(value) = id(line).filter(|value| !value.is_empty()) else {
            // A CR whose next line is gone must not become one line end with this LF.
            if line == b"\n" && out.ends_with(b"\r") {
                out.push(b'\n');
            }
            out.extend_from_slice(line);
            continue;
        };
        if let Some(sealed) = std::str::from_utf8(value).ok().and_then(seal_id) {
            let end = &line[content(line).len()..];
            out.extend([b"id: ", sealed.as_bytes(), end].concat());
        }
    }
    out
}

/// The lines of an event, each with its end.
fn lines(mut event: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let content = content(event).len();
        crate::steps::take(content + 1);
        let end = if event[content..].starts_with(b"\r\n") { 2 } else { 1 };
        let (line, rest) = event.split_at(event.len().min(content + end));
        event = rest;
        (!line.is_empty()).then_some(line)
    })
}

/// The first line without its end.
fn content(lines: &[u8]) -> &[u8] {
    &lines[..line_end(lines).unwrap_or(lines.len())]
}

/// Where the first line ends.
fn line_end(lines: &[u8]) -> Option<usize> {
    memchr2(b'\n', b'\r', lines)
}

/// The value of a line that is a `data` field.
fn data(line: &[u8]) -> Option<&[u8]> {
    field(line, b"data")
}

/// The value of a line that is an `id` field.
fn id(line: &[u8]) -> Option<&[u8]> {
    field(line, b"id")
}

/// The value of a line that is the field of this name.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    match content(line).strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Data of one letter gets two lines, data with a `!` is a fault, any other stays.
    fn doubled(data: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match data {
            [letter] => Ok(Some(vec![*letter, b'\n', *letter])),
            _ if data.contains(&b'!') => Err(Fault::NotAMessage),
            _ => Ok(None),
        }
    }

    fn rewritten(chunks: &[&[u8]]) -> Result<Vec<u8>, Fault> {
        let mut stream = EventStream::new(100);
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(stream.push(Bytes::copy_from_slice(chunk), &mut doubled)?);
        }
        out.extend(stream.finish()?);
        assert_eq!(stream.finish(), Ok(Bytes::new()));
        Ok(out)
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn only_the_data_of_rewritten_events_changes() {
        let rows = [
            ("data: ab\n\n", "data: ab\n\n"),
            ("data: a\n\n", "data: a\ndata: a\n\n"),
            ("data:a\r\n\r\n", "data: a\r\ndata: a\r\n\r\n"),
            ("data:a\r\r", "data: a\rdata: a\r\r"),
            ("data:a\n\r\n", "data: a\ndata: a\n\r\n"),
            ("\u{feff}data: a\n\n", "\u{feff}data: a\ndata: a\n\n"),
            ("\u{feff}\n\u{feff}data: a\n\n", "\u{feff}\n\u{feff}data: a\n\n"),
            ("id: 1\n\u{feff}data: a\n\n", "id: 1\n\u{feff}data: a\n\n"),
            ("id:1\ndata: a\nretry: 5\n: c\n\nx", "id:1\ndata: a\ndata: a\nretry: 5\n: c\n\nx"),
            // Two lines of data, together the letter and nothing: not one letter.
            ("data: a\nid: 1\ndata\n\n", "data: a\nid: 1\ndata\n\n"),
            (
                "data: a\n\ndata: bc\n\ndata:d\n\n",
                "data: a\ndata: a\n\ndata: bc\n\ndata: d\ndata: d\n\n",
            ),
            // Fields that are not `data`, and data that is empty.
            (
                "Data: a\n data: a\ndata : a\ndata2: a\n:data: a\n\n",
                "Data: a\n data: a\ndata : a\ndata2: a\n:data: a\n\n",
            ),
            (
                "id: 1\ndata:\n\ndata\n\ndata: \ndata: \n\ndata:   \n\n",
                "id: 1\ndata:\n\ndata\n\ndata: \ndata: \n\ndata:   \n\n",
            ),
            ("\n\n\r\r\n", "\n\n\r\r\n"),
            // What the stream's end cuts off.
            ("id: 1\ndata: a\n", ""),
            ("data: ab", ""),
            ("data:a\r\n", ""),
            ("data: ab\n\nid: 1\ndata: b", "data: ab\n\n"),
            ("id: 1\ndata:\n: c", "id: 1\ndata:\n: c"),
            ("", ""),
        ];
        for (stream, expected) in rows {
            assert_eq!(
                rewritten(&[stream.as_bytes()]).map(|out| text(&out)),
                Ok(expected.to_owned()),
                "{stream:?}"
            );
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(
                rewritten(&bytes).map(|out| text(&out)),
                Ok(expected.to_owned()),
                "{stream:?}"
            );
        }
    }

    #[test]
    fn several_lines_of_data_are_one() {
        let one = |data: &[u8]| {
            assert_eq!(data, b"{\n a\n");
            Ok(Some(b"{}".to_vec()))
        };
        let rows = [
            ("data: {\nid: 1\ndata:  a\r\ndata\r: c\n\n", "data: {}\nid: 1\n: c\n\n"),
            // A CR and a LF that met would be one line end: no blank line, no event.
            ("data:{\rdata:  a\ndata:\n\n", "data: {}\r\n\n"),
            ("data:{\nid: 1\rdata:  a\ndata:\n\n", "data: {}\nid: 1\r\n\n"),
            ("data:{\rdata:  a\rdata:\r\r\n", "data: {}\r\r\n"),
        ];
        for (stream, expected) in rows {
            let out =
                EventStream::new(100).push(Bytes::copy_from_slice(stream.as_bytes()), &mut { one });
            assert_eq!(out.map(|out| text(&out)), Ok(expected.to_owned()), "{stream:?}");
        }
    }

    #[test]
    fn what_can_be_sent_on_is_sent_at_once() {
        let rows = [
            ("data: ab", ""),
            ("\r", ""),
            ("\r", "data: ab\r\r"),
            ("\n", "\n"),
            (": ping\n", ": ping\n"),
            (": ping\r", ": ping\r"),
            ("\n\n", "\n\n"),
            ("id: 1\n: c\n", ""),
            ("\ndata: cd\n\nda", "id: 1\n: c\n\ndata: cd\n\n"),
        ];
        let mut stream = EventStream::new(100);
        for (chunk, expected) in rows {
            let out = stream.push(Bytes::copy_from_slice(chunk.as_bytes()), &mut doubled);
            assert_eq!(out.map(|out| text(&out)), Ok(expected.to_owned()), "{chunk:?}");
        }
    }

    #[test]
    fn faults_end_the_stream() {
        let longest = format!("data: {}\n\n", "x".repeat(92));
        let too_long = format!("data: {}\n\n", "x".repeat(93));
        assert_eq!(rewritten(&[longest.repeat(5).as_bytes()]), Ok(longest.repeat(5).into_bytes()));
        assert_eq!(rewritten(&[too_long.as_bytes()]), Err(Fault::TooLong));
        assert_eq!(rewritten(&["x".repeat(101).as_bytes()]), Err(Fault::TooLong));
        assert_eq!(rewritten(&["\n\n".as_bytes(), b"data: !!\n\n"]), Err(Fault::NotAMessage));
        let mut stream = EventStream::new(2);
        assert_eq!(stream.push(Bytes::from_static(b"data"), &mut doubled), Err(Fault::TooLong));
        assert_eq!(stream.push(Bytes::from_static(b": a\n\n"), &mut doubled), Err(Fault::TooLong));
    }

    #[test]
    fn an_event_has_data_or_only_primes() {
        let rows: [(&[u8], bool); 12] = [
            (b"data: {}\n\n", true),
            (b"id: 1\r\ndata:x\r\n\r\n", true),
            (b"data:\rdata:x\r\r", true),
            (b"data: x", true),
            (b"id: 1\ndata:\n\n", false),
            (b"id: 1\ndata: \n\n", false),
            (b"id: 1\ndata\n\n", false),
            (b"retry: 5\n\n", false),
            (b": data: x\n\n", false),
            (b"database: x\n\n", false),
            (b"\n", false),
            (b"", false),
        ];
        for (event, expected) in rows {
            assert_eq!(has_data(event), expected, "{}", text(event));
        }
    }

    /// What a client dispatches: `id`, `event` and `data`; written after the standard's words.
    fn dispatched(stream: &[u8]) -> Vec<(String, String, String)> {
        let stream = text(stream).replace("\r\n", "\n").replace('\r', "\n");
        let (mut id, mut kind, mut data) = (String::new(), String::new(), String::new());
        let mut events = Vec::new();
        let mut lines: Vec<&str> =
            stream.strip_prefix('\u{feff}').unwrap_or(&stream).split('\n').collect();
        lines.pop();
        for line in lines {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() => {
                    let data = mem::take(&mut data);
                    let kind = mem::take(&mut kind);
                    if let Some(data) = data.strip_suffix('\n') {
                        events.push((id.clone(), kind, data.to_owned()));
                    }
                }
                "id" => value.clone_into(&mut id),
                "event" => value.clone_into(&mut kind),
                "data" => data.extend([value, "\n"]),
                _ => {}
            }
        }
        events
    }

    #[test]
    fn a_stream_begins_with_data_or_a_comment_however_it_is_cut() {
        let rows = [
            ("data: {}", true),
            ("data:x", true),
            ("\n\nid: 1\r\ndata:\tx", true),
            ("data:\rdata: x", true),
            (":", true),
            ("id: 1\n: c", true),
            ("\u{feff}data: x", true),
            ("\u{feff}:", true),
            ("", false),
            ("data", false),
            ("data:", false),
            ("data:   \n\n", false),
            ("id: 1\nretry: 3\n\n", false),
            ("database: x", false),
            ("dat: x\n data: x", false),
            ("id: 1\n\u{feff}data: x", false),
            ("x:\u{feff}data: x", false),
        ];
        for (start, expected) in rows {
            assert_eq!(Beginning::default().push(start.as_bytes()), expected, "{start:?}");
            let mut beginning = Beginning::default();
            let mut pieces = start.as_bytes().chunks(1);
            assert_eq!(pieces.any(|piece| beginning.push(piece)), expected, "{start:?}");
        }
        let mut beginning = Beginning::default();
        assert!((0..1000).any(|_| beginning.push(&[b'x'; 100])), "it is not held for ever");
    }

    /// Each identifier between brackets; one with a `!` must not be sent.
    fn with_ids(chunks: &[&[u8]]) -> String {
        let seal = |id: &str| (!id.contains('!')).then(|| format!("[{id}]"));
        let mut stream = EventStream::new(100).sealing_ids(Some(Box::new(seal)));
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(stream.push(Bytes::copy_from_slice(chunk), &mut doubled).unwrap());
        }
        out.extend(stream.finish().unwrap());
        text(&out)
    }

    #[test]
    fn the_identifiers_of_all_events_are_sealed() {
        let rows = [
            ("id: 1\ndata: ab\n\n", "id: [1]\ndata: ab\n\n"),
            ("data: a\nid:2\r\n\n", "data: a\ndata: a\nid: [2]\r\n\n"),
            // Without data it says where to begin.
            (
                "id: 1\nretry: 5\n\n: c\n\nid: 2\rdata:\r\r",
                "id: [1]\nretry: 5\n\n: c\n\nid: [2]\rdata:\r\r",
            ),
            // An empty one says that there is none; one that cannot be sealed is left out.
            ("id:\ndata: ab\n\nid\n\n", "id:\ndata: ab\n\nid\n\n"),
            ("id: !\ndata: ab\n\n", "data: ab\n\n"),
            ("data: ab\rid: !\n\n", "data: ab\r\n\n"),
            // Other fields, and what is no event.
            (
                "ID: 1\n id: 1\nidx: 1\n:id: 1\ndata: ab\n\n",
                "ID: 1\n id: 1\nidx: 1\n:id: 1\ndata: ab\n\n",
            ),
            ("data: id: 1\n\nid: 1\n", "data: id: 1\n\n"),
            ("\u{feff}id: 1\n\n", "\u{feff}id: [1]\n\n"),
        ];
        for (stream, expected) in rows {
            assert_eq!(with_ids(&[stream.as_bytes()]), expected, "{stream:?}");
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(with_ids(&bytes), expected, "{stream:?}");
        }
    }

    #[test]
    fn json_that_is_no_field_of_an_event_is_a_fault() {
        for line in [
            "{}",
            "[{}]",
            " data: {}",
            "Data: {}",
            "data : {}",
            "x {",
            "\"x\": {",
            "x: {\"tools\":[]}",
            "\u{feff}data: {}",
        ] {
            for stream in [format!("{line}\n\n"), format!("id: 1\n{line}\ndata: ab\n\n")] {
                let outcome = rewritten(&[b"\n", stream.as_bytes()]);
                assert_eq!(outcome, Err(Fault::StrayLine), "{stream:?}");
            }
            assert_eq!(rewritten(&[b"\n", line.as_bytes()]), Err(Fault::StrayLine), "{line:?}");
        }
        for lines in ["x: {\nx: \"tools\":[", ": {\nretry: \"prompts\"", "id: {\nmeta: \"Tools\""] {
            let stream = format!("id: 1\n{lines}\ndata: ab\n\n");
            assert_eq!(rewritten(&[stream.as_bytes()]), Err(Fault::StrayLine), "{stream:?}");
        }
        for line in [":{\"tools\":[]}", "event: {\"prompts\":[]}", "id: {\"\\u0074ools\"}"] {
            let outcome = rewritten(&[format!("{line}\n\n").as_bytes()]);
            assert_eq!(outcome, Err(Fault::StrayLine), "{line:?}");
        }
        for line in [
            ": {}",
            "event: {}",
            "id: {}",
            "retry: {}",
            "data: {}",
            "meta: {\"a\":1}",
            "x-y_1: [{}]",
            "id: 1\nmeta: {\"a\":1}\ndata: ab",
        ] {
            let stream = format!("{line}\n\n");
            assert_eq!(rewritten(&[stream.as_bytes()]), Ok(stream.into_bytes()));
        }
    }

    #[test]
    fn a_long_event_goes_on_unless_it_could_be_a_list() {
        let long = "x".repeat(200);
        let plain = format!("data: a\n\ndata: {long}\ndata: {long}\r\n\r\ndata: b\n\ndata: cc\n\n");
        let expected = plain
            .replace("data: a\n", "data: a\ndata: a\n")
            .replace("data: b\n", "data: b\ndata: b\n");
        let list = format!("data: {long}\"too");
        let pass = |stream: &str, size: usize| {
            let mut events = EventStream::new(100).passing_longer(true);
            let mut out = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                out.extend(events.push(Bytes::copy_from_slice(piece), &mut doubled)?);
            }
            out.extend(events.finish()?);
            Ok(text(&out))
        };
        for size in [1, 2, 7, 150, 10_000] {
            assert_eq!(pass(&plain, size), Ok(expected.clone()), "{size}");
            assert_eq!(pass(&list, size), Ok(list.clone()), "{size}");
            assert_eq!(pass(&format!("{list}ls\":"), size), Err(Fault::TooLong), "{size}");
        }
    }

    fn any_stream() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            4 => Just(""),
            6 => prop::sample::select(vec!["data: a", "data:é", "data: \"b\":", "data: 😀}"]),
            4 => prop::sample::select(vec!["data", "data:", "data:  ", "id: 1", "id:2", "event: message"]),
            2 => prop::sample::select(vec![":", ": c", "retry: 5", "Data: a", "\u{feff}data: a", "x"]),
        ];
        let end = prop::sample::select(vec!["\n", "\r", "\r\n"]);
        let lines = vec((line, end), 0..24);
        let tail = prop::sample::select(vec!["", "", "data: a", "id", "data"]);
        let start = prop::sample::select(vec!["", "\u{feff}", "\u{feff}\u{feff}"]);
        (start, lines, tail).prop_map(|(start, lines, tail)| {
            let lines: String = lines.into_iter().flat_map(|(line, end)| [line, end]).collect();
            [start, &lines, tail].concat().into_bytes()
        })
    }

    fn cut<'s>(stream: &'s [u8], cuts: &[prop::sample::Index]) -> Vec<&'s [u8]> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let starts = iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([stream.len()]);
        starts.zip(ends).map(|(start, end)| &stream[start..end]).collect()
    }

    /// What goes out, or the fault.
    fn rewritten_by(chunks: &[&[u8]], rewrite: &mut Rewrite<'_>) -> Vec<u8> {
        let mut stream = EventStream::new(usize::MAX);
        let mut out = Vec::new();
        let mut pass = || {
            for chunk in chunks {
                out.extend(stream.push(Bytes::copy_from_slice(chunk), rewrite)?);
            }
            out.extend(stream.finish()?);
            Ok::<_, Fault>(())
        };
        match pass() {
            Ok(()) => out,
            Err(fault) => fault.to_string().into_bytes(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..Default::default() })]

        #[test]
        fn chunks_make_no_difference(
            stream in any_stream(),
            cuts in vec(any::<prop::sample::Index>(), 0..12),
            bytes in vec(any::<u8>(), 0..64),
        ) {
            for stream in [stream, bytes] {
                let mut some = |data: &[u8]| Ok((data.len() % 2 == 1).then(|| data.repeat(2)));
                let whole = rewritten_by(&[&stream], &mut some);
                let pieces = rewritten_by(&cut(&stream, &cuts), &mut some);
                prop_assert_eq!(text(&pieces), text(&whole));
                let bytes: Vec<&[u8]> = stream.chunks(1).collect();
                prop_assert_eq!(text(&rewritten_by(&bytes, &mut some)), text(&whole));
            }
        }

        #[test]
        fn a_client_sees_sealed_identifiers_alone(stream in any_stream()) {
            let plain = dispatched(&rewritten_by(&[&stream], &mut |_| Ok(None)));
            let seal = |id: &str| Some(format!("[{id}]"));
            let mut sealing = EventStream::new(usize::MAX).sealing_ids(Some(Box::new(seal)));
            let pushed = sealing.push(Bytes::copy_from_slice(&stream), &mut |_| Ok(None));
            let Ok(mut out) = pushed.map(|bytes| bytes.to_vec()) else { return Ok(()) };
            let Ok(rest) = sealing.finish() else { return Ok(()) };
            out.extend(rest);
            let expected: Vec<_> = plain
                .into_iter()
                .map(|(id, kind, data)| (if id.is_empty() { id } else { format!("[{id}]") }, kind, data))
                .collect();
            prop_assert_eq!(dispatched(&out), expected);
        }

        #[test]
        fn a_stream_that_needs_no_change_stays(stream in any_stream()) {
            let out = rewritten_by(&[&stream], &mut |_| Ok(None));
            let rest = stream.strip_prefix(&*out);
            prop_assert!(rest.is_some_and(|rest| rest.is_empty() || has_data(rest)), "{:?}", text(&out));
            prop_assert_eq!(dispatched(&out), dispatched(&stream));
        }

        #[test]
        fn a_client_sees_the_same_events_with_new_data(stream in any_stream()) {
            let new = |data: &str| format!("[{data}\n]");
            let mut some = |data: &[u8]| Ok((data.len() % 2 == 1).then(|| new(&text(data)).into_bytes()));
            let mut expected = dispatched(&stream);
            for (_, _, data) in &mut expected {
                if !data.trim().is_empty() && data.len() % 2 == 1 {
                    *data = new(data);
                }
            }
            prop_assert_eq!(dispatched(&rewritten_by(&[&stream], &mut some)), expected);
        }
    }
}
