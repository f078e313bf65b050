//! The JSON-RPC messages of a request's body, read at least as strictly as by the server behind.
//!
//! The whole text is read once, by the strict reader of [`crate::json`]: members are distinct at
//! every depth, also those that nothing here looks at, because a server may look at them. Which member
//! names what is called depends on the method alone; a member that the method does not have is never a
//! reason to allow it.

use std::borrow::Cow;

use super::Operation;
use super::OperationKind::{Other, Prompt, Resource, Tool};
use super::completed_template::CompletedTemplate;
use super::completion::{Argument, Context, Reference};
use super::member_names::{is_in_other_letters, skip_unless_in_other_letters};
use crate::error::MessageFault;
use crate::json::{JsonError, JsonLimits, JsonReader, Object, read_as, read_whole};

/// Messages that a batch may have, and resources that a subscription may be for.
const MAX_BATCH: usize = 100;

/// The member of `_meta` that says to which task a message belongs (MCP 2025-11-25, "Related Task Metadata").
pub(crate) const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
/// The member of `_meta` that says which revision a message follows.
const REVISION: &str = "io.modelcontextprotocol/protocolVersion";

/// The members that are looked at: none may be there in other letters.
const MEMBERS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const MEMBERS_OF_META: [&str; 2] = [REVISION, RELATED_TASK];
const MEMBERS_OF_PARAMS: [&str; 11] = [
    "name",
    "uri",
    "taskId",
    "ref",
    "argument",
    "context",
    "notifications",
    "arguments",
    "cursor",
    "requestState",
    "_meta",
];

/// What a request's body asks for.
pub(crate) struct Messages<'m> {
    /// Every operation in it, and then what is judged besides. An answer to a request of the server is
    /// [`Operation::nothing`].
    pub(crate) operations: Vec<Operation<'m>>,
    /// How many operations are judged besides.
    beside: usize,
    /// Every task that it is about: `taskId` of `tasks/*`, those that a subscription is for, and those to which messages
    /// say that they belong.
    pub(crate) tasks: Vec<Cow<'m, str>>,
    /// What comes back of that a server gave away: the same tasks, and states of requests.
    pub(crate) handles: Vec<WrittenHandle<'m>>,
    pub(crate) is_batch: bool,
    /// The `id` of a single request, as it was written.
    pub(crate) id: Option<&'m str>,
    /// Whether one of them asks for a page of a list that is not its first.
    pub(crate) has_cursor: bool,
    /// The revision that a single message says it follows; of a batch, the latest that one of its messages does.
    pub(crate) revision: Option<Cow<'m, str>>,
}

/// A handle that comes back in a message: a JSON string as it was written there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WrittenHandle<'m> {
    Task(&'m str),
    /// `requestState`, which need not be a string, and which of the operations it is the state of.
    State {
        written: &'m str,
        of: usize,
    },
}

impl<'m> Messages<'m> {
    /// Reads a body: one message, or a batch of them.
    pub(crate) fn parse(body: &'m [u8]) -> Result<Self, MessageFault> {
        if body.trim_ascii_start().starts_with(b"[") {
            return Self::parse_batch(body);
        }
        let message = read_whole(body, JsonLimits::LARGEST, Message::read)?;
        message.check_id()?;
        let revision = message.params.revision.map(text_of).transpose()?;
        let mut only = Self { id: message.id, revision, ..Self::empty(false) };
        message.add_to(&mut only)?;
        Ok(only)
    }

    fn parse_batch(body: &'m [u8]) -> Result<Self, MessageFault> {
        let mut messages = Vec::new();
        let mut count = 0_usize;
        read_whole(body, JsonLimits::LARGEST, |reader| {
            reader.list(|item| {
                count += 1;
                if count > MAX_BATCH {
                    return item.skip();
                }
                messages.push(Message::read(item)?);
                Ok(())
            })
        })?;
        if messages.is_empty() {
            return Err(MessageFault::Invalid);
        }
        if count > MAX_BATCH {
            return Err(MessageFault::TooLarge);
        }
        let mut all = Self::empty(true);
        for message in messages {
            message.check_id()?;
            let revision = message.params.revision.map(text_of).transpose()?;
            all.revision = all.revision.max(revision);
            message.add_to(&mut all)?;
        }
        Ok(all)
    }

