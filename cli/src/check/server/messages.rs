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

static METHOD_MISSING: Row = Row {
    id: "R19.method-missing",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "A request without Mcp-Method is refused",
    expected: MISMATCH,
    fix: REQUIRE,
};

static NAME_MISSING: Row = Row {
    id: "R19.name-missing",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "A call of a tool without Mcp-Name is refused",
    expected: MISMATCH,
    fix: REQUIRE,
};

static VERSION_MISSING: Row = Row {
    id: "R19.version-missing",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "A request without MCP-Protocol-Version is refused where its body says 2026-07-28",
    expected: MISMATCH,
    fix: REQUIRE,
};

static ARGUMENT_HEADER: Row = Row {
    id: "R19.argument-header",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Must),
    title: "An Mcp-Param header that contradicts its argument is refused",
    expected: MISMATCH,
    fix: "Compare the arguments that `x-mcp-header` names with their headers before the call is carried out. \
          With mcp-auth: any policy.",
};

static MISMATCH_CODE: Row = Row {
    id: "R19.mismatch-code",
    requirement: "R19",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Should),
    title: "A refusal of such headers says what it is",
    expected: "400 with JSON-RPC error -32020",
    fix: "Answer 400 with JSON-RPC error -32020, so that the client sees that its headers are at fault. With mcp-auth: any policy.",
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

const MISMATCH: &str = "a refusal, with a status from 400 to 499";
const COMPARE: &str = "Compare Mcp-Method, Mcp-Name and MCP-Protocol-Version with the body before it is carried out: \
                       whoever routes or limits by the headers sees another call. With mcp-auth: any policy.";
const REQUIRE: &str = "Refuse requests of 2026-07-28 without Mcp-Method, Mcp-Name or MCP-Protocol-Version: a proxy that routes or \
                       limits by them has seen nothing. With mcp-auth: any policy.";
const NO_MIRRORED_ARGUMENT: &str =
    "no tool that is marked as reading only, and needs nothing else, has a text in `x-mcp-header`";
const NEEDS_MODERN: &str = "the server does not speak 2026-07-28";

static MODERN_ROWS: [&Row; 10] = [
    &METHOD_HEADER,
    &NAME_HEADER,
    &VERSION_HEADER,
    &METHOD_MISSING,
    &NAME_MISSING,
    &VERSION_MISSING,
    &ARGUMENT_HEADER,
    &MISMATCH_CODE,
    &UNVERSIONED,
    &CACHE_SCOPE,
];

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
            .without("mcp-name")
            .header("mcp-name", "another-tool");
        let body = mcp::message("tools/list", mcp::modern_parameters(mcp::LEGACY));
        let wrong_version = mcp::modern("another MCP-Protocol-Version", &self.target, "tools/list")
            .body(body.to_string());
        let no_method =
            mcp::modern("no Mcp-Method", &self.target, "tools/list").without("mcp-method");
        let no_name = mcp::modern("no Mcp-Name", &self.target, "tools/call").without("mcp-name");
        let no_version = mcp::modern("no MCP-Protocol-Version", &self.target, "tools/list")
            .without("mcp-protocol-version");
        let rows = [
            (&METHOD_HEADER, wrong_method.clone()),
            (&NAME_HEADER, wrong_name),
            (&VERSION_HEADER, wrong_version),
            (&METHOD_MISSING, no_method),
            (&NAME_MISSING, no_name),
            (&VERSION_MISSING, no_version),
        ];
        let (mut refused, mut wrong_codes) = (0, Vec::new());
        for (row, call) in rows {
            let name = call.name;
            let answer = self.send_signed(call).await;
            if is_refused(&answer) {
                refused += 1;
            }
            if is_refused(&answer) && !is_mismatch(&answer) {
                wrong_codes.push(format!("{name}: {}", answer.words()));
            }
            self.record(row, Outcome::when(is_refused(&answer), answer.words()));
        }
        let code = match refused {
            0 => Outcome::skipped("the server refuses none of them"),
            _ => Outcome::unless(wrong_codes, "400 with JSON-RPC error -32020"),
        };
        self.findings.record(&MISMATCH_CODE, code);
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
        self.probe_arguments(&listed).await;
    }

    /// Calls a tool that only reads, with an argument that its header contradicts.
    async fn probe_arguments(&mut self, listed: &Answer) {
        let list = listed.json().unwrap_or_default();
        let tools = list["result"]["tools"].as_array();
        let Some(tool) = tools.and_then(|all| all.iter().find_map(MirroredArgument::of_tool))
        else {
            self.record(&ARGUMENT_HEADER, Outcome::skipped(NO_MIRRORED_ARGUMENT));
            return;
        };
        let arguments = json!({ tool.argument: "mcp-auth-check" });
        let call = mcp::modern_tool("another Mcp-Param", &self.target, tool.name, arguments)
            .header(format!("mcp-param-{}", tool.header), "mcp-auth-check-other");
        let answer = self.send_signed(call).await;
        self.record(&ARGUMENT_HEADER, Outcome::when(is_refused(&answer), answer.words()));
    }
}

/// An argument of a tool that clients repeat in a header.
struct MirroredArgument<'l> {
    name: &'l str,
    argument: &'l str,
    header: &'l str,
}

impl<'l> MirroredArgument<'l> {
    /// The first text of a tool that says it only reads, and that can be called with nothing else.
    fn of_tool(tool: &'l Value) -> Option<Self> {
        let schema = &tool["inputSchema"];
        let mut found =
            schema["properties"].as_object()?.iter().filter_map(|(argument, property)| {
                let header = property["x-mcp-header"].as_str().filter(|name| is_token(name))?;
                (property["type"] == "string").then_some((argument.as_str(), header))
            });
        let (argument, header) = found.next()?;
        let needs_more = schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|name| name != argument));
        let only_reads = tool["annotations"]["readOnlyHint"] == true;
        let name = tool["name"].as_str().filter(|_| only_reads && !needs_more)?;
        Some(Self { name, argument, header })
    }
}

/// Whether it can be a part of the name of a header.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
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

/// Whether the message is refused, and not the token: how is not said where the specification says MUST.
fn is_refused(answer: &Answer) -> bool {
    matches!(answer.status(), 400..=499) && !matches!(answer.status(), 401 | 403 | 429)
}

fn is_mismatch(answer: &Answer) -> bool {
    let code = answer.json().map(|json| json["error"]["code"].clone()).unwrap_or(Value::Null);
    answer.status() == 400 && code == -32020
}

fn is_carried_out(answer: &Answer) -> bool {
    answer.is_success() && answer.json().is_none_or(|json| json.get("result").is_some())
}
