//! What a message asks for: its method, what it names, and its arguments.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::policy::FoundRules;
use crate::json::read_object;
use crate::text::cut;

/// One call of an MCP method, as a policy sees it.
///
/// Made from the body of a request, never from its headers; or by hand, to ask
/// [`McpAuth::explain`](crate::McpAuth::explain) about it.
pub struct Operation<'m> {
    method: Cow<'m, str>,
    name: Option<Cow<'m, str>>,
    kind: OperationKind,
    /// Whether the name is a URI template (RFC 6570) and stands for many resources.
    is_template: bool,
    /// Whether values of the client's are in that template.
    is_filled_in: bool,
    /// The arguments as they were written.
    written: Option<Cow<'m, str>>,
    /// Whether nobody waits for an answer.
    is_notification: bool,
    /// `None` inside: they were written, and could not be read.
    arguments: OnceLock<Option<Map<String, Value>>>,
    found_rules: OnceLock<FoundRules>,
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
        Self {
            method: method.into(),
            name: None,
            kind: OperationKind::Other,
            is_template: false,
            is_filled_in: false,
            written: None,
            is_notification: false,
            arguments: OnceLock::new(),
            found_rules: OnceLock::new(),
        }
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

    /// `resources/templates/list` shows this template if some resource that it stands for may be read.
    pub(crate) fn template(uri: impl Into<Cow<'m, str>>) -> Self {
        Self::new("resources/read").naming_template(uri)
    }

    /// What GET and DELETE do, and answers to the server's own requests: they call nothing, but the
    /// rules for everything hold for them too.
    pub(crate) fn nothing() -> Self {
        Self::new("")
    }

    /// The same with these arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Map<String, Value>) -> Self {
        self.arguments = OnceLock::from(Some(arguments));
        self
    }

    pub(crate) fn naming(mut self, kind: OperationKind, name: impl Into<Cow<'m, str>>) -> Self {
        (self.kind, self.name) = (kind, Some(name.into()));
        self.found_rules = OnceLock::new();
        self
    }

    pub(crate) fn naming_template(self, uri: impl Into<Cow<'m, str>>) -> Self {
        Self { is_template: true, ..self.naming(OperationKind::Resource, uri) }
    }

    /// The same for a template in which values are in place of variables.
    pub(super) fn naming_filled_template(self, uri: impl Into<Cow<'m, str>>) -> Self {
        Self { is_filled_in: true, ..self.naming_template(uri) }
    }

    /// Which rules are about what it names, once a policy has looked.
    pub(super) fn found_rules(&self) -> &OnceLock<FoundRules> {
        &self.found_rules
    }

    /// The same call, for something else that it is about.
    pub(super) fn beside(&self) -> Self {
        Self::new(self.method.clone()).notifying(self.is_notification)
    }

    /// Its arguments are this object, which was found to be well-formed. They are read when a rule asks
    /// for them: most do not.
    pub(crate) fn with_written_arguments(mut self, arguments: &'m str) -> Self {
        self.written = Some(Cow::Borrowed(arguments));
        self
    }

    /// The same call with these arguments and one more, which takes the place of one of its name.
    pub(super) fn beside_with_argument(
        &self,
        chosen: &HashMap<String, Cow<'m, str>>,
        name: &str,
        value: &str,
    ) -> Self {
        let mut arguments: Map<String, Value> = Map::new();
        for (argument, text) in chosen {
            arguments.insert(argument.clone(), Value::from(&**text));
        }
        arguments.insert(name.to_owned(), Value::from(value));
        let written = Value::Object(arguments).to_string();
        Self {
            name: self.name.clone(),
            kind: self.kind,
            written: Some(written.into()),
            ..self.beside()
        }
    }

    /// A copy that outlives the message, for the log.
    pub(crate) fn without_arguments(&self) -> Operation<'static> {
        let name = self.name.as_deref().map(|name| Cow::Owned(name.to_owned()));
        let (kind, is_template, is_filled_in) = (self.kind, self.is_template, self.is_filled_in);
        Operation {
            kind,
            name,
            is_template,
            is_filled_in,
            ..Operation::new(self.method().to_owned())
        }
    }

    /// A copy that outlives the message.
    pub(crate) fn whole_copy(&self) -> Operation<'static> {
        let written = self.written_arguments().map(|arguments| Cow::Owned(arguments.to_owned()));
        let is_notification = self.is_notification;
        Operation { written, is_notification, ..self.without_arguments() }
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
    ///
    /// Of `completion/complete` for a prompt they are those that the client says it has chosen.
    pub fn arguments(&self) -> Option<&Map<String, Value>> {
        match self.written_arguments() {
            Some(written) => self.arguments.get_or_init(|| read_object(written).ok()).as_ref(),
            None => self.arguments.get()?.as_ref(),
        }
    }

    /// Whether arguments were written that nobody can read. It cannot be, since the message was read as
    /// strictly; whoever decides refuses all the same.
    pub(crate) fn has_unreadable_arguments(&self) -> bool {
        self.written.is_some() && matches!(self.arguments.get(), Some(None))
    }

    /// The arguments as they were written, if they are those of a message.
    pub(crate) fn written_arguments(&self) -> Option<&str> {
        self.written.as_deref()
    }

    /// The tool that is called; `None` for anything but `tools/call`.
    pub(crate) fn tool_name(&self) -> Option<&str> {
        self.name().filter(|_| self.kind == OperationKind::Tool)
    }

    pub(crate) fn is_template(&self) -> bool {
        self.is_template
    }

    /// Whether it is [`Operation::nothing`]. A message whose method is empty is refused.
    pub(crate) fn is_nothing(&self) -> bool {
        self.method.is_empty()
    }

    /// Whether the method does something with the resource that `uri` names.
    pub(super) fn is_about_resource(&self) -> bool {
        matches!(
            self.method(),
            "resources/read"
                | "resources/subscribe"
                | "resources/unsubscribe"
                // Of rmcp, beyond the specification: what is in a directory.
                | "resources/directory/read"
        )
    }

    /// Whether the method does something with the task that `taskId` names.
    pub(crate) fn is_about_task(&self) -> bool {
        self.method().starts_with("tasks/")
    }

    /// Whether an open rule for what is named opens this method: it calls, gets, reads, subscribes to
    /// or completes just that. Another method that happens to name something does who knows what.
    pub(super) fn can_be_opened_by_name(&self) -> bool {
        match self.kind {
            OperationKind::Tool => self.method() == "tools/call",
            OperationKind::Prompt => {
                matches!(self.method(), "prompts/get" | "completion/complete")
            }
            OperationKind::Resource => {
                self.is_about_resource()
                    || matches!(self.method(), "completion/complete" | "subscriptions/listen")
            }
            OperationKind::Other => false,
        }
    }

    /// Whether it completes an argument, and so calls nothing yet.
    pub(super) fn is_completion(&self) -> bool {
        self.method() == "completion/complete"
    }

    /// Whether it asks for a list, which depends on who is asking.
    pub(super) fn is_list(&self) -> bool {
        matches!(
            self.method(),
            "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list"
        )
    }

    /// Whether it opens a connection, or keeps it open. It reaches nothing that a policy would name.
    pub(super) fn opens_connection(&self) -> bool {
        match self.method() {
            "initialize" | "ping" | "server/discover" => true,
            "notifications/initialized" => self.is_notification,
            _ => false,
        }
    }

    /// Whether it needs no rule of its own where everything else does: every client needs it, and what
    /// it reaches is filtered, or has a rule of its own.
    pub(super) fn needs_no_declaration(&self) -> bool {
        let is_notification = self.is_notification
            && matches!(
                self.method(),
                "notifications/cancelled"
                    | "notifications/progress"
                    | "notifications/roots/list_changed"
                    | "notifications/tasks/status"
            );
        self.is_nothing()
            || self.opens_connection()
            || self.is_list()
            || is_notification
            || (self.method() == "subscriptions/listen" && self.name.is_none())
    }
}

/// Names what is called, for the log; arguments stay out of it, and so do a URI's query and the values of a template,
/// which is logged without them. A stranger chose the names, so they are cut.
impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = cut(self.method());
        let name = self.name().filter(|_| !self.is_filled_in);
        match name.and_then(|name| name.split('?').next()) {
            Some(name) => write!(f, "{:?}", format!("{method} {}", cut(name))),
            None => write!(f, "{method:?}"),
        }
    }
}