    fn empty(is_batch: bool) -> Self {
        Self {
            operations: Vec::new(),
            beside: 0,
            tasks: Vec::new(),
            handles: Vec::new(),
            is_batch,
            id: None,
            has_cursor: false,
            revision: None,
        }
    }

    /// Adds a task that a message names.
    fn add_task(&mut self, written: &'m str) -> Result<(), MessageFault> {
        self.tasks.push(text_of(written)?);
        self.handles.push(WrittenHandle::Task(written));
        Ok(())
    }

    /// Has these calls judged as well, which are not carried out: those that made the tasks.
    pub(crate) fn judge_besides(&mut self, calls: impl Iterator<Item = Operation<'m>>) {
        let sent = self.operations.len();
        self.operations.extend(calls);
        self.beside += self.operations.len() - sent;
    }

    /// The operations that are carried out.
    pub(crate) fn sent(&self) -> &[Operation<'m>] {
        &self.operations[..self.operations.len() - self.beside]
    }
}

impl From<JsonError> for MessageFault {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax(_) | JsonError::TooDeep | JsonError::WrongNumber => Self::NotJson,
            _ => Self::Invalid,
        }
    }
}

/// JSON-RPC 2.0, with its members as they were written.
#[derive(Default)]
struct Message<'m> {
    jsonrpc: Option<&'m str>,
    /// Also `null`, which identifies no request: an answer to something unreadable has it.
    id: Option<&'m str>,
    method: Option<&'m str>,
    params: Params<'m>,
    /// Whether something in it is of another type than it must be.
    has_wrong_type: bool,
    /// Whether it has a `result` or an `error`, as an answer has.
    has_answer: bool,
    /// The task to which its `result` says that it belongs.
    task_of_result: Option<&'m str>,
}

impl<'m> Object<'m> for Message<'m> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        match name {
            "jsonrpc" => self.jsonrpc = value.written()?,
            "id" => self.id = Some(value.written()?.unwrap_or("null")),
            "method" => {
                self.method = value.written()?;
                self.has_wrong_type |= self.method.is_none();
            }
            "params" => match value.next_byte() {
                Some(b'{') => {
                    value.object(|parameter, inner| self.params.member(parameter, inner))?;
                }
                _ => self.has_wrong_type |= value.written()?.is_some(),
            },
            "result" => {
                self.has_answer = true;
                self.read_result(value)?;
            }
            "error" => {
                self.has_answer = true;
                value.skip()?;
            }
            _ => {
                self.has_wrong_type |= is_in_other_letters(name, &MEMBERS);
                value.skip()?;
            }
        }
        Ok(())
    }
}

impl<'m> Message<'m> {
    /// Reads one message. A message of a wrong form is read to its end, so that a fault of the JSON text is found
    /// first.
    fn read(reader: &mut JsonReader<'m>) -> Result<Self, JsonError> {
        let mut message = Self::default();
        if reader.next_byte() != Some(b'{') {
            message.has_wrong_type = true;
            reader.skip()?;
            return Ok(message);
        }
        reader.object(|name, value| message.member(name, value))?;
        Ok(message)
    }

    /// Of an answer, only the task counts that it belongs to.
    fn read_result(&mut self, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        if value.next_byte() != Some(b'{') {
            return value.skip();
        }
        value.object(|name, inner| {
            if name != "_meta" {
                self.has_wrong_type |= is_in_other_letters(name, &["_meta"]);
                return inner.skip();
            }
            if inner.next_byte() != Some(b'{') {
                self.has_wrong_type |= inner.written()?.is_some();
                return Ok(());
            }
            inner.object(|meta_name, meta| {
                if meta_name != RELATED_TASK {
                    self.has_wrong_type |= is_in_other_letters(meta_name, &MEMBERS_OF_META);
                    return meta.skip();
                }
                self.task_of_result = meta.written()?;
                Ok(())
            })
        })
    }

    /// JSON-RPC 2.0 §4, as MCP narrows it: a text or a number.
    fn check_id(&self) -> Result<(), MessageFault> {
        let is_valid = match self.id {
            None => true,
            // An answer to a message that could not be read.
            Some("null") => self.method.is_none(),
            Some(id) => id.starts_with(begins_text_or_number),
        };
        if is_valid { Ok(()) } else { Err(MessageFault::Invalid) }
    }

