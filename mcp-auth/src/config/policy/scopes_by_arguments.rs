//! The one part of a policy that is code.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scope::Scopes;

/// A function that says which scopes the arguments of a call ask for. Two are equal when one is a clone of the other;
/// what they do is not compared.
#[derive(Clone)]
pub(crate) struct ScopesByArguments {
    function: Arc<ScopesFunction>,
}

type ScopesFunction = dyn Fn(&Map<String, Value>) -> Scopes + Send + Sync;

impl ScopesByArguments {
    pub(crate) fn new(
        function: impl Fn(&Map<String, Value>) -> Scopes + Send + Sync + 'static,
    ) -> Self {
        Self { function: Arc::new(function) }
    }

    /// The scopes for these arguments. It is code of the user's, and may panic.
    pub(crate) fn call(&self, arguments: &Map<String, Value>) -> Scopes {
        (self.function)(arguments)
    }
}

impl fmt::Debug for ScopesByArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("function")
    }
}

impl PartialEq for ScopesByArguments {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.function, &other.function)
    }
}
