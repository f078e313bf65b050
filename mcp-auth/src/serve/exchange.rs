//! A request that goes on: what its handlers may still ask for, and what its response is judged by.

use std::fmt;
use std::sync::{Arc, Mutex};

use http::HeaderValue;

use super::Resource;
use super::sealed_handles::OpenedHandles;
use super::standing::Standing;
use crate::auth_info::{AuthInfo, StepUp};
use crate::authorize::Operation;
use crate::downstream_refusal::DownstreamRefusal;
use crate::error::InsufficientScope;
use crate::scope::Scopes;

/// What a request names that goes on, and who sent it.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) resource: Arc<Resource>,
    /// Who sent it; `None`: somebody without a token.
    pub(super) sender: Option<AuthInfo>,
    /// The session that it names, as the server knows it; `None`: none, or sessions are not bound.
    pub(super) session: Option<HeaderValue>,
    /// What else it names, as the server knows it; `None`: nothing that is sealed.
    pub(super) opened: Option<Box<OpenedHandles>>,
}

/// What a handler needs of its caller.
#[derive(Clone)]
pub(super) enum AskedInVain {
    Scopes(InsufficientScope),
    /// For another API.
    Downstream(DownstreamRefusal),
}

/// A request that goes on. Shared by its handlers, through their [`AuthInfo`], and its response.
pub(super) struct Exchange {
    pub(super) admitted: Admitted,
    pub(super) called: Called,
    /// What a handler has asked for in vain.
    pub(super) refused: Mutex<Option<AskedInVain>>,
    /// What is in force for it, since something was replaced.
    pub(super) renewed: Mutex<Option<Standing>>,
}

impl Exchange {
    pub(super) fn new(admitted: Admitted, called: Called) -> Arc<Self> {
        let (refused, renewed) = (Mutex::new(None), Mutex::new(None));
        Arc::new(Self { admitted, called, refused, renewed })
    }
}

/// What a [`Forward`](super::Forward) has of its request.
pub(super) enum Held {
    /// Of one that calls nothing, and whose response is not looked into: it takes no memory of its own.
    Alone(Admitted),
    Shared(Arc<Exchange>),
}

impl Held {
    pub(super) fn admitted(&self) -> &Admitted {
        match self {
            Self::Alone(admitted) => admitted,
            Self::Shared(exchange) => &exchange.admitted,
        }
    }

    /// For what goes on beside it.
    pub(super) fn shared(&self) -> Arc<Exchange> {
        match self {
            Self::Alone(admitted) => Exchange::new(admitted.clone(), Called::Unread),
            Self::Shared(exchange) => exchange.clone(),
        }
    }

    /// Whether a handler has asked for more scopes in vain.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            Self::Alone(_) => false,
            Self::Shared(exchange) => exchange.is_refused(),
        }
    }

    /// Where a handler asks for more.
    pub(super) fn step_up(&self) -> Arc<dyn StepUp> {
        match self {
            // It leaves no refusal: nobody would look for it.
            Self::Alone(admitted) => admitted.resource.clone(),
            Self::Shared(exchange) => exchange.clone(),
        }
    }
}

/// What a request calls. What that needs was asked for before its handler was called.
pub(super) enum Called {
    /// Nobody has read the body.
    Unread,
    /// Nearly every message. What it needs is found when a handler asks for more.
    One(Arc<Operation<'static>>),
    Several {
        /// With what is judged besides: all of it is judged again where the configuration is replaced.
        all: Box<[Operation<'static>]>,
        /// How many of them were sent: the first ones.
        sent: usize,
        needed: Scopes,
    },
}

impl Called {
    /// What was sent, for the log.
    pub(super) fn sent(&self) -> &[Operation<'static>] {
        match self {
            Self::Several { all, sent, .. } => &all[..*sent],
            Self::Unread | Self::One(_) => self.judged(),
        }
    }

    /// What the rules are asked about.
    pub(super) fn judged(&self) -> &[Operation<'static>] {
        match self {
            Self::Unread => &[],
            Self::One(operation) => std::slice::from_ref(operation),
            Self::Several { all, .. } => all,
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
        f.debug_struct("Exchange")
            .field("resource", &self.admitted.resource)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.admitted().resource.fmt(f)
    }
}
