//! The seam for rules: who may do what.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use serde::Serialize;

use super::Operation;
use crate::auth_info::AuthInfo;
use crate::config::{Access, ConfigFault};
use crate::scope::Scopes;

/// What an [`Authorizer`] is asked about: who is calling, and what.
///
/// More may be added to it later.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessRequest<'r> {
    /// The caller, whose token was verified.
    pub caller: &'r AuthInfo,
    /// What they want to do, with its arguments.
    pub operation: &'r Operation<'r>,
}

impl<'r> AccessRequest<'r> {
    /// This caller, about to do this.
    pub fn new(caller: &'r AuthInfo, operation: &'r Operation<'r>) -> Self {
        Self { caller, operation }
    }
}

/// Decides whether a caller may carry out an operation.
///
/// [`ScopePolicy`](crate::ScopePolicy) is one; write another for rules of your own, or for a policy
/// language. It is asked for every call, and for every item of a list. It must be quick and must
/// not wait: what needs a database belongs in the handler, see [`AuthInfo::require`].
///
/// Where several are in force, all of them must allow.
pub trait Authorizer: Send + Sync {
    /// Whether this caller may do this.
    ///
    /// Scopes that are missing are 64 at most, and 4 KiB of them: they are asked for in a header.
    ///
    /// # Errors
    /// An error denies; the beginning of its text goes to the log, nothing of it to the client. A panic counts
    /// as an error here, and elsewhere hides, or asks for a token.
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>>;

    /// Whether the operation needs a token; `None` when this authorizer has no opinion. Of several
    /// opinions the strictest counts; where there is none, a token is needed. Default: no opinion.
    ///
    /// [`Authorizer::authorize`] is not asked about an operation that is [`Access::Public`]: it has no caller.
    /// So rules that deny belong to operations that need a token.
    fn access(&self, _operation: &Operation<'_>) -> Option<Access> {
        None
    }

    /// Whether [`Authorizer::access`] ever says that no token is needed. Unless one does, requests
    /// without a good token are refused before their body is read. Default: no.
    fn allows_anonymous(&self) -> bool {
        false
    }

    /// Every scope that all of these operations need, for the challenge; of alternatives, those of which the
    /// caller lacks the fewest. Without them a client cannot ask for the right scopes. More than 64 scopes, or
    /// 4 KiB of them, count as a failure. Default: none besides the resource's.
    fn required_scopes(&self, _operations: &[Operation<'_>], _granted: &Scopes) -> Scopes {
        Scopes::default()
    }

    /// What to ask for when the granted scopes do not cover the required ones; `None` when they
    /// do. Default: scopes imply nothing but themselves.
    fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        (!granted.contains_all(required)).then(|| required.clone())
    }

    /// Whether a list shows what this operation would call, to a caller or, for `None`, to a client without a
    /// token. Default: to a caller, unless it is forbidden, since a client can ask for a missing scope once it
    /// calls; to a client without a token, only if [`Authorizer::access`] says that it needs no token.
    ///
    /// Where this authorizer has no opinion in [`Authorizer::access`] and the others say that no token is needed,
    /// a client without a token may call it. Then it is shown, and the answer for `None` does not count.
    fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        match caller {
            Some(caller) => !matches!(
                self.authorize(&AccessRequest::new(caller, operation)),
                Ok(Verdict::Forbidden(_)) | Err(_)
            ),
            None => self.access(operation).is_some_and(|access| access != Access::Required),
        }
    }

    /// Every operation that has a rule of its own; patterns of URIs as they are written. One that no list of the
    /// server shows is warned of. It is asked once, when the server is built. Default: none are named.
    fn named(&self) -> Vec<Operation<'static>> {
        Vec::new()
    }

    /// Which rules apply to the operation, for people. Default: none are named.
    fn rules(&self, _operation: &Operation<'_>) -> Vec<String> {
        Vec::new()
    }

    /// What each rule asks for, for people; the baseline is a rule too. Default: nothing is told.
    fn asked(&self, _caller: Option<&AuthInfo>, _operation: &Operation<'_>) -> Vec<Asked> {
        Vec::new()
    }

    /// An authorizer with the rules of this one that decides faster, for a resource that requires these
    /// scopes for everything that is not open. It is asked for once, when the server is built, and then
    /// used in place of this one. Default: there is none, and the required scopes are checked beside this
    /// one.
    fn compiled(&self, _required_scopes: &Scopes) -> Option<Arc<dyn Authorizer>> {
        None
    }

    /// What is wrong with the rules. It is asked once, when the server is built; a server with faults is
    /// not built. Default: nothing.
    fn faults(&self) -> Vec<String> {
        Vec::new()
    }

    /// [`Authorizer::faults`] with the rule or field that each fault is about. It is asked once, when the server
    /// is built. Default: [`Authorizer::faults`], which are then about the authorizer as a whole.
    fn config_faults(&self) -> Vec<ConfigFault> {
        self.faults().into_iter().map(|reason| ConfigFault::new("", reason)).collect()
    }

    /// What the rules allow although it may not be meant. It is asked once, when the server is built, and
    /// logged. Default: nothing.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What an [`Authorizer`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The caller may do it.
    Allow,
    /// The caller may do it with a token that has all of these scopes, and not with this one: the
    /// challenge tells the client to ask for them.
    MissingScopes(Scopes),
    /// The caller may not do it, with any token. The reason is for the log.
    Forbidden(Cow<'static, str>),
}

impl Verdict {
    /// [`Verdict::Forbidden`] for this reason.
    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Forbidden(reason.into())
    }
}

/// Why an operation is allowed or refused, as data: [`McpAuth::explain`](crate::McpAuth::explain).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether it is allowed.
    pub allowed: bool,
    /// `allowed`, `missing_token`, `insufficient_scope` or `policy_denied`.
    pub code: &'static str,
    /// The method.
    pub method: String,
    /// What it names.
    pub name: Option<String>,
    /// Whether a token is needed.
    pub access: Access,
    /// The rules that apply, such as `tools.delete_note`; the baseline always does.
    pub rules: Vec<String>,
    /// What each rule asks for: the baseline (`required_scopes` of the resource, `require` of the
    /// policy), the rule of the method, the rules of what is named, and those in whose place a narrower
    /// rule counts.
    pub asked: Vec<Asked>,
    /// Why, in words.
    pub reason: String,
    /// Every scope that it needs.
    pub required: Scopes,
    /// Every scope that the caller has.
    pub granted: Scopes,
}

/// What one rule asks for, as part of an [`Explanation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Asked {
    /// Where it is written, such as `tools.delete_note`, `require` or `required_scopes`.
    pub rule: String,
    /// Whether it opens the operation instead of asking for something.
    pub access: Access,
    /// The scopes that it asks for; of alternatives, those that the caller lacks least of.
    pub scopes: Scopes,
    /// What the caller lacks that no scope would give, such as a role.
    pub lacks: Option<String>,
    /// Whether a rule that says more exactly what it is about takes its place, so that it does not count.
    pub is_replaced: bool,
}
