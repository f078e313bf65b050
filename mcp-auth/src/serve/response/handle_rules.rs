//! Which handles in a response are sealed for whoever sent the request.
//!
//! A handle is sealed where it is known that it was given to this caller. Any other goes on as it is, and is of no use to
//! whoever gets it, because what has no tag is not accepted. So a server that shows one caller the tasks of others gives no
//! one a task with it.
//!
//! An identifier of a task is this caller's
//!
//! 1. where it is told to whoever makes the task (`result.task`, or a `result` whose `resultType` is `task`): in the answer
//!    to a call of a tool, and in streams that may repeat such answers;
//! 2. where the request has named it, with its tag;
//! 3. where an answer that passed here told it to this caller ([`KnownTasks`](crate::serve::known_tasks)).
//!
//! One that is known to be another caller's never is. In lists of tasks, the others are left out.
//!
//! A `requestState` is sealed in the answer to a single request, which it is bound to.
//!
//! Identifiers of tasks that a client has made, which a server names in its own `tasks/*` requests, are left alone.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use serde_json::value::RawValue;

use super::list_filter::{Fault, Members, is_object, items, text};
use super::list_trace::{SoughtNames, may_have_member};
use crate::auth_info::AuthInfo;
use crate::authorize::{Messages, Operation, RELATED_TASK};
use crate::handles::StateOf;
use crate::serve::Resource;
use crate::serve::sealed_handles::{SealedHandles, in_json};
use crate::serve::splice::Splice;

/// Names of members that hold handles, in small letters; also how longer names begin.
static NAMES: SoughtNames = SoughtNames::of(&["taskid", "requeststate"]);

/// The handles of one response, and for whom they are sealed.
pub(super) struct HandleRules {
    resource: Arc<Resource>,
    sender: Option<AuthInfo>,
    /// The tasks that the request names, as the server knows them.
    named: HashSet<String>,
    /// Whether the answer may tell of a task that was made.
    may_make_task: bool,
    /// The request, if it is a single one.
    request: Option<Operation<'static>>,
}

impl HandleRules {
    /// For the answer to these messages; `None` where nothing is sealed.
    pub(super) fn for_answer(
        resource: &Arc<Resource>,
        messages: &Messages<'_>,
        sender: Option<&AuthInfo>,
    ) -> Option<Self> {
        let sent = messages.sent();
        let request = sent.last().filter(|_| !messages.is_batch && messages.id.is_some());
        Some(Self {
            named: messages.tasks.iter().map(|task| task.clone().into_owned()).collect(),
            may_make_task: sent.iter().any(|call| call.method() == "tools/call"),
            request: request.map(Operation::without_arguments),
            ..Self::for_stream(resource, sender)?
        })
    }

    /// For a stream that may repeat answers given elsewhere.
    pub(super) fn for_stream(resource: &Arc<Resource>, sender: Option<&AuthInfo>) -> Option<Self> {
        resource.sealed_handles.as_ref()?;
        Some(Self {
            resource: resource.clone(),
            sender: sender.cloned(),
            named: HashSet::new(),
            may_make_task: true,
            request: None,
        })
    }

    /// What seals them, by the configuration that is in force: what it will open. `None`: nothing does any more.
    fn sealed(&self) -> Option<Arc<SealedHandles>> {
        self.resource.in_force()?.sealed_handles.clone()
    }

    /// For whom handles are sealed.
    pub(super) fn sender(&self) -> Option<&AuthInfo> {
        self.sender.as_ref()
    }

    /// Whether a document could hold one.
    pub(super) fn may_be_in(&self, document: &[u8]) -> bool {
        may_have_member(document, &NAMES)
            && self.sealed().is_some_and(|sealed| sealed.are_in_bodies())
    }

    /// Whether identifiers of events are sealed.
    pub(super) fn seals_events(&self) -> bool {
        self.sealed().is_some_and(|sealed| sealed.events)
    }

    /// An identifier of an event of this session with its tag.
    pub(super) fn seal_event(&self, session: Option<&HeaderValue>, event: &str) -> Option<String> {
        self.sealed()?.seal_event(self.sender(), session, event)
    }

