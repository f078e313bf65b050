//! What the answer to a request teaches about later requests.
//!
//! Two things can only be known from what a server has answered:
//!
//! 1. Which arguments of a tool a client must repeat in `Mcp-Param-*` headers: the tool's `inputSchema` says it, and a
//!    server that reads the body has to compare the two (MCP 2026-07-28).
//! 2. Which call made a task: later requests about the task need what the call needed.
//!
//! A client must not choose what is learnt. So only the answer to the one request is read that asks for it: that with its
//! identifier, in the response to its POST. What other methods answer may hold what a client has sent, and so may a batch,
//! of which nothing is learnt.
//!
//! An answer from which nothing can be learnt goes on as it is. The operator is told where readers could understand it
//! differently; what was learnt before stays.
//!
//! Tested in `authorize::policy::mirrored` and `authorize::policy::tasks`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::auth_info::AuthInfo;
use crate::authorize::{Messages, Operation};
use crate::json::{
    JsonError, JsonLimits, JsonReader, Object, read_as, read_object, read_value, read_whole,
};
use crate::serve::Resource;
use crate::serve::exchange::Called;
use crate::serve::known_tasks::KnownTask;
use crate::serve::unlisted_rules::Shown;

use super::list_filter::ListKind;
use super::list_trace::{SoughtNames, may_have_member};

/// Of an argument that is repeated in a header.
static ANNOTATION: SoughtNames = SoughtNames::of(&["x-mcp-header"]);
/// Of a task that a call has made.
static TASK: SoughtNames = SoughtNames::of(&["taskid"]);

/// What to learn from the answer to one request.
pub(super) struct Lesson {
    /// The `id` of the request, as it was written.
    id: Box<str>,
    subject: Subject,
    /// The list whose first page is asked for, if there are rules for what no list of the kind has shown so far.
    first_page: Option<ListKind>,
}

/// What a request asks for from whose answer something is learnt.
enum Subject {
    /// `tools/list`: which arguments of tools are repeated in headers.
    Tools,
    /// Another list: nothing but what it shows.
    OtherList,
    /// `tools/call`: which task it makes, and what a request about that task will need.
    Task(Arc<Operation<'static>>),
}

impl Lesson {
    /// What the answer to these messages teaches, if anything: one request alone, of a method that has a subject, with
    /// an identifier by which its answer is known.
    pub(super) fn of_answer(
        resource: &Arc<Resource>,
        messages: &Messages<'_>,
        called: &Called,
    ) -> Option<Self> {
        let [call] = messages.sent() else { return None };
        let id = messages.id.filter(|_| !messages.is_batch)?.into();
        let list = ListKind::ALL.into_iter().find(|kind| kind.method() == call.method());
        let first_page =
            list.filter(|kind| resource.unlisted_rules.wait_for(*kind) && !messages.has_cursor);
        let subject = match (call.method(), called) {
            ("tools/list", _) if resource.has_rules() => Subject::Tools,
            ("tools/call", Called::One(only)) => Subject::Task(only.clone()),
            ("tools/call", _) => Subject::Task(Arc::new(call.whole_copy())),
            _ if first_page.is_some() => Subject::OtherList,
            _ => return None,
        };
        Some(Self { id, subject, first_page })
    }

    /// Learns from a message that goes to the client.
    pub(super) fn learn(&self, document: &[u8], resource: &Resource, caller: Option<&AuthInfo>) {
        let learnt = match &self.subject {
            Subject::OtherList => Ok(()),
            Subject::Tools => self.learn_tools(document, resource),
            Subject::Task(call) => self.learn_task(document, resource, caller, call),
        };
        if let Err(error) = learnt.and_then(|()| self.learn_names(document, resource)) {
            tracing::warn!(%error, "nothing is learnt from an answer that readers could read differently");
        }
    }

    /// Learns the annotated arguments of each tool. An answer without annotations is read as well, once there are some:
    /// the newest list counts, also where it has lost one.
    fn learn_tools(&self, document: &[u8], resource: &Resource) -> Result<(), JsonError> {
        let known = &resource.mirrored_arguments;
        if !may_have_member(document, &ANNOTATION) && known.has_learnt_nothing() {
            return Ok(());
        }
        let Some(result) = self.result(document)? else { return Ok(()) };
        let list: ToolList<'_> = read_as(result.as_bytes(), JsonLimits::LARGEST)?;
        for (name, schema) in list.tools {
            known.learn(&name, &read_object(schema)?);
        }
        Ok(())
    }

    /// Learns which of the names that the policy has rules for are there.
    fn learn_names(&self, document: &[u8], resource: &Resource) -> Result<(), JsonError> {
        let Some(kind) = self.first_page else { return Ok(()) };
        let Some(result) = self.result(document)? else { return Ok(()) };
        let mut list = ShownList::new(kind);
        read_whole(result.as_bytes(), JsonLimits::LARGEST, |reader| {
            reader.object(|name, value| list.member(name, value))
        })?;
        if list.is_there {
            let authorizers = &resource.authorizers;
            let shown = Shown { kind, names: &list.names, is_complete: !list.has_next_page };
            resource.unlisted_rules.learn(shown, authorizers, &resource.identifier);
        }
        Ok(())
    }

