//! `vectors/notices.json`: what issuers tell, and what is refused after it.

use std::collections::{BTreeMap, HashMap};

use mcp_auth::Config;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{Answer, echo, request, send};
use crate::vectors::{CaseRequest, protect_with};

#[derive(Deserialize)]
struct NoticeVectors {
    configurations: HashMap<String, Config>,
    documents: HashMap<String, Value>,
    /// By their names.
    access_tokens: BTreeMap<String, String>,
    cases: Vec<NoticeCase>,
}

#[derive(Deserialize)]
struct NoticeCase {
    name: String,
    configuration: String,
    now: u64,
    /// One after the other.
    notices: Vec<Notice>,
    /// The names of the access tokens that are refused afterwards; the others are good.
    revoked: Vec<String>,
}

#[derive(Deserialize)]
struct Notice {
    request: CaseRequest,
    /// None: it is no request of ours, since nothing is received there.
    expect: Option<Told>,
}

/// What the sender must be told.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Told {
    status: u16,
    code: String,
    reason: String,
}

#[tokio::test]
async fn every_notice_is_answered_and_carried_out_as_expected() {
    let file = include_str!("../../../vectors/notices.json");
    let vectors: NoticeVectors = serde_json::from_str(file).unwrap();
    assert!(vectors.cases.len() > 100);
    for case in &vectors.cases {
        let config = vectors.configurations[&case.configuration].clone();
        let app = protect_with(config, case.now, vectors.documents.clone()).protect(echo());
        for notice in &case.notices {
            let answer = send(app.clone(), notice.request.to_request()).await;
            match &notice.expect {
                Some(expected) => assert_eq!(told(&answer), *expected, "{}", case.name),
                None => assert_eq!(answer.status.as_u16(), 404, "{}", case.name),
            }
        }
        for (name, token) in &vectors.access_tokens {
            let bearer = format!("Bearer {token}");
            let call = request("POST", "/mcp", &[("authorization", &*bearer)]);
            let expected = if case.revoked.contains(name) { "revoked" } else { "ok" };
            let code = send(app.clone(), call).await.code();
            assert_eq!(code, expected, "{}: {name}", case.name);
        }
    }
}

/// By RFC 8935 or RFC 6749.
fn told(answer: &Answer) -> Told {
    let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
    let text_of = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| body[name].as_str());
        found.unwrap_or_default().to_owned()
    };
    Told {
        status: answer.status.as_u16(),
        code: text_of(["err", "error"]),
        reason: text_of(["description", "error_description"]),
    }
}
