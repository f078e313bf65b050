//! A request that goes on: what its handlers may still ask for, and what its response is judged by.

use std::fmt;
use std::sync::{Arc, Mutex};

use http::HeaderValue;

use super::Resource;
use super::sealed_handles::OpenedHandles;
use super::standing::Standing;
use crate::auth_info::AuthInfo;
use crate::authorize::Operation;
use crate::error::InsufficientScope;
use crate::scope::Scopes;

/// A request that goes on. Shared by its handlers, through their [`AuthInfo`], and its response.
pub(super) struct Exchange {
    pub(super) resource: Arc<Resource>,
    /// Who sent it; `None`: somebody without a token.
    pub(super) sender: Option<AuthInfo>,
    /// The session that it names, as the server knows it; `None`: none, or sessions are not bound.
    pub(super) session: Option<HeaderValue>,
    /// What else it names, as the server knows it; `None`: nothing that is sealed.
    pub(super) opened: Option<Box<OpenedHandles>>,
    pub(super) called: Called,
    /// What a handler has asked for in vain.
    pub(super) refused: Mutex<Option<InsufficientScope>>,
    /// What is in force for it, since something was replaced.
    pub(super) renewed: Mutex<Option<Standing>>,
}

impl Exchange {
    pub(super) fn new(
        resource: Arc<Resource>,
        sender: Option<AuthInfo>,
        session: Option<HeaderValue>,
        opened: Option<Box<OpenedHandles>>,
        called: Called,
    ) -> Arc<Self> {
        let (refused, renewed) = (Mutex::new(None), Mutex::new(None));
        Arc::new(Self { resource, sender, session, opened, called, refused, renewed })
    }
}

/// What a request calls. What that needs was asked for before its handler was called.
pub(super) enum Called {
    /// Nobody has read the body.
    Unread,
    /// Nearly every message. What it needs is found when a handler asks for more.
    One(Arc<Operation<'static>>),
    Several {
        /// For the log.
        first: Box<[Operation<'static>]>,
        needed: Scopes,
    },
}

impl Called {
    pub(super) fn operations(&self) -> &[Operation<'static>] {
        match self {
            Self::Unread => &[],
            Self::One(operation) => std::slice::from_ref(operation),
            Self::Several { first, .. } => first,
        }
    }

    pub(super) fn needed(&self, resource: &Resource, granted: &Scopes) -> Scopes {
        match self {
            Self::Unread => resource.required_scopes.clone(),
            Self::One(operation) => resource.needed(std::slice::from_ref(operation), granted),
            Self::Several { needed, .. } => needed.clone(),
        }
    }
}

/// Says nothing of who sent it, and no identifier.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("resource", &self.resource).finish_non_exhaustive()
    }
}