    /// Adds what it asks for: one operation or more, for each of which the rules are asked.
    fn add_to(self, messages: &mut Messages<'m>) -> Result<(), MessageFault> {
        let method = self.method.map(text_of).transpose()?;
        let is_version_2 = match self.jsonrpc {
            Some(version) => text_of(version)? == "2.0",
            None => false,
        };
        let is_call = method.is_some();
        if !is_version_2
            || self.has_answer == is_call
            || self.has_wrong_type
            || self.params.has_wrong_type
            || method.as_deref() == Some("")
        {
            return Err(MessageFault::Invalid);
        }
        for related in [self.params.related_task, self.task_of_result].into_iter().flatten() {
            let task: RelatedTask<'m> = object_of(related)?;
            messages.add_task(task.id.ok_or(MessageFault::Invalid)?)?;
        }
        let Some(method) = method else {
            messages.operations.push(Operation::nothing());
            return Ok(());
        };
        let operation = Operation::new(method).notifying(self.id.is_none());
        messages.has_cursor |= self.params.cursor.is_some();
        self.params.add_tasks(&operation, messages)?;
        let state = self.params.request_state;
        self.params.add_operations(operation, &mut messages.operations)?;
        if let Some(written) = state {
            // The last operation is what the message itself is about.
            let of = messages.operations.len().saturating_sub(1);
            messages.handles.push(WrittenHandle::State { written, of });
        }
        Ok(())
    }
}

/// The members of `params` that say what is called, as they were written; `null` counts as absent.
#[derive(Default)]
struct Params<'m> {
    name: Option<&'m str>,
    uri: Option<&'m str>,
    task_id: Option<&'m str>,
    related_task: Option<&'m str>,
    reference: Option<&'m str>,
    argument: Option<&'m str>,
    context: Option<&'m str>,
    notifications: Option<&'m str>,
    arguments: Option<&'m str>,
    revision: Option<&'m str>,
    cursor: Option<&'m str>,
    request_state: Option<&'m str>,
    /// Whether `_meta` is there, and neither an object nor `null`.
    has_wrong_type: bool,
}

