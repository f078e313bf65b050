//! A stream of events whose lists are filtered as they come by.
//!
//! Tested in `authorize::policy::lists`.

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
}

impl FilteredEvents {
    pub(super) fn new(lists: Box<ListRules>) -> Self {
        let stream = EventStream::new(MAX_EVENT_BYTES)
            .passing_longer(!lists.is_asked)
            .sealing_ids(lists.event_sealer());
        Self { stream, lists }
    }

    /// What can be sent of what has come.
    ///
    /// # Errors
    /// What the client must not see: the response ends here.
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<Bytes, Fault> {
        let lists = &self.lists;
        self.stream.push(chunk, &mut |data| lists.apply_to_event(data))
    }

    /// What is left at the end.
    ///
    /// # Errors
    /// JSON that is no event.
    pub(super) fn finish(mut self) -> Result<Bytes, Fault> {
        self.stream.finish()
    }
}
