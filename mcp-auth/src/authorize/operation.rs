//! What a message asks for: its method, what it names, and its arguments.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::message::Object;

/// One call of an MCP method, as a policy sees it.
///
/// Made from the body of a request, never from its headers; or by hand, to ask
/// [`McpAuth::explain`](crate::McpAuth::explain) about it.
pub struct Operation<'m> {
    method: Cow<'m, str>,
    name: Option<Cow<'m, str>>,
    kind: OperationKind,
    /// The message that its arguments are in.
    written: Option<&'m str>,
    /// Whether nobody waits for an answer.
    is_notification: bool,
    arguments: OnceLock<Map<String, Value>>,
}

/// What [`Operation::name`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperationKind {
    /// A tool: `tools/call`.
    Tool,
    /// A prompt: `prompts/get`, and `completion/complete` for one.
    Prompt,
    /// A resource, by its URI: `resources/read`, `resources/subscribe`, `resources/unsubscribe`,
    /// and `completion/complete` for one, by its template.
    Resource,
    /// Anything else; `tasks/*` name a task.
    Other,
}

impl<'m> Operation<'m> {
    /// A call of this method that names nothing.
    pub fn new(method: impl Into<Cow<'m, str>>) -> Self {
        let arguments = OnceLock::new();
        let kind = OperationKind::Other;
        let method = method.into();
        Self { method, name: None, kind, written: None, is_notification: false, arguments }
    }

    /// `tools/call` of this tool.
    pub fn tool(name: impl Into<Cow<'m, str>>) -> Self {
        Self::new("tools/call").naming(OperationKind::Tool, name)
    }

    /// `prompts/get` of this prompt.
    pub fn prompt(name: impl Into<Cow<'m, str>>) -> Self {
        Self::new("prompts/get").naming(OperationKind::Prompt, name)
    }

    /// `resources/read` of this URI.
    pub fn resource(uri: impl Into<Cow<'m, str>>) -> Self {
        Self::new("resources/read").naming(OperationKind::Resource, uri)
    }

    /// What GET and DELETE do, and answers to the server's own requests: they call nothing, but the
    /// rules for everything hold for them too.
    pub(crate) fn nothing() -> Self {
        Self::new("")
    }

    /// The same with these arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Map<String, Value>) -> Self {
        self.arguments = OnceLock::from(arguments);
        self
    }

    pub(crate) fn naming(mut self, kind: OperationKind, name: impl Into<Cow<'m, str>>) -> Self {
        (self.kind, self.name) = (kind, Some(name.into()));
        self
    }

    /// Its arguments are in this message, which was found to be well-formed. They are read when a
    /// rule asks for them: most do not.
    pub(crate) fn with_arguments_in(mut self, message: &'m str) -> Self {
        self.written = Some(message);
        self
    }

    pub(crate) fn notifying(mut self, is_notification: bool) -> Self {
        self.is_notification = is_notification;
        self
    }

    /// The method, exactly as it was sent.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The tool, prompt, resource or task that is meant.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the name names.
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// The arguments; `None` when there are none, as in lists.
    pub fn arguments(&self) -> Option<&Map<String, Value>> {
        if let Some(known) = self.arguments.get() {
            return Some(known);
        }
        let message = self.written?;
        Some(self.arguments.get_or_init(|| written_arguments(message).unwrap_or_default()))
    }

    /// Whether it is [`Operation::nothing`]. A message whose method is empty is refused.
    pub(crate) fn is_nothing(&self) -> bool {
        self.method.is_empty()
    }

    /// Whether it belongs to the protocol's own business, which every client needs: it opens a
    /// connection or asks for a list, and reaches nothing that a policy would name.
    pub(crate) fn is_housekeeping(&self) -> bool {
        matches!(
            self.method(),
            "initialize"
                | "ping"
                | "server/discover"
                | "tools/list"
                | "prompts/list"
                | "resources/list"
                | "resources/templates/list"
        ) || (self.is_notification && self.method().starts_with("notifications/"))
    }
}

fn written_arguments(message: &str) -> Option<Map<String, Value>> {
    crate::steps::take(message.len());
    #[derive(Deserialize)]
    struct Message {
        params: Object<Params>,
    }
    #[derive(Deserialize)]
    struct Params {
        arguments: Map<String, Value>,
    }
    let Object(message): Object<Message> = serde_json::from_str(message).ok()?;
    Some(message.params.0.arguments)
}

/// Names what is called, for the log; arguments stay out of it. A stranger chose the names, so they
/// are cut, and a URI's query is left out.
impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |text: &str| text.chars().take(64).collect::<String>();
        let method = cut(self.method());
        match self.name().and_then(|name| name.split('?').next()) {
            Some(name) => write!(f, "{:?}", format!("{method} {}", cut(name))),
            None => write!(f, "{method:?}"),
        }
    }
}
