//! A stream of events whose lists are filtered as they come by.

use bytes::Bytes;

use super::ListRules;
use super::event_stream::EventStream;
use super::list_filter::Fault;

/// A longer event ends the response, where a list is asked for or shows in it.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Events of which one caller sees what the policy allows.
pub(super) struct FilteredEvents {
    stream: EventStream,
    lists: Box<ListRules>,
    is_over: bool,
}

impl FilteredEvents {
    pub(super) fn new(lists: Box<ListRules>) -> Self {
        let stream = EventStream::new(MAX_EVENT_BYTES).passing_longer(!lists.is_asked);
        Self { stream, lists, is_over: false }
    }

    /// What can be sent of what has come; `None`: the response ends here.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let lists = &self.lists;
        let passed = self.stream.push(chunk, &mut |data| lists.apply_to_event(data));
        self.logged(passed)
    }

    /// What is left at the end; `None`: it cannot be sent.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.is_over, true) {
            return Some(Bytes::new());
        }
        let rest = self.stream.finish();
        self.logged(rest)
    }

    fn logged(&mut self, passed: Result<Bytes, Fault>) -> Option<Bytes> {
        if let Err(fault) = &passed {
            tracing::error!(%fault, "a response is cut off: its lists cannot be filtered");
            self.is_over = true;
        }
        passed.ok()
    }
}