    /// Learns who made the task, if the call made one.
    fn learn_task(
        &self,
        document: &[u8],
        resource: &Resource,
        caller: Option<&AuthInfo>,
        call: &Operation<'_>,
    ) -> Result<(), JsonError> {
        if !may_have_member(document, &TASK) {
            return Ok(());
        }
        let Some(result) = self.result(document)? else { return Ok(()) };
        let result: CallResult<'_> = read_as(result.as_bytes(), JsonLimits::LARGEST)?;
        if let (Some(task), Some(made)) = (result.task(), KnownTask::of_call(caller, call)) {
            resource.known_tasks.learn(task, &made);
        }
        Ok(())
    }

    /// The `result` of the answer, if this is the answer: its `id` is compared as a JSON value, because a server may write
    /// `1` as `1.0`, and a text with other escapes.
    fn result<'d>(&self, document: &'d [u8]) -> Result<Option<&'d str>, JsonError> {
        if !document.trim_ascii_start().starts_with(b"{") {
            return Ok(None);
        }
        let answer: Answer<'d> = read_as(document, JsonLimits::LARGEST)?;
        let Some(id) = answer.id else { return Ok(None) };
        let is_answer = read_value(id)? == read_value(&*self.id)?;
        Ok(answer.result.filter(|result| is_answer && result.starts_with('{')))
    }
}

/// A JSON-RPC answer, its members as they were written.
#[derive(Default)]
struct Answer<'d> {
    id: Option<&'d str>,
    result: Option<&'d str>,
}

impl<'d> Object<'d> for Answer<'d> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'d>) -> Result<(), JsonError> {
        match name {
            "id" => self.id = value.written()?,
            "result" => self.result = value.written()?,
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// The result of `tools/list`: names, and the `inputSchema` of each as it was written.
#[derive(Default)]
struct ToolList<'d> {
    tools: Vec<(Cow<'d, str>, &'d str)>,
}

impl<'d> Object<'d> for ToolList<'d> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'d>) -> Result<(), JsonError> {
        if name != "tools" {
            return value.skip();
        }
        value.nullable(|list| {
            list.list(|item| {
                let mut tool = Tool::default();
                item.object(|member, inner| tool.member(member, inner))?;
                if let (Some(tool_name), Some(schema)) = (tool.name, tool.schema) {
                    self.tools.push((tool_name, schema));
                }
                Ok(())
            })
        })?;
        Ok(())
    }
}

/// The result of a list of any kind: what its items are called, and whether there are more.
struct ShownList<'d> {
    kind: ListKind,
    names: Vec<Cow<'d, str>>,
    is_there: bool,
    has_next_page: bool,
}

impl<'d> ShownList<'d> {
    fn new(kind: ListKind) -> Self {
        Self { kind, names: Vec::new(), is_there: false, has_next_page: false }
    }

    fn member(&mut self, name: &str, value: &mut JsonReader<'d>) -> Result<(), JsonError> {
        if name == "nextCursor" {
            self.has_next_page = value.written()?.is_some();
            return Ok(());
        }
        if name != self.kind.member() {
            return value.skip();
        }
        let identifier = self.kind.identifier();
        let list = value.nullable(|list| {
            list.list(|item| {
                item.object(|member, inner| match member == identifier {
                    true => {
                        self.names.push(inner.string()?);
                        Ok(())
                    }
                    false => inner.skip(),
                })
            })
        })?;
        self.is_there = list.is_some();
        Ok(())
    }
}

/// One tool of the list; one without a name or a schema has no annotations.
#[derive(Default)]
struct Tool<'d> {
    name: Option<Cow<'d, str>>,
    schema: Option<&'d str>,
}

impl<'d> Object<'d> for Tool<'d> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'d>) -> Result<(), JsonError> {
        match name {
            "name" => self.name = Some(value.string()?),
            "inputSchema" => self.schema = value.written()?,
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// The result of `tools/call`, as far as it makes a task: `resultType` and `taskId` in revision 2026-07-28, `task` in
/// 2025-11-25.
#[derive(Default)]
struct CallResult<'d> {
    is_task: bool,
    own: TaskId<'d>,
    older: TaskId<'d>,
}

impl CallResult<'_> {
    fn task(&self) -> Option<&str> {
        let own = self.own.0.as_deref().filter(|_| self.is_task);
        own.or(self.older.0.as_deref())
    }
}

impl<'d> Object<'d> for CallResult<'d> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'d>) -> Result<(), JsonError> {
        match name {
            "resultType" => self.is_task = value.written()?.is_some_and(|kind| kind == r#""task""#),
            "task" if value.next_byte() == Some(b'{') => {
                value.object(|member, inner| self.older.member(member, inner))?;
            }
            _ => self.own.member(name, value)?,
        }
        Ok(())
    }
}

/// The identifier of a task.
#[derive(Default)]
struct TaskId<'d>(Option<Cow<'d, str>>);

impl<'d> Object<'d> for TaskId<'d> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'d>) -> Result<(), JsonError> {
        match name {
            "taskId" if value.next_byte() == Some(b'"') => self.0 = Some(value.string()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}