impl<'m> Params<'m> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        match name {
            "name" => self.name = value.written()?,
            "uri" => self.uri = value.written()?,
            "taskId" => self.task_id = value.written()?,
            "ref" => self.reference = value.written()?,
            "argument" => self.argument = value.written()?,
            "context" => self.context = value.written()?,
            "notifications" => self.notifications = value.written()?,
            "arguments" => self.arguments = value.written()?,
            "cursor" => self.cursor = value.written()?,
            "requestState" => self.request_state = value.written()?,
            "_meta" => match value.next_byte() {
                Some(b'{') => {
                    value.object(|meta_name, inner| self.meta_member(meta_name, inner))?;
                }
                _ => self.has_wrong_type |= value.written()?.is_some(),
            },
            _ => {
                self.has_wrong_type |= is_in_other_letters(name, &MEMBERS_OF_PARAMS);
                value.skip()?;
            }
        }
        Ok(())
    }

    /// Reads one member of `_meta`.
    fn meta_member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        match name {
            REVISION => self.revision = value.written()?,
            RELATED_TASK => self.related_task = value.written()?,
            _ => {
                self.has_wrong_type |= is_in_other_letters(name, &MEMBERS_OF_META);
                value.skip()?;
            }
        }
        Ok(())
    }

    /// Adds the tasks that the message is about.
    fn add_tasks(
        &self,
        operation: &Operation<'m>,
        messages: &mut Messages<'m>,
    ) -> Result<(), MessageFault> {
        match self.task_id {
            Some(task) if operation.is_about_task() => messages.add_task(task)?,
            // A client tells of a task that it made itself.
            Some(_) if operation.method().starts_with("notifications/tasks") => {}
            // Of another method it is no task that a policy knows, and a server may take it for one all the same.
            Some(task) => messages.handles.push(WrittenHandle::Task(task)),
            None => {}
        }
        if operation.method() == "subscriptions/listen" {
            for task in subscribed(self.notifications, "taskIds")? {
                messages.add_task(task)?;
            }
        }
        Ok(())
    }

    fn add_operations(
        self,
        operation: Operation<'m>,
        operations: &mut Vec<Operation<'m>>,
    ) -> Result<(), MessageFault> {
        match operation.method() {
            "tools/call" => operations.push(self.calling(Tool, operation)?),
            "prompts/get" => operations.push(self.calling(Prompt, operation)?),
            "completion/complete" => self.add_completion(&operation, operations)?,
            "subscriptions/listen" => {
                let uris = subscribed(self.notifications, "resourceSubscriptions")?;
                let mut resources = Vec::with_capacity(uris.len());
                for uri in uris {
                    resources.push(operation.beside().naming(Resource, text_of(uri)?));
                }
                operations.push(operation);
                operations.extend(resources);
            }
            _ if operation.is_about_resource() => {
                operations.push(operation.naming(Resource, required_text(self.uri)?));
            }
            _ => self.add_other(operation, operations)?,
        }
        Ok(())
    }

    /// A method that is not known to be about a resource. Where it has a `uri` all the same, the rules
    /// for that resource count too: they can only ask for more.
    fn add_other(
        &self,
        operation: Operation<'m>,
        operations: &mut Vec<Operation<'m>>,
    ) -> Result<(), MessageFault> {
        if let Some(uri) = self.uri {
            operations.push(operation.beside().naming(Resource, text_of(uri)?));
        }
        operations.push(match self.task_id.filter(|_| operation.is_about_task()) {
            Some(task) => operation.naming(Other, text_of(task)?),
            None => operation,
        });
        Ok(())
    }

    /// A call of what `name` names, with its arguments.
    fn calling(
        &self,
        kind: super::OperationKind,
        operation: Operation<'m>,
    ) -> Result<Operation<'m>, MessageFault> {
        let call = operation.naming(kind, required_text(self.name)?);
        match self.arguments {
            Some(arguments) if arguments.starts_with('{') => {
                Ok(call.with_written_arguments(arguments))
            }
            Some(_) => Err(MessageFault::Invalid),
            None => Ok(call),
        }
    }

    /// Completing an argument of a prompt or a template tells what is behind it. A template counts as
    /// it is written, with the variables that the client says it has chosen, and with what it has written of the one that
    /// is completed; a prompt as if it were called with the arguments that are chosen, and with that one.
    fn add_completion(
        &self,
        operation: &Operation<'m>,
        operations: &mut Vec<Operation<'m>>,
    ) -> Result<(), MessageFault> {
        let reference: Reference<'m> = object_of(self.reference.ok_or(MessageFault::Invalid)?)?;
        let context: Context<'m> = self.context.map(object_of).transpose()?.unwrap_or_default();
        let (name, begun) = match self.argument {
            Some(written) => {
                let argument: Argument<'m> = object_of(written)?;
                (required_text(argument.name)?, required_text(argument.value)?)
            }
            None => Default::default(),
        };
        match &*required_text(reference.kind)? {
            "ref/prompt" => {
                let prompt = operation.beside().naming(Prompt, required_text(reference.name)?);
                if !begun.is_empty() {
                    let with_begun = prompt.beside_with_argument(&context.chosen, &name, &begun);
                    operations.push(with_begun);
                }
                operations.push(match context.arguments {
                    Some(arguments) => prompt.with_written_arguments(arguments),
                    None => prompt,
                });
                Ok(())
            }
            "ref/resource" => {
                let template = required_text(reference.uri)?;
                let completed = CompletedTemplate::new(template, context.chosen, (&name, begun));
                let (template, with_values) = completed.with_all_values()?;
                for filled in with_values {
                    operations.push(operation.beside().naming_filled_template(filled));
                }
                operations.push(operation.beside().naming_template(template));
                Ok(())
            }
            _ => Err(MessageFault::Invalid),
        }
    }
}

/// The task to which a message says that it belongs. Servers hand such a message to the task, whoever made it.
#[derive(Default)]
struct RelatedTask<'m> {
    id: Option<&'m str>,
}

impl<'m> Object<'m> for RelatedTask<'m> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'m>) -> Result<(), JsonError> {
        match name {
            "taskId" => self.id = value.written()?,
            _ => skip_unless_in_other_letters(name, &["taskId"], value)?,
        }
        Ok(())
    }
}