    /// Seals the handles of one message.
    ///
    /// # Errors
    /// A handle is there twice, so that readers could take one or the other.
    pub(super) fn seal<'d>(
        &self,
        message: &Members<'d>,
        splice: &mut Splice<'d>,
    ) -> Result<(), Fault> {
        if let Some(result) = object(message.exact("result")?)? {
            self.seal_result(&result, splice)?;
        }
        if let Some(params) = object(message.exact("params")?)? {
            let method = message.exact("method")?.and_then(text);
            let is_about_task =
                method.is_some_and(|name| name.0.starts_with("notifications/tasks"));
            // A request of the server's is about a task of the client's.
            let is_notification = message.exact("id")?.is_none();
            self.seal_params(&params, is_about_task && is_notification, splice)?;
        }
        Ok(())
    }

    fn seal_result<'d>(&self, result: &Members<'d>, splice: &mut Splice<'d>) -> Result<(), Fault> {
        self.seal_related(result, splice)?;
        let kind = result.exact("resultType")?.and_then(text);
        let is_made = kind.is_some_and(|name| name.0 == "task") && self.may_make_task;
        self.seal_task(result.exact("taskId")?, is_made, splice);
        if let Some(task) = object(result.exact("task")?)? {
            self.seal_task(task.exact("taskId")?, self.may_make_task, splice);
        }
        if let Some(tasks) = result.exact("tasks")? {
            self.seal_list(tasks, splice)?;
        }
        if let (Some(state), Some(request)) = (result.exact("requestState")?, &self.request)
            && let Some(plain) = text(state)
        {
            let of = StateOf { method: request.method(), name: request.name() };
            let now = self.sealed();
            let sealed = now.and_then(|now| now.seal_state(self.sender(), of, &plain.0));
            if let Some(text) = sealed {
                splice.replace(state.get(), in_json(&text));
            }
        }
        Ok(())
    }

    fn seal_params<'d>(
        &self,
        params: &Members<'d>,
        is_about_task: bool,
        splice: &mut Splice<'d>,
    ) -> Result<(), Fault> {
        self.seal_related(params, splice)?;
        if is_about_task {
            self.seal_task(params.exact("taskId")?, false, splice);
        }
        // Of `notifications/subscriptions/acknowledged`.
        if let Some(subscribed) = object(params.exact("notifications")?)? {
            for task in items(subscribed.exact("taskIds")?)? {
                self.seal_task(Some(task), false, splice);
            }
        }
        Ok(())
    }

    /// The task to which a message says that it belongs (MCP 2025-11-25, "Related Task Metadata").
    fn seal_related<'d>(&self, of: &Members<'d>, splice: &mut Splice<'d>) -> Result<(), Fault> {
        let Some(meta) = object(of.exact("_meta")?)? else { return Ok(()) };
        let Some(related) = object(meta.exact(RELATED_TASK)?)? else { return Ok(()) };
        self.seal_task(related.exact("taskId")?, false, splice);
        Ok(())
    }

    /// Puts the sealed identifier in the place of one that is this caller's.
    fn seal_task<'d>(&self, written: Option<&'d RawValue>, is_made: bool, splice: &mut Splice<'d>) {
        let Some(written) = written else { return };
        if let Some(sealed) = text(written).and_then(|task| self.sealed_task(&task.0, is_made)) {
            splice.replace(written.get(), in_json(&sealed));
        }
    }

    /// A list of tasks: those that are this caller's, and what names no task.
    fn seal_list<'d>(&self, tasks: &'d RawValue, splice: &mut Splice<'d>) -> Result<(), Fault> {
        let mut shown = Vec::new();
        let mut has_changed = false;
        for item in items(Some(tasks))? {
            let task = match object(Some(item))? {
                Some(members) => members.exact("taskId")?,
                None => None,
            };
            let Some(identifier) = task else {
                shown.push(item.get().to_owned());
                continue;
            };
            has_changed = true;
            let Some(plain) = text(identifier) else { continue };
            let Some(sealed) = self.sealed_task(&plain.0, false) else { continue };
            let mut item_splice = Splice::new(item.get().as_bytes());
            item_splice.replace(identifier.get(), in_json(&sealed));
            let changed = item_splice.finish().and_then(|bytes| String::from_utf8(bytes).ok());
            shown.extend(changed);
        }
        if has_changed && self.sealed().is_some_and(|sealed| sealed.tasks) {
            splice.replace(tasks.get(), format!("[{}]", shown.join(",")));
        }
        Ok(())
    }

    /// The sealed identifier of a task that is this caller's. `is_made`: it is told to whoever made it.
    fn sealed_task(&self, task: &str, is_made: bool) -> Option<String> {
        let is_named = self.named.contains(task);
        let known = self.resource.known_tasks.is_of(task, self.sender());
        let is_own = is_named || known.unwrap_or(is_made);
        self.sealed()?.seal_task(self.sender(), task).filter(|_| is_own)
    }
}

/// The members of a value that is an object.
fn object(value: Option<&RawValue>) -> Result<Option<Members<'_>>, Fault> {
    value.filter(|one| is_object(one)).map(Members::of).transpose()
}

/// Says nothing of the sender.
impl fmt::Debug for HandleRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleRules").field("sealed", &self.sealed()).finish_non_exhaustive()
    }
}
