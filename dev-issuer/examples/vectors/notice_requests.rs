//! The parts of a case of `notices.json`.

use dev_issuer::Mint;
use serde_json::{Value, json};

use crate::NOW;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const SECEVENT: &str = "application/secevent+jwt";

/// What comes to a server, and what it refuses afterwards.
pub(crate) struct Case<'c> {
    pub(crate) configuration: &'c str,
    pub(crate) now: u64,
    pub(crate) notices: Vec<Value>,
    pub(crate) revoked: &'c [&'c str],
}

impl<'c> Case<'c> {
    pub(crate) fn usual(notices: Vec<Value>, revoked: &'c [&'c str]) -> Self {
        Self { configuration: "usual", now: NOW, notices, revoked }
    }
}

/// What the sender of a notice must be told.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) const LOGGED_OUT: Told = Told { status: 200, code: "", reason: "" };
pub(crate) const RECEIVED: Told = Told { status: 202, code: "", reason: "" };

pub(crate) fn refused_logout(status: u16, reason: &'static str) -> Told {
    Told { status, code: "invalid_request", reason }
}

pub(crate) fn refused_event(code: &'static str, reason: &'static str) -> Told {
    Told { status: 400, code, reason }
}

pub(crate) fn form(token: &str) -> String {
    format!("logout_token={token}")
}

pub(crate) fn logout_request(mint: Mint, expected: Told) -> Value {
    request("/backchannel-logout", FORM, &form(&mint.sign()), &[], expected)
}

pub(crate) fn event_request(mint: Mint, expected: Told) -> Value {
    request("/shared-signals", SECEVENT, &mint.sign(), &[], expected)
}

/// The same notice as one that is no request of ours, since nothing is received there.
pub(crate) fn not_received(mut notice: Value) -> Value {
    notice["expect"] = Value::Null;
    notice
}

pub(crate) fn request(
    target: &str,
    content_type: &str,
    body: &str,
    authorization: &[&str],
    expected: Told,
) -> Value {
    let Told { status, code, reason } = expected;
    json!({
        "request": {
            "method": "POST",
            "target": target,
            "authorization": authorization,
            "headers": { "content-type": content_type },
            "body": body,
        },
        "expect": { "status": status, "code": code, "reason": reason },
    })
}
