//! A function of the user's that says which tokens were taken back.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mcp_auth::AuthInfo;
use mcp_auth::revocation::{RevocationCheck, RevocationCheckError};
use napi::bindgen_prelude::{FnArgs, FunctionRef};
use serde::Deserialize;

use crate::functions;

/// A function that begins to ask about a caller, in JSON, and answers later, by [`functions::verified`].
pub(crate) struct Checker {
    pub(crate) begin: FunctionRef<FnArgs<(String, u32)>, ()>,
    pub(crate) interval: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Told {
    Revoked(bool),
    Unavailable(String),
}

impl RevocationCheck for Checker {
    fn is_revoked<'c>(
        &'c self,
        caller: &'c AuthInfo,
    ) -> BoxFuture<'c, Result<bool, RevocationCheckError>> {
        async move {
            let asked = functions::ask(&self.begin, caller.json().to_owned());
            let answer = match asked {
                Ok(answer) => answer.await.map_err(|error| error.to_string()),
                Err(reason) => Err(reason),
            };
            let told = answer.map_err(RevocationCheckError::new)?;
            match serde_json::from_str(&told) {
                Ok(Told::Revoked(is_revoked)) => Ok(is_revoked),
                Ok(Told::Unavailable(reason)) => Err(RevocationCheckError::new(reason)),
                Err(_) => Err(RevocationCheckError::new("what it said cannot be read")),
            }
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    /// Longer than what is kept in JavaScript.
    fn timeout(&self) -> Duration {
        Duration::from_secs(60)
    }
}
