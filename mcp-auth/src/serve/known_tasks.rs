//! Who made which task, by which call: a request about a task needs what that call needed.
//!
//! It is learnt from the answers of tool calls that pass here, and is in the memory of this instance alone: what another
//! instance answered, or this one before it was started, is not known. `known_tasks_only` refuses requests about such
//! tasks. Otherwise they need the baseline and the rule of their method, and the server must look who asks.
//!
//! Tested in `authorize::policy::tasks`.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth_info::AuthInfo;
use crate::authorize::Operation;
use crate::error::{AuthError, Forbidden};

/// Bytes of all that is known.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What a task takes besides its texts.
const OVERHEAD: usize = 512;

/// The tasks of one resource.
#[derive(Debug, Default)]
pub(super) struct KnownTasks(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tasks: HashMap<Arc<str>, Arc<KnownTask>>,
    /// The tasks of each caller, the oldest first.
    by_owner: HashMap<Option<Owner>, OfOwner>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct OfOwner {
    tasks: VecDeque<Arc<str>>,
    bytes: usize,
}

/// A task that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownTask {
    /// `None`: nobody who is known.
    owner: Option<Owner>,
    tool: String,
    /// The arguments as they were written.
    arguments: Option<String>,
}

/// A caller, however often their token is renewed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    issuer: String,
    subject: Option<String>,
    client: Option<String>,
}

impl Owner {
    fn of(caller: &AuthInfo) -> Self {
        Self {
            issuer: caller.issuer().to_owned(),
            subject: caller.subject().map(str::to_owned),
            client: caller.client_id().map(str::to_owned),
        }
    }
}

impl KnownTask {
    /// The task that this caller's call makes, if it makes one; `None` for what is no call of a tool.
    pub(super) fn of_call(caller: Option<&AuthInfo>, call: &Operation<'_>) -> Option<Self> {
        let arguments = call.written_arguments().map(str::to_owned);
        Some(Self { owner: caller.map(Owner::of), tool: call.tool_name()?.to_owned(), arguments })
    }

    /// The call that made it.
    fn call(&self) -> Operation<'_> {
        let call = Operation::tool(&*self.tool);
        match &self.arguments {
            Some(arguments) => call.with_written_arguments(arguments),
            None => call,
        }
    }

    /// The same with arguments that nobody can read, so that whatever looks at them refuses.
    fn without_arguments(&self) -> Self {
        Self { arguments: Some(String::new()), ..self.clone() }
    }

    /// Whether it belongs to this caller, or to nobody.
    fn may_be_of(&self, caller: &Owner) -> bool {
        self.owner.as_ref().is_none_or(|maker| maker == caller)
    }

    fn size(&self, task: &str) -> usize {
        let arguments = self.arguments.as_ref().map_or(0, String::len);
        task.len() + self.tool.len() + arguments + OVERHEAD
    }
}

impl KnownTasks {
    /// Learns that this call made this task. Who made a task first has made it: an answer that names somebody else's
    /// task gives it to nobody.
    pub(super) fn learn(&self, task: &str, made: &KnownTask) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = inner.tasks.get(task) {
            if known.owner != made.owner {
                tracing::warn!(
                    "a server gave the identifier of one caller's task to another caller's"
                );
            }
            return;
        }
        if inner.make_room(&made.owner, made.size(task)) {
            return inner.keep(task, made.clone());
        }
        tracing::warn!("the call that made a task is too long to be kept: its arguments are not");
        let without_arguments = made.without_arguments();
        while inner.bytes + without_arguments.size(task) > MAX_BYTES && inner.forget_one() {}
        inner.keep(task, without_arguments);
    }

    /// Whether a task is this caller's; `None`: it is not known whose.
    pub(super) fn is_of(&self, task: &str, caller: Option<&AuthInfo>) -> Option<bool> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = inner.tasks.get(task)?;
        Some(known.owner == caller.map(Owner::of))
    }

    /// What is known of the tasks that a message names.
    pub(super) fn named(&self, tasks: &[Cow<'_, str>]) -> NamedTasks {
        if tasks.is_empty() {
            return NamedTasks::default();
        }
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<_> =
            tasks.iter().filter_map(|task| inner.tasks.get(&**task).cloned()).collect();
        NamedTasks { has_unknown: known.len() < tasks.len(), known }
    }
}

impl Inner {
    /// Makes room for another task of this owner, by forgetting the oldest of whoever takes the most room then. So nobody
    /// can make others' tasks unknown, neither by many calls nor by long ones. Whether there is room; if not, nothing is
    /// forgotten.
    fn make_room(&mut self, owner: &Option<Owner>, size: usize) -> bool {
        let needed = (self.bytes + size).saturating_sub(MAX_BYTES);
        if needed == 0 {
            return true;
        }
        crate::steps::take(self.by_owner.len());
        let of_maker = self.by_owner.get(owner).map_or(0, |own| own.bytes);
        let others = self.by_owner.iter().filter(|(other, _)| *other != owner);
        let largest = others.max_by_key(|(_, of_owner)| of_owner.bytes);
        let (from, most) = match largest {
            Some((other, of_other)) if of_other.bytes > of_maker + size => {
                (other.clone(), of_other.bytes)
            }
            _ => (owner.clone(), of_maker),
        };
        if most < needed {
            return false;
        }
        while self.bytes + size > MAX_BYTES && self.forget_oldest_of(&from) {}
        true
    }

