//! A token without anybody's rules: what can be judged of it by itself. Nobody is asked, least of all whom it names.

use std::pin::Pin;

use axum::body::Bytes;
use axum::http::{Request, Response};
use mcp_auth::explanation::{CheckOutcome, TokenCheck};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::Value;

use super::shown::Shown;

/// What stands for a server that is not named.
const NO_RESOURCE: &str = "https://resource.invalid/mcp";
const NO_ISSUER: &str = "https://issuer.invalid";

/// Checks that need to know whose token it should be.
const NEED_RULES: [&str; 3] = ["iss", "signature", "aud"];

/// A server that the token would be for, of the issuer that it names, as far as both can be read.
pub(super) fn config_for(shown: &Shown) -> Config {
    let audiences = match shown.claims.get("aud") {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let named = audiences.iter().filter_map(Value::as_str);
    let resources = named.chain([NO_RESOURCE]);
    let issuers = shown.issuer().into_iter().chain([NO_ISSUER]);
    for issuer in issuers {
        for resource in resources.clone() {
            let mut server = AuthorizationServer::new(issuer);
            server.dangerous_allow_http = true;
            let config =
                Config::default().protect_resource(ProtectedResource::new(resource, [server]));
            if McpAuth::builder(config.clone()).http_client(Nobody).build().is_ok() {
                return config;
            }
        }
    }
    Config::new(NO_RESOURCE, NO_ISSUER).unwrap_or_default()
}

/// Says of the checks that need rules what the token has, and that nothing was compared.
pub(super) fn leave_open(checks: &mut [TokenCheck], shown: &Shown) {
    if shown.form != "JWT" {
        return;
    }
    for check in checks.iter_mut().filter(|check| NEED_RULES.contains(&check.name)) {
        if check.name == "aud" && !shown.claims.contains_key("aud") {
            check.outcome = CheckOutcome::Failed;
            "an audience: a token without one is refused by default"
                .clone_into(&mut check.expected);
            "there is none".clone_into(&mut check.actual);
            continue;
        }
        check.outcome = CheckOutcome::NotReached;
        check.actual = match shown.claims.get(check.name) {
            Some(Value::String(text)) => format!("{text}, as found"),
            Some(value) => format!("{value}, as found"),
            None if check.name == "signature" => "no key was asked for".to_owned(),
            None => "there is none".to_owned(),
        };
    }
}

/// Asks nobody.
pub(super) struct Nobody;

impl HttpClient for Nobody {
    fn send(
        &self,
        _: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + '_>> {
        Box::pin(std::future::ready(Err(HttpError::new("nobody is asked without --issuer"))))
    }
}
