//! A document with other bytes in place of some of its own. Every other byte stays as it is.

use std::ops::Range;

/// A document, and the changes that were found to be needed in it.
pub(super) struct Splice<'d> {
    document: &'d [u8],
    /// What to put in place of which bytes; they do not overlap.
    edits: Vec<(Range<usize>, String)>,
}

impl<'d> Splice<'d> {
    pub(super) fn new(document: &'d [u8]) -> Self {
        Self { document, edits: Vec::new() }
    }

    /// Puts this text in place of a part, which is borrowed from the document.
    pub(super) fn replace(&mut self, part: &'d str, text: String) {
        let range = self.range(part);
        self.edits.push((range, text));
    }

    /// Puts this text behind the first byte of a part.
    pub(super) fn insert_after_first(&mut self, part: &'d str, text: String) {
        let place = self.range(part).start + 1;
        self.edits.push((place..place, text));
    }

    /// Where a part, which is borrowed from the document, stands in it.
    fn range(&self, part: &'d str) -> Range<usize> {
        let start = part.as_ptr().addr() - self.document.as_ptr().addr();
        start..start + part.len()
    }

    /// The document with all changes made; `None` if there are none.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut changed = Vec::with_capacity(self.document.len());
        let mut done = 0;
        for (range, text) in self.edits {
            changed.extend_from_slice(&self.document[done..range.start]);
            changed.extend_from_slice(text.as_bytes());
            done = range.end;
        }
        changed.extend_from_slice(&self.document[done..]);
        Some(changed)
    }
}
