//! What the lists of a response may show to one caller.
//!
//! An item stays if the caller could call it, or needs only more scopes for it (not with `strict_lists`). The same rules
//! decide about calls: a list that showed less or more than what can be called would be a lie.
//!
//! Tested in `authorize::policy::lists` and `authorize::policy::matrix`.

use std::fmt;
use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::list_filter::{Fault, ListKind, PrivateRule, rewrite};
use super::list_trace::has_trace;
use crate::auth_info::AuthInfo;
use crate::authorize::{Messages, Operation};
use crate::serve::{Resource, mcp_headers};

/// The policy of a resource, applied to the lists in a response.
///
/// Lists of every kind are filtered in every response: a server that keeps sessions may answer one request on
/// the stream of another.
pub(in crate::serve) struct ListRules {
    resource: Arc<Resource>,
    caller: Option<AuthInfo>,
    /// Whether the request asks for a list: then what is not understood is withheld as a whole.
    pub(super) is_asked: bool,
    private: PrivateRule,
}

impl ListRules {
    /// For the answer to these messages; `None` without a policy.
    pub(in crate::serve) fn for_answer(
        resource: &Arc<Resource>,
        request: &Parts,
        messages: &Messages<'_>,
        caller: Option<&AuthInfo>,
    ) -> Option<Self> {
        let mut methods = messages.operations.iter().map(Operation::method);
        let is_asked = methods.any(|method| ListKind::from_method(method).is_some());
        Self::new(resource, request, is_asked, caller)
    }

    /// For a stream that may repeat answers given elsewhere.
    pub(in crate::serve) fn for_stream(
        resource: &Arc<Resource>,
        request: &Parts,
        caller: &AuthInfo,
    ) -> Option<Self> {
        // RFC 9110 §9.3.2: nothing of the body is sent, and the headers are those of another response.
        if request.method == Method::HEAD {
            return None;
        }
        Self::new(resource, request, false, Some(caller))
    }

    fn new(
        resource: &Arc<Resource>,
        request: &Parts,
        is_asked: bool,
        caller: Option<&AuthInfo>,
    ) -> Option<Self> {
        if resource.authorizers.is_empty() {
            return None;
        }
        let private = match mcp_headers::has_cache_scope(&request.headers) {
            true => PrivateRule::Always,
            false => PrivateRule::IfCacheable,
        };
        Some(Self { resource: resource.clone(), caller: caller.cloned(), is_asked, private })
    }

    /// The same for the data of an event, which need not be a message: some are only a sign of life.
    pub(super) fn apply_to_event(&self, data: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let is_message = matches!(data.trim_ascii_start().first(), Some(b'{' | b'['));
        // A list is written with braces, whatever stands before them.
        let may_be_one = data.contains(&b'{') && (self.is_asked || has_trace(data));
        match (is_message, may_be_one) {
            (true, _) => self.apply(data),
            (false, true) => Err(Fault::NotAMessage),
            (false, false) => Ok(None),
        }
    }

    /// The document with what the caller may see; `None` when nothing needs to change.
    pub(super) fn apply(&self, document: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if !self.is_asked && !has_trace(document) {
            return Ok(None);
        }
        rewrite(document, self.is_asked, &|kind, name| self.may_see(kind, name), self.private)
    }

    /// Whether a list shows the item of this name.
    fn may_see(&self, kind: ListKind, name: &str) -> bool {
        let operation = match kind {
            ListKind::Tools => Operation::tool(name),
            ListKind::Prompts => Operation::prompt(name),
            ListKind::Resources => Operation::resource(name),
            ListKind::ResourceTemplates => Operation::template(name),
        };
        self.resource.authorizers.lists(self.caller.as_ref(), &operation)
    }
}

impl fmt::Debug for ListRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRules").field("is_asked", &self.is_asked).finish_non_exhaustive()
    }
}
