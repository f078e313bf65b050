//! Functions of the user's, called while a decision is made, on the thread that asked for it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use futures_util::FutureExt;

use futures_util::future::BoxFuture;
use mcp_auth::errors::{TokenError, Unavailable};
use mcp_auth::policy::{AccessRequest, OperationKind, Verdict};
use mcp_auth::{AuthError, AuthInfo, Authorizer, Operation, Scopes, TokenVerifier};
use napi::bindgen_prelude::{Env, FnArgs, FunctionRef};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::oneshot::{Receiver, Sender, channel};

thread_local! {
    /// Set while a decision is made: only then may JavaScript be called.
    static ENV: Cell<Option<Env>> = const { Cell::new(None) };
    /// Who waits for the answer of a verifier, by the number that it was given.
    static WAITING: RefCell<HashMap<u32, Sender<String>>> = RefCell::default();
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Makes a decision in which JavaScript may be called.
pub(crate) fn within<T>(env: Env, decide: impl FnOnce() -> T) -> T {
    let before = ENV.replace(Some(env));
    let decided = decide();
    ENV.set(before);
    decided
}

/// Takes the answer of a verifier, in JSON.
pub(crate) fn verified(number: u32, answer: String) {
    if let Some(sender) = WAITING.with_borrow_mut(|waiting| waiting.remove(&number)) {
        // Whoever asked may have gone.
        let _ = sender.send(answer);
    }
}

/// Calls a function that answers later, by [`verified`], with what it is asked about.
pub(crate) fn ask(
    begin: &FunctionRef<FnArgs<(String, u32)>, ()>,
    about: String,
) -> Result<Receiver<String>, String> {
    let env = ENV.get().ok_or("asked outside of a request")?;
    let number = NUMBER.get();
    NUMBER.set(number.wrapping_add(1));
    let (sender, answer) = channel();
    WAITING.with_borrow_mut(|waiting| waiting.insert(number, sender));
    let begun = begin.borrow_back(&env).and_then(|begin| begin.call(FnArgs::from((about, number))));
    begun.map_err(|error| error.to_string())?;
    Ok(answer)
}

/// A function that takes a caller and an operation, in JSON, and returns a verdict, in JSON.
pub(crate) struct Policy(pub(crate) FunctionRef<FnArgs<(String, String)>, String>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Said {
    Allow,
    MissingScopes(Scopes),
    Forbidden(String),
    /// It did not say anything that means something; why, for the log.
    Failed(String),
}

impl Authorizer for Policy {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn StdError + Send + Sync>> {
        let AccessRequest { caller, operation, .. } = *request;
        let env = ENV.get().ok_or("asked outside of a request")?;
        let described = describe(operation).to_string();
        let function = self.0.borrow_back(&env).map_err(|error| error.to_string())?;
        let said = function.call(FnArgs::from((caller.json().to_owned(), described)));
        let said = said.map_err(|error| error.to_string())?;
        Ok(match serde_json::from_str(&said)? {
            Said::Allow => Verdict::Allow,
            Said::MissingScopes(scopes) => Verdict::MissingScopes(scopes),
            Said::Forbidden(reason) => Verdict::forbidden(reason),
            Said::Failed(reason) => return Err(reason.into()),
        })
    }
}

fn describe(operation: &Operation<'_>) -> Value {
    let kind = match operation.kind() {
        OperationKind::Tool => "tool",
        OperationKind::Prompt => "prompt",
        OperationKind::Resource => "resource",
        _ => "other",
    };
    json!({
        "method": operation.method(),
        "name": operation.name(),
        "kind": kind,
        "arguments": operation.arguments(),
    })
}

/// A function that begins to verify a token and answers later, by [`verified`].
pub(crate) struct Verifier {
    pub(crate) begin: FunctionRef<FnArgs<(String, u32)>, ()>,
    /// Tokens that it is for begin with one of these; none: every token.
    pub(crate) prefixes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Found {
    // As it stands: serde_json gives some member names a meaning when it makes a value.
    Claims(Box<RawValue>),
    Refused(String),
    /// The token is good, and lacks these scopes.
    MissingScopes {
        required: Scopes,
        granted: Scopes,
    },
    UnknownIssuer {
        actual: String,
        expected: Vec<String>,
    },
    WrongAudience {
        actual: Vec<String>,
        expected: Vec<String>,
    },
    Unavailable(String),
}

fn unavailable(reason: String) -> AuthError {
    AuthError::Unavailable(Unavailable::new("verifyToken", reason, 5))
}

impl Verifier {
    async fn ask(&self, token: &str) -> Result<AuthInfo, AuthError> {
        let asked = ask(&self.begin, token.to_owned()).map_err(unavailable)?;
        let answer = asked.await.map_err(|error| unavailable(error.to_string()))?;
        match serde_json::from_str(&answer) {
            // Nothing of what is wrong with them: it may quote them.
            Ok(Found::Claims(claims)) => AuthInfo::from_verified_json(claims.get())
                .map_err(|_| unavailable("it returned claims that cannot be read".to_owned())),
            Ok(Found::Refused(reason)) => {
                tracing::debug!(reason, "the verify function refuses a token");
                Err(TokenError::Inactive.into())
            }
            Ok(Found::MissingScopes { required, granted }) => {
                Err(AuthError::InsufficientScope { required, granted })
            }
            Ok(Found::UnknownIssuer { actual, expected }) => {
                Err(TokenError::UnknownIssuer { actual, expected }.into())
            }
            Ok(Found::WrongAudience { actual, expected }) => {
                Err(TokenError::WrongAudience { actual, expected }.into())
            }
            Ok(Found::Unavailable(reason)) => Err(unavailable(reason)),
            // Nothing of its text: it may hold what the function said.
            Err(_) => Err(unavailable("what it said cannot be read".to_owned())),
        }
    }
}

impl TokenVerifier for Verifier {
    fn is_for(&self, token: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| token.starts_with(prefix))
    }

    fn verify<'t>(&'t self, token: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        self.ask(token).boxed()
    }

    /// Longer than any `verifyTimeout`, which is kept in JavaScript.
    fn timeout(&self) -> Duration {
        Duration::from_secs(2 * 3600)
    }
}