/// The resources or tasks that `subscriptions/listen` is for (2026-07-28), which this member of `notifications` lists: JSON
/// strings as they were written.
fn subscribed<'m>(
    notifications: Option<&'m str>,
    member: &str,
) -> Result<Vec<&'m str>, MessageFault> {
    let Some(written) = notifications else { return Ok(Vec::new()) };
    let mut listed = Vec::new();
    let read = read_whole(written.as_bytes(), JsonLimits::LARGEST, |reader| {
        reader.object(|name, value| {
            if name != member {
                return skip_unless_in_other_letters(name, &[member], value);
            }
            value.nullable(|items| {
                items.list(|item| {
                    if item.next_byte() != Some(b'"') {
                        return item.string().map(drop);
                    }
                    listed.extend(item.written()?);
                    Ok(())
                })
            })?;
            Ok(())
        })
    });
    read.map_err(|_| MessageFault::Invalid)?;
    if listed.len() > MAX_BATCH { Err(MessageFault::TooLarge) } else { Ok(listed) }
}

/// Whether a JSON value that begins with this is a text or a number.
fn begins_text_or_number(first: char) -> bool {
    matches!(first, '"' | '-' | '0'..='9')
}

fn required_text(written: Option<&str>) -> Result<Cow<'_, str>, MessageFault> {
    text_of(written.ok_or(MessageFault::Invalid)?)
}

/// The string that a value is; [`MessageFault::Invalid`] when it has another type. The value was read once already,
/// so that it is JSON.
fn text_of(written: &str) -> Result<Cow<'_, str>, MessageFault> {
    let text = read_whole(written.as_bytes(), JsonLimits::LARGEST, JsonReader::string);
    text.map_err(|_| MessageFault::Invalid)
}

/// The object that a value is, read member by member; [`MessageFault::Invalid`] when it has another type.
fn object_of<'m, T: Object<'m>>(written: &'m str) -> Result<T, MessageFault> {
    read_as(written.as_bytes(), JsonLimits::LARGEST).map_err(|_| MessageFault::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_judged_besides_is_not_one_of_those_that_were_sent() {
        let written = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}"#;
        let mut messages = Messages::parse(written).unwrap();
        messages.judge_besides([Operation::tool("one")].into_iter());
        messages.judge_besides([Operation::tool("two"), Operation::tool("three")].into_iter());
        assert_eq!(messages.operations.len(), 4);
        let sent: Vec<&str> = messages.sent().iter().map(Operation::method).collect();
        assert_eq!(sent, ["tasks/get"]);
    }

    #[test]
    fn only_methods_about_tasks_name_one() {
        let rows = [("tasks/get", Some("t")), ("vendor/get", None), ("tools/call", Some("one"))];
        for (method, name) in rows {
            let written = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"taskId":"t","name":"one"}}}}"#
            );
            let messages = Messages::parse(written.as_bytes()).unwrap();
            assert_eq!(messages.sent()[0].name(), name, "{method}");
            assert_eq!(messages.tasks.is_empty(), method != "tasks/get", "{method}");
        }
    }

    #[test]
    fn the_longest_subscription_is_read_and_one_more_is_too_large() {
        for (count, fault) in [(100, None), (101, Some(MessageFault::TooLarge))] {
            let uris = vec![r#""n://a""#; count].join(",");
            let written = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
            );
            assert_eq!(Messages::parse(written.as_bytes()).err(), fault, "{count}");
        }
    }

    #[test]
    fn the_longest_template_is_completed_and_one_more_byte_is_too_large() {
        let completing = |uri: &str, value: &str| {
            let written = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{{"ref":{{"type":"ref/resource","uri":"{uri}"}},"argument":{{"name":"w","value":""}},"context":{{"arguments":{{"v":"{value}"}}}}}}}}"#
            );
            Messages::parse(written.as_bytes()).err()
        };
        let start = "n://{v}/";
        let longest = format!(
            "{start}{}",
            "a".repeat(super::super::completed_template::MAX_TEMPLATE - start.len())
        );
        assert_eq!(completing(&longest, "one"), None);
        assert_eq!(completing(&format!("{longest}a"), ""), Some(MessageFault::TooLarge));
        // What is put in counts as well.
        let value = "b".repeat(super::super::completed_template::MAX_TEMPLATE - "n://".len());
        assert_eq!(completing("n://{v}", &value), None);
        assert_eq!(completing("n://{v}", &format!("{value}b")), Some(MessageFault::TooLarge));
    }
}
