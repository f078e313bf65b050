//! Rewrites the data of server-sent events as they come by (WHATWG HTML §9.2).

use std::iter;
use std::mem;

use bytes::{Bytes, BytesMut};

use super::list_filter::Fault;

/// A stream of events of which any part may have come yet.
#[derive(Default)]
pub(super) struct EventStream {
    max_event_bytes: usize,
    /// What has come of the unit that is not complete yet.
    pending: BytesMut,
    /// How much of `pending` was looked at.
    scanned: usize,
    /// Where the last line in `pending` begins.
    line: usize,
    /// Whether the byte before the next one was a CR, which a LF may follow in the same line end.
    is_after_cr: bool,
    has_begun: bool,
}

/// Something that can replace the data of an event; `None` leaves the event as it is.
pub(super) type Rewrite<'r> = dyn FnMut(&[u8]) -> Result<Option<Vec<u8>>, Fault> + 'r;

impl EventStream {
    pub(super) fn new(max_event_bytes: usize) -> Self {
        Self { max_event_bytes, ..Self::default() }
    }

    /// Takes what has come, wherever it was cut, and gives what can be sent on now.
    ///
    /// # Errors
    /// An event that is too long, or that cannot be rewritten: the stream must end here, without
    /// what else was in the chunk.
    pub(super) fn push(&mut self, chunk: &[u8], rewrite: &mut Rewrite<'_>) -> Result<Bytes, Fault> {
        self.pending.extend_from_slice(chunk);
        let mut out = Vec::new();
        while let Some(unit) = self.next_unit() {
            self.check_length(&unit)?;
            pass(&unit, &mut out, rewrite)?;
        }
        self.check_length(&self.pending)?;
        Ok(Bytes::from(out))
    }

    /// What is left when the stream has ended.
    ///
    /// Clients never dispatch an event without its blank line: its data, not rewritten, is dropped.
    pub(super) fn finish(&mut self) -> Bytes {
        let rest = mem::take(&mut self.pending).freeze();
        (self.scanned, self.line) = (0, 0);
        if has_data(&rest) { Bytes::new() } else { rest }
    }

    /// Takes the next part that can be judged alone: an event with its blank line; or what belongs
    /// to no event, which is a comment before one, a byte order mark, and a late LF of a CRLF.
    fn next_unit(&mut self) -> Option<BytesMut> {
        while let Some(&byte) = self.pending.get(self.scanned) {
            crate::steps::take(1);
            let at = self.scanned;
            self.scanned += 1;
            let is_after_cr = mem::replace(&mut self.is_after_cr, byte == b'\r');
            let is_complete = match byte {
                b'\n' if is_after_cr => {
                    self.line = self.scanned;
                    at == 0
                }
                b'\n' | b'\r' => {
                    let line = mem::replace(&mut self.line, self.scanned);
                    line == at || (line == 0 && self.pending.starts_with(b":"))
                }
                _ => !self.has_begun && self.pending[..self.scanned] == *BYTE_ORDER_MARK,
            };
            if is_complete {
                (self.scanned, self.line, self.has_begun) = (0, 0, true);
                return Some(self.pending.split_to(at + 1));
            }
        }
        None
    }

    fn check_length(&self, event: &[u8]) -> Result<(), Fault> {
        if event.len() > self.max_event_bytes { Err(Fault::TooLong) } else { Ok(()) }
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Whether an event carries data; one that only primes a client with its `id` has an empty line.
pub(super) fn has_data(event: &[u8]) -> bool {
    lines(event).filter_map(data).any(|data| !data.trim_ascii().is_empty())
}

/// Whether a stream begins in earnest with this: with data, or with a comment.
///
/// An event without data, which tells clients where to resume, is no beginning. A comment is: servers
/// send them when nothing happens for long. So is too much of anything else, which nobody should hold.
pub(super) fn begins(start: &[u8]) -> bool {
    const MAX_HELD: usize = 16 * 1024;
    start.len() > MAX_HELD || has_data(start) || lines(start).any(|line| line.starts_with(b":"))
}

fn pass(event: &[u8], out: &mut Vec<u8>, rewrite: &mut Rewrite<'_>) -> Result<(), Fault> {
    if has_data(event) {
        let data: Vec<&[u8]> = lines(event).filter_map(data).collect();
        if let Some(new) = rewrite(&data.join(&b'\n'))? {
            replace_data(event, &new, out);
            return Ok(());
        }
    }
    out.extend_from_slice(event);
    Ok(())
}

/// The new data stands where the first of the old was, with its line end.
fn replace_data(event: &[u8], new: &[u8], out: &mut Vec<u8>) {
    let mut new = Some(new);
    for line in lines(event) {
        if data(line).is_none() {
            // A CR whose next line is gone must not become one line end with this LF.
            if line == b"\n" && out.ends_with(b"\r") {
                out.push(b'\n');
            }
            out.extend_from_slice(line);
        } else if let Some(new) = new.take() {
            let end = &line[content(line).len()..];
            for part in new.split(|&byte| is_line_end(byte)) {
                out.extend([b"data: ", part, end].concat());
            }
        }
    }
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
    lines.split(|&byte| is_line_end(byte)).next().unwrap_or_default()
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The value of a line that is a `data` field.
fn data(line: &[u8]) -> Option<&[u8]> {
    match content(line).strip_prefix(b"data")? {
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
            out.extend(stream.push(chunk, &mut doubled)?);
        }
        out.extend(stream.finish());
        assert_eq!(stream.finish(), Bytes::new());
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
            let out = EventStream::new(100).push(stream.as_bytes(), &mut { one });
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
            let out = stream.push(chunk.as_bytes(), &mut doubled);
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
        assert_eq!(stream.push(b"data", &mut doubled), Err(Fault::TooLong));
        assert_eq!(stream.push(b": a\n\n", &mut doubled), Err(Fault::TooLong));
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

    fn any_stream() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            4 => Just(""),
            6 => prop::sample::select(vec!["data: a", "data:é", "data: {\"b\":", "data: 😀}"]),
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

    fn rewritten_by(chunks: &[&[u8]], rewrite: &mut Rewrite<'_>) -> Vec<u8> {
        let mut stream = EventStream::new(usize::MAX);
        let mut out: Vec<u8> =
            chunks.iter().flat_map(|chunk| stream.push(chunk, rewrite).unwrap()).collect();
        out.extend(stream.finish());
        out
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
