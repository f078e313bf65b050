//! What the lists of a response may show to one caller.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::list_filter::{Fault, ListKind, PrivateRule, rewrite};
use super::{Resource, mcp_headers};
use crate::auth_info::AuthInfo;
use crate::authorize::{Messages, Operation};

/// The policy of a resource, applied to the lists in a response.
pub(crate) struct ListRules {
    resource: Arc<Resource>,
    caller: Option<AuthInfo>,
    kinds: Vec<ListKind>,
    private: PrivateRule,
}

impl ListRules {
    /// For the answer to these messages; `None` when it has no lists.
    pub(super) fn for_answer(
        resource: &Arc<Resource>,
        request: &Parts,
        messages: &Messages<'_>,
        caller: Option<&AuthInfo>,
    ) -> Option<Self> {
        let lists = |kind: &ListKind| {
            let mut methods = messages.operations.iter().map(Operation::method);
            methods.any(|method| ListKind::from_method(method) == Some(*kind))
        };
        let kinds = ListKind::ALL.into_iter().filter(lists).collect();
        Self::new(resource, request, kinds, caller)
    }

    /// For a stream that may repeat answers given elsewhere.
    pub(super) fn for_stream(
        resource: &Arc<Resource>,
        request: &Parts,
        caller: &AuthInfo,
    ) -> Option<Self> {
        Self::new(resource, request, ListKind::ALL.to_vec(), Some(caller))
    }

    fn new(
        resource: &Arc<Resource>,
        request: &Parts,
        kinds: Vec<ListKind>,
        caller: Option<&AuthInfo>,
    ) -> Option<Self> {
        if kinds.is_empty() || resource.authorizers.is_empty() {
            return None;
        }
        let private = match mcp_headers::has_cache_scope(&request.headers) {
            true => PrivateRule::Always,
            false => PrivateRule::IfCacheable,
        };
        Some(Self { resource: resource.clone(), caller: caller.cloned(), kinds, private })
    }

    /// The same for the data of an event, which need not be a message: some are only a sign of life.
    pub(super) fn apply_to_event(&self, data: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let is_message = matches!(data.trim_ascii_start().first(), Some(b'{' | b'['));
        if is_message { self.apply(data) } else { Ok(None) }
    }

    /// The document with what the caller may see; `None` when nothing needs to change.
    pub(super) fn apply(&self, document: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let keep = |kind: ListKind, name: &str| {
            let operation = match kind {
                ListKind::Tools => Operation::tool(name),
                ListKind::Prompts => Operation::prompt(name),
                ListKind::Resources => Operation::resource(name),
                ListKind::ResourceTemplates => Operation::template(name),
            };
            self.resource.authorizers.lists(self.caller.as_ref(), &operation)
        };
        rewrite(document, &self.kinds, &keep, self.private)
    }
}

impl fmt::Debug for ListRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRules").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}
