//! Every revision × every kind of call × every way to be allowed or refused.

use mcp_auth::policy::Requirement;
use mcp_auth::{Principal, ScopePolicy};
use serde_json::{Value, json};

use super::{PolicyServer, REVISIONS, message};

/// One way to call something, under a rule of its own.
#[derive(Clone, Copy, Debug)]
struct Way {
    method: &'static str,
    /// The params that name what is called.
    params: fn(&str) -> Value,
    /// The value of `Mcp-Name`.
    header: Option<fn(&str) -> String>,
}

const WAYS: [Way; 9] = [
    Way {
        method: "tools/call",
        params: |name| json!({ "name": name, "arguments": {} }),
        header: Some(str::to_owned),
    },
    Way {
        method: "prompts/get",
        params: |name| json!({ "name": name }),
        header: Some(str::to_owned),
    },
    Way { method: "resources/read", params: |name| json!({ "uri": uri(name) }), header: Some(uri) },
    Way {
        method: "resources/subscribe",
        params: |name| json!({ "uri": uri(name) }),
        header: Some(uri),
    },
    Way {
        method: "resources/unsubscribe",
        params: |name| json!({ "uri": uri(name) }),
        header: Some(uri),
    },
    Way {
        method: "completion/complete",
        params: |name| json!({ "ref": { "type": "ref/prompt", "name": name } }),
        header: None,
    },
    Way {
        method: "completion/complete",
        params: |name| json!({ "ref": { "type": "ref/resource", "uri": uri(name) } }),
        header: None,
    },
    // Under a rule of the method itself: the name is part of it.
    Way {
        method: "tasks/get",
        params: |_| json!({ "taskId": "t" }),
        header: Some(|_| "t".to_owned()),
    },
    Way { method: "vendor/method", params: |_| json!({}), header: None },
];

fn uri(name: &str) -> String {
    format!("notes://{name}/1")
}

/// What a request is expected to come to.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: u16,
    code: &'static str,
    /// Of the challenge.
    scope: Option<&'static str>,
    has_run: bool,
}

const RUN: Outcome = Outcome { status: 200, code: "ok", scope: None, has_run: true };
const STEP_UP: Outcome = Outcome {
    status: 403,
    code: "insufficient_scope",
    scope: Some("mcp notes:write notes:delete"),
    has_run: false,
};
const DENIED: Outcome = Outcome { status: 403, code: "policy_denied", scope: None, has_run: false };

const fn bad(status: u16, code: &'static str) -> Outcome {
    Outcome { status, code, scope: None, has_run: false }
}

/// `delete` needs two scopes, `wipe` a role as well, `human` a person as well.
fn policy(method: Option<&str>) -> ScopePolicy {
    let base = || Requirement::all_of(["notes:write", "notes:delete"]);
    let rules = [
        ("delete", base()),
        ("wipe", base().roles(["admin"])),
        ("human", base().caller(Principal::User)),
    ];
    let mut policy = ScopePolicy::new()
        .require(["mcp"])
        .implies("notes:admin", ["notes:all"])
        .implies("notes:all", ["notes:write", "notes:delete"]);
    for (name, rule) in rules {
        policy = match method {
            // One server for each: a method has no name to tell rules apart.
            Some(rest) => match rest.split_once(' ') {
                Some((method, wanted)) if wanted == name => policy.require_for_method(method, rule),
                _ => policy,
            },
            None => policy
                .require_for_tool(name, rule.clone())
                .require_for_prompt(name, rule.clone())
                .require_for_resource(format!("notes://{name}/{{id}}"), rule),
        };
    }
    policy
}

async fn servers(way: Way) -> [PolicyServer; 3] {
    let by_method = way.method.starts_with("tasks/") || way.method.starts_with("vendor/");
    let rule = |name| by_method.then(|| format!("{} {name}", way.method));
    [
        PolicyServer::with(policy(rule("delete").as_deref()), small, |builder| builder).await,
        PolicyServer::with(policy(rule("wipe").as_deref()), small, |builder| builder).await,
        PolicyServer::with(policy(rule("human").as_deref()), small, |builder| builder).await,
    ]
}

fn small(mut config: mcp_auth::Config) -> mcp_auth::Config {
    config.max_body_bytes = 4096;
    config
}

