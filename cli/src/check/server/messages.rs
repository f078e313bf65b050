//! Messages that a check in front of the server, or the server itself, could misread.

use mcp_auth::inspection::{Level, Levels, Revision};
use serde_json::{Value, json};

use super::caller::NEEDS_TOKEN;
use super::{Answer, Dialect, Outcome, Prober, Row, mcp};
use crate::output::quoted;

static METHOD_HEADER: Row = Row {
    id: "R19.method-header",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "An Mcp-Method header that contradicts the body is refused",
    expected: MISMATCH,
    fix: COMPARE,
};

static NAME_HEADER: Row = Row {
    id: "R19.name-header",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "An Mcp-Name header that contradicts the body is refused",
    expected: MISMATCH,
    fix: COMPARE,
};

static VERSION_HEADER: Row = Row {
    id: "R19.version-header",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "An MCP-Protocol-Version header that contradicts the body is refused",
    expected: MISMATCH,
    fix: COMPARE,
};

static UNVERSIONED: Row = Row {
    id: "R19.without-version",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::May),
    title: "It is refused without MCP-Protocol-Version as well",
    expected: "400",
    fix: "Compare the headers whenever they are there, or let no proxy decide by them: a client chooses its revision. \
          With mcp-auth: any policy.",
};

static BATCH: Row = Row {
    id: "2025-06-18.batch",
    requirement: "2025-06-18",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Should),
    title: "A batch is refused in revisions that have none",
    expected: "400",
    fix: "Refuse an array of messages: a check of the first one would let the others through.",
};

static DUPLICATE_MEMBERS: Row = Row {
    id: "R19.duplicate-members",
    requirement: "R19",
    levels: Levels::always(Level::May),
    title: "A message with two `method` members is refused",
    expected: "400",
    fix: "Refuse it (RFC 8259 §4): readers differ in which one they take, and a proxy may have seen the other. \
          With mcp-auth: any policy.",
};

static CACHE_SCOPE: Row = Row {
    id: "R17.cache-scope",
    requirement: "R17",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Should),
    title: "Lists may not be shared between callers",
    expected: "cacheScope \"private\"",
    fix: "Set cacheScope to private, unless every caller gets the same list (then it is no fault). With mcp-auth: any policy.",
};

const MISMATCH: &str = "400 with JSON-RPC error -32020";
const COMPARE: &str = "Compare Mcp-Method, Mcp-Name and MCP-Protocol-Version with the body before it is carried out: \
                       whoever routes or limits by the headers sees another call. With mcp-auth: any policy.";
const NEEDS_MODERN: &str = "the server does not speak 2026-07-28";

static MODERN_ROWS: [&Row; 5] =
    [&METHOD_HEADER, &NAME_HEADER, &VERSION_HEADER, &UNVERSIONED, &CACHE_SCOPE];

impl Prober {
    /// Sends messages of two minds, with the good token.
    pub(super) async fn probe_messages(&mut self, dialect: Option<&Dialect>) {
        let Some(dialect) = dialect else {
            for row in MODERN_ROWS.into_iter().chain([&BATCH, &DUPLICATE_MEMBERS]) {
                self.record(row, Outcome::skipped(NEEDS_TOKEN));
            }
            return;
        };
        match dialect {
            Dialect::Modern => self.probe_modern_messages().await,
            Dialect::Legacy { .. } => {
                for row in MODERN_ROWS {
                    self.record(row, Outcome::skipped(NEEDS_MODERN));
                }
            }
        }
        let messages =
            json!([mcp::message("ping", json!({})), mcp::message("tools/list", json!({}))]);
        let revision = match dialect {
            Dialect::Modern => mcp::LEGACY,
            Dialect::Legacy { revision, .. } => revision,
        };
        if revision == Revision::V2025_03_26.name() {
            self.record(
                &BATCH,
                Outcome::skipped("the server speaks 2025-03-26 only, which has batches"),
            );
        } else {
            let call = match dialect {
                Dialect::Modern => mcp::post("a batch", &self.target, &messages)
                    .header("mcp-protocol-version", mcp::LEGACY),
                Dialect::Legacy { .. } => {
                    dialect.list_tools("a batch", &self.target).body(messages.to_string())
                }
            };
            let answer = self.send_signed(call).await;
            self.record(&BATCH, Outcome::when(!answer.is_success(), answer.words()));
        }
        let call = dialect.list_tools("a message with two methods", &self.target);
        let answer = self.send_signed(call.body(with_two_methods(dialect))).await;
        self.record(&DUPLICATE_MEMBERS, Outcome::when(!is_carried_out(&answer), answer.words()));
    }

    async fn probe_modern_messages(&mut self) {
        let wrong_method = mcp::modern("another Mcp-Method", &self.target, "tools/list")
            .without("mcp-method")
            .header("mcp-method", "ping");
        let wrong_name = mcp::modern("another Mcp-Name", &self.target, "tools/call")
            .header("mcp-name", "another-tool");
        let body = mcp::message("tools/list", mcp::modern_parameters(mcp::LEGACY));
        let wrong_version = mcp::modern("another MCP-Protocol-Version", &self.target, "tools/list")
            .body(body.to_string());
        let rows = [
            (&METHOD_HEADER, wrong_method.clone()),
            (&NAME_HEADER, wrong_name),
            (&VERSION_HEADER, wrong_version),
        ];
        for (row, call) in rows {
            let answer = self.send_signed(call).await;
            self.record(row, Outcome::when(is_mismatch(&answer), answer.words()));
        }
        let unversioned =
            wrong_method.without("mcp-protocol-version").named("Mcp-Method without a version");
        let answer = self.send_signed(unversioned).await;
        self.record(&UNVERSIONED, Outcome::when(!is_carried_out(&answer), answer.words()));
        let list_tools = mcp::modern("tools/list", &self.target, "tools/list");
        let listed = self.send_signed(list_tools).await;
        let scope =
            listed.json().map(|json| json["result"]["cacheScope"].clone()).unwrap_or_default();
        let seen =
            if scope.is_null() { "no cacheScope".to_owned() } else { quoted(&scope.to_string()) };
        self.record(&CACHE_SCOPE, Outcome::when(scope == "private", seen));
    }
}

/// A message with the member `method` twice. A reader that takes the first one sees `ping`, another one sees `tools/list`.
fn with_two_methods(dialect: &Dialect) -> String {
    let parameters = match dialect {
        Dialect::Modern => mcp::modern_parameters(mcp::MODERN),
        Dialect::Legacy { .. } => json!({}),
    };
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list","params":{parameters}}}"#
    )
}

fn is_mismatch(answer: &Answer) -> bool {
    let code = answer.json().map(|json| json["error"]["code"].clone()).unwrap_or(Value::Null);
    answer.status() == 400 && code == -32020
}

fn is_carried_out(answer: &Answer) -> bool {
    answer.is_success() && answer.json().is_none_or(|json| json.get("result").is_some())
}
