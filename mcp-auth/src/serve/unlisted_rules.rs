//! Rules of a policy for what no list of the server has shown so far: most likely a name is misspelt, and what it was
//! meant for has no rule.
//!
//! The names are those of the policy, so what a server or a client sends makes this no larger, and each name is warned
//! of once at most. Once every name was shown or warned of, nothing is looked at any more.
//!
//! Tested in `authorize::policy::unlisted`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::response::ListKind;
use crate::authorize::{Authorizers, Operation, OperationKind};
use crate::identifier::ResourceIdentifier;
use crate::nearest::nearest;

/// Names of a list that are compared with one that is not in it.
const MOST_COMPARED: usize = 256;
/// Warnings of one list that name the nearest; comparing costs more than all the rest.
const MOST_WITH_NEAREST: usize = 16;

/// The names that wait to be shown by a list.
pub(super) struct UnlistedRules {
    tools: Waiting,
    prompts: Waiting,
    /// Patterns of URIs. One may be meant for what either of two lists shows.
    resources: Waiting,
    has_seen_resources: AtomicBool,
    has_seen_templates: AtomicBool,
}

/// What one list shows.
pub(super) struct Shown<'l> {
    pub(super) kind: ListKind,
    pub(super) names: &'l [Cow<'l, str>],
    /// Whether nothing is missing, so that what is not there is not on another page.
    pub(super) is_complete: bool,
}

impl UnlistedRules {
    /// For rules about these.
    pub(super) fn new(named: &[Operation<'static>]) -> Self {
        Self {
            tools: Waiting::new("tools", OperationKind::Tool, named),
            prompts: Waiting::new("prompts", OperationKind::Prompt, named),
            resources: Waiting::new("resources", OperationKind::Resource, named),
            has_seen_resources: AtomicBool::new(false),
            has_seen_templates: AtomicBool::new(false),
        }
    }

    /// Whether a list of this kind could show something that has not been shown yet.
    pub(super) fn wait_for(&self, kind: ListKind) -> bool {
        !self.of_kind(kind).is_over.load(Ordering::Relaxed)
    }

    /// Takes note of what a list shows, and warns of what it does not.
    pub(super) fn learn(
        &self,
        shown: Shown<'_>,
        authorizers: &Authorizers,
        resource: &ResourceIdentifier,
    ) {
        let waiting = self.of_kind(shown.kind);
        for name in shown.names {
            let operation = match shown.kind {
                ListKind::Tools | ListKind::Prompts => {
                    waiting.remove(name);
                    continue;
                }
                ListKind::Resources => Operation::resource(&**name),
                ListKind::ResourceTemplates => Operation::template(&**name),
            };
            for rule in authorizers.rules_about(&operation) {
                if let Some(pattern) = rule.strip_prefix("resources.") {
                    waiting.remove(pattern);
                }
            }
        }
        if shown.is_complete && self.was_last(shown.kind) {
            waiting.warn(shown.names, resource);
        }
    }

    /// Whether this complete list was the last that could have shown a name of its kind.
    fn was_last(&self, kind: ListKind) -> bool {
        match kind {
            ListKind::Tools | ListKind::Prompts => return true,
            ListKind::Resources => self.has_seen_resources.store(true, Ordering::Relaxed),
            ListKind::ResourceTemplates => self.has_seen_templates.store(true, Ordering::Relaxed),
        }
        self.has_seen_resources.load(Ordering::Relaxed)
            && self.has_seen_templates.load(Ordering::Relaxed)
    }

    fn of_kind(&self, kind: ListKind) -> &Waiting {
        match kind {
            ListKind::Tools => &self.tools,
            ListKind::Prompts => &self.prompts,
            ListKind::Resources | ListKind::ResourceTemplates => &self.resources,
        }
    }
}

/// The names of one section of the policy that no list has shown, and that were not warned of.
struct Waiting {
    section: &'static str,
    names: Mutex<BTreeSet<String>>,
    /// Whether there are none left, told without the lock.
    is_over: AtomicBool,
}

impl Waiting {
    fn new(section: &'static str, kind: OperationKind, named: &[Operation<'static>]) -> Self {
        let of_kind = named.iter().filter(|operation| operation.kind() == kind);
        let names: BTreeSet<String> =
            of_kind.filter_map(|operation| operation.name()).map(str::to_owned).collect();
        let is_over = AtomicBool::new(names.is_empty());
        Self { section, names: Mutex::new(names), is_over }
    }

    fn remove(&self, name: &str) {
        if let Ok(mut names) = self.names.lock() {
            names.remove(name);
            self.is_over.store(names.is_empty(), Ordering::Relaxed);
        }
    }

    /// Warns of every name that is left, which is then not waited for any longer.
    fn warn(&self, shown: &[Cow<'_, str>], resource: &ResourceIdentifier) {
        let Ok(mut names) = self.names.lock() else { return };
        let left = std::mem::take(&mut *names);
        self.is_over.store(true, Ordering::Relaxed);
        drop(names);
        for (index, name) in left.iter().enumerate() {
            let most = if index < MOST_WITH_NEAREST { MOST_COMPARED } else { 0 };
            let did_you_mean = nearest(name, shown.iter().take(most).map(|one| &**one));
            tracing::warn!(
                %resource,
                rule = format!("{}.{name}", self.section),
                did_you_mean,
                "a rule of the policy names what no list has shown so far: did you mean another name?"
            );
        }
    }
}