    /// Forgets the oldest task of whoever takes the most room. Whether there was one.
    fn forget_one(&mut self) -> bool {
        let largest = self.by_owner.iter().max_by_key(|(_, of_owner)| of_owner.bytes);
        let Some(owner) = largest.map(|(owner, _)| owner.clone()) else { return false };
        self.forget_oldest_of(&owner)
    }

    /// Forgets one task. Whether there was one.
    fn forget_oldest_of(&mut self, owner: &Option<Owner>) -> bool {
        let Some(of_owner) = self.by_owner.get_mut(owner) else { return false };
        if let Some(task) = of_owner.tasks.pop_front()
            && let Some(known) = self.tasks.remove(&task)
        {
            let size = known.size(&task);
            of_owner.bytes -= size;
            self.bytes -= size;
        }
        if of_owner.tasks.is_empty() {
            self.by_owner.remove(owner);
        }
        true
    }

    fn keep(&mut self, task: &str, made: KnownTask) {
        let (name, size): (Arc<str>, usize) = (task.into(), made.size(task));
        let of_owner = self.by_owner.entry(made.owner.clone()).or_default();
        of_owner.bytes += size;
        of_owner.tasks.push_back(name.clone());
        self.bytes += size;
        self.tasks.insert(name, Arc::new(made));
    }
}

/// The tasks that one message names.
#[derive(Debug, Default)]
pub(super) struct NamedTasks {
    known: Vec<Arc<KnownTask>>,
    has_unknown: bool,
}

impl NamedTasks {
    /// The calls that made them.
    pub(super) fn calls(&self) -> impl Iterator<Item = Operation<'_>> {
        self.known.iter().map(|task| task.call())
    }

    /// Whether one of them belongs to somebody.
    pub(super) fn are_owned(&self) -> bool {
        self.known.iter().any(|task| task.owner.is_some())
    }

    /// Whether they are this caller's, as far as that is known.
    ///
    /// # Errors
    /// One is another caller's; or nobody knows whose, and that is not enough.
    pub(super) fn check(
        &self,
        caller: Option<&AuthInfo>,
        known_only: bool,
    ) -> Result<(), AuthError> {
        if known_only && self.has_unknown {
            return Err(forbidden("it is not known who made the task"));
        }
        if !self.are_owned() {
            return Ok(());
        }
        let owner = Owner::of(caller.ok_or(AuthError::MissingToken)?);
        match self.known.iter().all(|task| task.may_be_of(&owner)) {
            true => Ok(()),
            false => Err(forbidden("the task is another caller's")),
        }
    }
}

fn forbidden(reason: &str) -> AuthError {
    AuthError::Forbidden(Forbidden::Policy(reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(subject: &str, arguments: usize) -> KnownTask {
        let owner = Owner { issuer: "i".into(), subject: Some(subject.into()), client: None };
        KnownTask { owner: Some(owner), tool: "t".into(), arguments: Some("x".repeat(arguments)) }
    }

    fn is_known(tasks: &KnownTasks, task: &str) -> bool {
        !tasks.named(&[task.into()]).has_unknown
    }

    #[test]
    fn whoever_makes_many_tasks_makes_no_task_of_others_unknown() {
        let tasks = KnownTasks::default();
        tasks.learn("alice", &made("alice", 0));
        for number in 0..100 {
            tasks.learn(&format!("mallory-{number}"), &made("mallory", 1024 * 1024));
        }
        assert!(is_known(&tasks, "alice") && is_known(&tasks, "mallory-99"));
        assert!(!is_known(&tasks, "mallory-0"));
        tasks.learn("huge", &made("mallory", MAX_BYTES));
        assert!(is_known(&tasks, "huge") && is_known(&tasks, "mallory-99"));
        let inner = tasks.0.lock().unwrap();
        let held: usize = inner.tasks.iter().map(|(name, task)| task.size(name)).sum();
        let of_owners: usize = inner.by_owner.values().map(|one| one.bytes).sum();
        assert_eq!((inner.bytes, of_owners), (held, held));
        assert!(held <= MAX_BYTES);
    }

    #[test]
    fn a_long_call_takes_its_room_from_whoever_makes_it() {
        let tasks = KnownTasks::default();
        let all: Vec<_> = (0..2_000).map(|number| format!("user-{number}")).collect();
        for user in &all {
            tasks.learn(user, &made(user, 6_000));
        }
        for number in 0..20 {
            tasks.learn(&format!("mallory-{number}"), &made("mallory", 8 * 1024 * 1024));
            tasks.learn(&format!("huge-{number}"), &made("mallory", 2 * MAX_BYTES));
        }
        assert!(all.iter().all(|user| is_known(&tasks, user)));
        // What there was no room for is still Mallory's, and nobody can read its arguments.
        let named = tasks.named(&["mallory-19".into()]);
        assert!(named.are_owned());
        for call in named.calls() {
            assert!(call.arguments().is_none() && call.has_unreadable_arguments());
        }
    }

    #[test]
    fn a_task_stays_with_whoever_made_it_first() {
        let tasks = KnownTasks::default();
        tasks.learn("t", &made("alice", 0));
        tasks.learn("t", &made("mallory", 0));
        assert_eq!(*tasks.named(&["t".into()]).known[0], made("alice", 0));
    }
}