#[tokio::test]
async fn every_call_is_decided_the_same_in_every_revision() {
    for way in WAYS {
        let [delete, wipe, human] = servers(way).await;
        for revision in REVISIONS {
            let place = format!("{way:?} in {revision:?}");
            // Who calls.
            let rows = [
                (&delete, "delete", "mcp notes:write notes:delete", RUN),
                (&delete, "delete", "mcp notes:write", STEP_UP),
                (&delete, "delete", "mcp", STEP_UP),
                (&delete, "delete", "other", STEP_UP),
                (&delete, "delete", "mcp notes:admin", RUN),
                (&wipe, "wipe", "mcp notes:admin", DENIED),
                (&human, "human", "mcp notes:admin", RUN),
            ];
            for (server, name, scope, expected) in rows {
                let token = server.mint(scope).sign();
                let body = message(way.method, (way.params)(name)).to_string();
                let outcome = ask(server, &token, way, revision, name, &body, &[]).await;
                assert_eq!(outcome, expected, "{place}: {name} with {scope:?}");
            }
            let admin =
                wipe.mint("mcp notes:admin").claim("roles", json!(["user", "admin"])).sign();
            let body = message(way.method, (way.params)("wipe")).to_string();
            assert_eq!(ask(&wipe, &admin, way, revision, "wipe", &body, &[]).await, RUN, "{place}");
            let machine = human.mint("mcp notes:admin").subject("bot").client_id("bot").sign();
            let body = message(way.method, (way.params)("human")).to_string();
            let outcome = ask(&human, &machine, way, revision, "human", &body, &[]).await;
            assert_eq!(outcome, DENIED, "{place}: a machine");

            // What is sent.
            let token = delete.mint("mcp notes:write notes:delete").sign();
            let good = message(way.method, (way.params)("delete"));
            let huge = {
                let mut message = good.clone();
                message["params"]["padding"] = Value::from("x".repeat(5000));
                message.to_string()
            };
            let text = good.to_string();
            let duplicate = text.replace("\"params\":", "\"params\":{},\"params\":");
            let rows = [
                (huge.as_str(), bad(413, "body_too_large")),
                ("{", bad(400, "not_json")),
                ("", bad(400, "not_json")),
                ("\u{feff}{}", bad(400, "not_json")),
                ("{}", bad(400, "invalid_message")),
                ("7", bad(400, "invalid_message")),
                (duplicate.as_str(), bad(400, "invalid_message")),
            ];
            for (body, expected) in rows {
                let outcome = ask(&delete, &token, way, revision, "delete", body, &[]).await;
                assert_eq!(outcome, expected, "{place}: {}", &body[..body.len().min(60)]);
            }
            for wrong in
                [("mcp-method", "ping"), ("mcp-name", "other"), ("mcp-name", "=?base64?!?=")]
            {
                let (answer, ran) = delete
                    .post(
                        Some(&token),
                        &[("mcp-protocol-version", revision), wrong]
                            [usize::from(revision.is_empty())..],
                        text.clone(),
                    )
                    .await;
                assert_eq!(
                    (answer.status.as_u16(), answer.code()),
                    (400, "header_mismatch"),
                    "{place} {wrong:?}"
                );
                assert_eq!(answer.json()["error"]["code"], -32020);
                assert_eq!((answer.json()["id"].clone(), ran.len()), (json!(7), 0));
            }
            let stream = ask(
                &delete,
                &token,
                way,
                revision,
                "delete",
                &text,
                &[("accept", "text/event-stream")],
            )
            .await;
            assert_eq!(stream, RUN, "{place}: as a stream");
        }
    }
}

#[tokio::test]
async fn a_batch_needs_what_all_of_it_needs_and_exists_in_one_revision_only() {
    for way in WAYS {
        let [delete, ..] = servers(way).await;
        let token = delete.mint("mcp notes:write").sign();
        let admin = delete.mint("mcp notes:admin").sign();
        let denied = message(way.method, (way.params)("delete"));
        for harmless in [message("ping", json!({})), message("tools/list", json!({}))] {
            for batch in [json!([harmless, denied]), json!([denied, harmless]), json!([denied])] {
                for revision in REVISIONS {
                    let has_batches = matches!(revision, "" | "2025-03-26");
                    let headers = [("mcp-protocol-version", revision)];
                    let headers = &headers[usize::from(revision.is_empty())..];
                    let (answer, ran) = delete.post(Some(&token), headers, batch.to_string()).await;
                    let expected = if has_batches {
                        (403, "insufficient_scope")
                    } else {
                        (400, "batch_not_allowed")
                    };
                    assert_eq!(
                        (answer.status.as_u16(), answer.code()),
                        expected,
                        "{way:?} {revision}"
                    );
                    assert!(ran.is_empty(), "{ran:?}");
                    let (answer, ran) = delete.post(Some(&admin), headers, batch.to_string()).await;
                    let expected =
                        if has_batches { (200, batch.as_array().unwrap().len()) } else { (400, 0) };
                    assert_eq!((answer.status.as_u16(), ran.len()), expected);
                }
            }
        }
    }
}

async fn ask(
    server: &PolicyServer,
    token: &str,
    way: Way,
    revision: &str,
    name: &str,
    body: &str,
    more: &[(&str, &str)],
) -> Outcome {
    let mcp_name = way.header.map(|header| header(name));
    let mut headers = more.to_vec();
    if !revision.is_empty() {
        headers.push(("mcp-protocol-version", revision));
    }
    if revision == "2026-07-28" {
        headers.push(("mcp-method", way.method));
        headers.extend(mcp_name.as_deref().map(|name| ("mcp-name", name)));
    }
    let (answer, ran) = server.post(Some(token), &headers, body.to_owned()).await;
    let scope = answer.challenge().map(|challenge| {
        assert!(challenge.contains("resource_metadata=\"https://mcp.example.com/"), "{challenge}");
        let (_, rest) = challenge.split_once("scope=\"").unwrap();
        match rest.split_once('"').unwrap().0 {
            "mcp notes:write notes:delete" => "mcp notes:write notes:delete",
            other => panic!("{other}"),
        }
    });
    let refusal = answer.error.is_some();
    assert_eq!(refusal, ran.is_empty(), "{ran:?}");
    Outcome { status: answer.status.as_u16(), code: answer.code(), scope, has_run: !ran.is_empty() }
}
