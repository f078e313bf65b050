//! How rules add up, which rules are faults, and what lists show of them. The cases that every language
//! shares are in `vectors/rules.json`.

use mcp_auth::policy::{Access, AccessRequest, Requirement, Verdict};
use mcp_auth::{AuthInfo, Authorizer, Config, McpAuth, Operation, ScopePolicy};
use serde_json::{Value, json};

use super::{PolicyServer, message};
use crate::support::RESOURCE;

pub(super) fn policy(data: Value) -> ScopePolicy {
    serde_json::from_value(data).unwrap()
}

fn faults(data: Value) -> Vec<String> {
    policy(data).faults()
}

fn caller(scope: &str) -> AuthInfo {
    let claims = json!({ "iss": "https://as.example", "sub": "alice", "scope": scope });
    AuthInfo::from_verified_claims(claims.as_object().unwrap().clone()).unwrap()
}

fn protected_by(policy: ScopePolicy) -> McpAuth {
    let mut config = Config::new(RESOURCE, "https://as.example").unwrap();
    config.resources[0].policy = Some(policy);
    McpAuth::new(config).unwrap()
}

#[test]
fn a_rule_that_can_never_apply_is_a_fault_that_says_what_to_write() {
    let rows = [
        (json!({ "resources": { "n://*/x": "s" } }), "resources.n://*/x"),
        (json!({ "resources": { "n://{": "s" } }), "resources.n://{"),
        (json!({ "resources": { "n://{#x}": "s" } }), "resources.n://{#x}"),
        (json!({ "resources": { "n://a/../b": "s" } }), "resources.n://a/../b"),
        (json!({ "resources": { "n://a": "s", "n://a/": "t" } }), "resources.n://a/"),
        (
            json!({ "resources": { "n://a": "s", "n://a/": { "access": "public" } } }),
            "resources.n://a/",
        ),
        (json!({ "resources": { "n://{x}": "s", "n://{x}/": "t" } }), "resources.n://{x}/"),
        (
            json!({ "resources": { "n://a/?q={x}": "s", "n://a?q={x}": "t" } }),
            "resources.n://a?q={x}",
        ),
        (json!({ "resources": { "n://\u{c9}lodie/1": "s" } }), "resources.n://\u{c9}lodie/1"),
        (json!({ "resources": { "n://a?x=1;y=2": "s" } }), "resources.n://a?x=1;y=2"),
        (json!({ "resources": { "n://a{?q}x": "s" } }), "resources.n://a{?q}x"),
        (json!({ "tools": { "*": "s" } }), "tools.*"),
        (json!({ "tools": { "read_*": "s" } }), "tools.read_*"),
        (json!({ "tools": { " read": "s" } }), "tools. read"),
        (json!({ "prompts": { "*": "s" } }), "prompts.*"),
        (json!({ "methods": { "tasks/*": "s" } }), "methods.tasks/*"),
        (json!({ "methods": { "Tools/Call": "s" } }), "methods.Tools/Call"),
        (json!({ "methods": { "/tools/call": "s" } }), "methods./tools/call"),
        (json!({ "methods": { "tool/call": "s" } }), "methods.tool/call"),
        (json!({ "methods": { "resource/read": "s" } }), "methods.resource/read"),
        (json!({ "methods": { "tools/explode": "s" } }), "methods.tools/explode"),
        (json!({ "methods": { "delete_note": "s" } }), "methods.delete_note"),
        (
            json!({ "methods": { "ping": { "when": [{ "argument": "a", "scopes": "s" }] } } }),
            "methods.ping.when",
        ),
        (
            json!({ "resources": { "n://a": { "when": [{ "argument": "a", "scopes": "s" }] } } }),
            "resources.n://a.when",
        ),
        (
            json!({ "tools": { "t": { "when": [{ "argument": "/a~2", "scopes": "s" }] } } }),
            "tools.t.when",
        ),
        (
            json!({ "tools": { "t": { "when": [{ "argument": "a", "equals": 1, "starts_with": "x", "scopes": "s" }] } } }),
            "tools.t.when",
        ),
        (json!({ "roles_claim": "/a~b" }), "roles_claim"),
    ];
    for (data, place) in rows {
        let found = faults(data.clone());
        assert!(found.iter().any(|fault| fault.starts_with(place)), "{data}: {found:?}");
    }
    let whole = json!({
        "resources": { "*": "s", "{+u}": "a", "note*": "s", "{s}://secret/{id}": "s", "n://a?x={y}": "s" },
        "methods": { "tools/call": { "when": [{ "argument": "a", "scopes": "s" }] }, "vendor/x": "s" },
        "prompts": { "p": { "when": [{ "argument": "/a/b~1c", "unless": null, "scopes": "s" }] } },
        "tools": { "t": [] },
    });
    assert_eq!(faults(whole), Vec::<String>::new());
}

#[test]
fn an_empty_list_is_a_fault_wherever_it_would_ask_for_nothing() {
    for field in ["any_of", "roles", "groups", "permissions", "allowed_clients"] {
        for section in ["tools", "prompts", "resources", "methods"] {
            let found = faults(json!({ section: { "x/x": { field: [] } } }));
            assert_eq!(found.len(), 1, "{section} {field}: {found:?}");
            assert!(found[0].starts_with(&format!("{section}.x/x.{field}: ")), "{found:?}");
        }
    }
    assert!(faults(json!({ "allowed_clients": [] }))[0].starts_with("require.allowed_clients"));
    let in_code = ScopePolicy::new()
        .require_for_tool("x", Requirement::default().roles(Vec::<String>::new()));
    assert_eq!(in_code.faults().len(), 1);
    assert!(faults(json!({ "tools": { "x": { "roles": null, "all_of": [] } } })).is_empty());
}

/// What a pattern without a literal scheme is about, beside other rules and alone.
#[test]
fn a_rule_without_a_scheme_is_for_every_scheme() {
    for pattern in ["*", "{+u}", "n*", "{s}://secret/{id}", "{+x}/1"] {
        for others in [json!({}), json!({ "n://public/*": { "access": "public" } })] {
            let mut resources = others;
            resources[pattern] = json!(["s1"]);
            let auth = protected_by(policy(json!({ "resources": resources })));
            for method in ["resources/read", "resources/subscribe"] {
                let _ = method;
                let operation = Operation::resource("n://secret/1");
                let said = auth.explain("/mcp", Some(&caller("")), &operation).unwrap();
                assert_eq!(said.code, "insufficient_scope", "{pattern}");
                assert_eq!(said.rules, [format!("resources.{pattern}")]);
            }
        }
    }
}

#[test]
fn the_rule_that_says_most_exactly_what_it_is_about_counts() {
    let rows = [
        (
            json!({ "n://a": { "access": "public" }, "n://a?admin={x}": ["s1"] }),
            "n://a?admin=1",
            "s1",
        ),
        (
            json!({ "n://a": { "access": "public" }, "n://a?admin={x}": ["s1"] }),
            "n://a?b=2&admin=",
            "s1",
        ),
        (
            json!({ "n://a": { "access": "public" }, "n://a?admin={x}": ["s1"] }),
            "n://a?admin=a/b?c",
            "s1",
        ),
        (json!({ "n://a": { "access": "public" }, "n://a?admin={x}": ["s1"] }), "n://a?b=2", ""),
        (json!({ "n://a": { "access": "public" }, "n://a{?q}": ["s1"] }), "n://a?q=1", "s1"),
        (json!({ "n://a": { "access": "public" }, "n://a{?q}": ["s1"] }), "n://a", ""),
        (json!({ "n://a": ["s1"], "n://a?v={x}": { "access": "public" } }), "n://a?v=1", ""),
        (json!({ "n://a": ["s1"], "n://a?v={x}": { "access": "public" } }), "n://a?v=1&w=2", "s1"),
        (json!({ "n://a": ["s1"], "n://a{?v}": { "access": "public" } }), "n://a?w=1", "s1"),
        (json!({ "n://a": { "access": "public" }, "n://a/*": ["s1"] }), "n://a/", "s1"),
        (json!({ "n://a": { "access": "public" }, "n://a/*": ["s1"] }), "n://a", ""),
        // A slash at the end, on either side.
        (json!({ "n://a/": ["s1"] }), "n://a", "s1"),
        (json!({ "n://a/": ["s1"], "n://*": { "access": "public" } }), "n://a", "s1"),
        (json!({ "n://{id}/": ["s1"], "n://*": { "access": "public" } }), "n://a?x=1", "s1"),
        (json!({ "n://a/b/{id}/": ["s1"] }), "n://a/b/c/", "s1"),
        (json!({ "n://a/?v={x}": ["s1"] }), "n://a?v=1", "s1"),
        (json!({ "n://a/": { "access": "public" }, "n://*": ["s1"] }), "n://a", "s1"),
        (json!({ "{+u}/": { "access": "public" }, "n://*": ["s1"] }), "n://a", "s1"),
        // `%26` is part of a value; a rule that asks for something looks behind it.
        (json!({ "n://s?q={x}": { "access": "public" } }), "n://s?q=a%26b", ""),
        (json!({ "n://s{?q}": { "access": "public" } }), "n://s?q=a%26b%3D", ""),
        (json!({ "n://s?q={x}": { "access": "public" }, "n://s": ["s1"] }), "n://s?q=a&b", "s1"),
        (
            json!({ "n://s": { "access": "public" }, "n://s?b={x}": ["s1"] }),
            "n://s?q=a%26b=1",
            "s1",
        ),
        (json!({ "n://s": { "access": "public" }, "n://s?b={x}": ["s1"] }), "n://s?q=a%26b", "s1"),
        // A host that other readers may write otherwise is judged as any host.
        (json!({ "g://{name}": { "access": "public" } }), "g://\u{c9}lodie", ""),
        (json!({ "g://{name}": { "access": "public" } }), "g://Stra\u{df}e/", ""),
        (json!({ "g://{name}": ["s1"], "g://ada": ["s2"] }), "g://\u{c9}lodie", "s2 s1"),
        (json!({ "g://ada": ["s1"] }), "g://\u{ff41}da", "s1"),
        (
            json!({ "g://{name}": ["s1"], "g://{a}/{b}": { "access": "public" } }),
            "g://\u{c9}lodie/x",
            "",
        ),
        (json!({ "g://{name}/x": ["s1"] }), "g://A\u{30a}ngstro\u{308}m/x", "s1"),
        (json!({ "n://a": ["s1"], "n://a/*": { "access": "public" } }), "n://a/", "s1"),
        (json!({ "n://a": ["s1"], "n://a*": { "access": "public" } }), "n://a?x=1", "s1"),
        (json!({ "n://*": ["s1"], "n://a/*": { "access": "public" } }), "n://a/b", ""),
        (json!({ "n://{a}/x": ["s1"], "n://y/{b}": ["s2"] }), "n://y/x", "s2 s1"),
        (
            json!({ "n://secret": ["s1"], "{+any}/public/information": { "access": "public" } }),
            "n://secret?/public/information",
            "s1",
        ),
    ];
    for (resources, uri, expected) in rows {
        let auth = protected_by(policy(json!({ "resources": resources })));
        let said = auth.explain("/mcp", Some(&caller("")), &Operation::resource(uri)).unwrap();
        assert_eq!(said.required.to_string(), expected, "{resources} {uri}");
        assert_eq!(said.access == Access::Required, !expected.is_empty(), "{resources} {uri}");
    }
}

/// What a client adds to a URI, in whatever spelling, only adds rules that ask.
#[test]
fn another_spelling_or_more_of_a_uri_opens_nothing() {
    let public = json!({ "access": "public" });
    let rows = [
        // An equals sign, a plus, an ampersand: part of the value, or decoded first.
        (json!({ "n://a": ["a"], "n://a?view={x}": public }), "n://a?view%3Ds", "a"),
        (json!({ "n://a": ["a"], "n://a{?view}": public }), "n://a?view%3Ds", "a"),
        (json!({ "n://a": ["a"], "n://a?view={x}": [] }), "n://a?view%3Ds", "a"),
        (json!({ "n://a": ["a"], "n://a?q=a+b": public }), "n://a?q=a%2Bb", "a"),
        (json!({ "n://a": ["a"], "n://a?view=summary": [] }), "n://a?x=1%26view=summary", "a"),
        (json!({ "n://a": ["a"], "n://a?view=summary": [] }), "n://a?view=x%26view=summary", "a"),
        (json!({ "n://a": ["a"], "n://a?view={x}": public }), "n://a?view=1%26x=2", "a"),
        (json!({ "n://a": public, "n://a?admin={x}": ["a"] }), "n://a?v=1%26admin%3D1", "a"),
        (json!({ "n://a?q=1": ["a"] }), "n://a?q%3D1", "a"),
        (json!({ "n://a?q=1": ["a"], "n://a": public }), "n://a?z=1%26q%3D1", "a"),
        // More parameters.
        (json!({ "n://a": ["a"], "n://a?view=summary": [] }), "n://a?view=full&view=summary", "a"),
        (json!({ "n://a": ["a"], "n://a?view={x}": ["b"] }), "n://a?view=1&x=2", "a b"),
        (json!({ "n://a": ["a"], "n://a?view={x}": ["b"] }), "n://a?view=1", "b"),
        // Parameters of segments.
        (json!({ "https://h/*": public, "https://h/secret": ["a"] }), "https://h/secret;x", "a"),
        (json!({ "n://h/*": public, "n://h/secret/{id}": ["a"] }), "n://h/secret;x/1", "a"),
        (json!({ "n://h/*": public, "n://h/secret": ["a"] }), "n://h/secret;x=1/", "a"),
        (json!({ "*": public, "secret": ["a"] }), "secret;x", "a"),
        // Slashes.
        (json!({ "n://*": ["a"], "n://a/": public }), "n://a/", ""),
        (json!({ "n://*": ["a"], "n://{+x}/": public }), "n://a/", "a"),
        (json!({ "https://*": ["a"], "https://h": public }), "https://h", ""),
        (json!({ "https://*": ["a"], "https://h": public }), "https://h/", ""),
        (json!({ "https://h/": ["b"], "https://h/*": ["a"] }), "https://h", "b"),
        (json!({ "n://a/": ["b"], "n://a*": ["a"] }), "n://a/", "b"),
    ];
    for (resources, uri, expected) in rows {
        let auth = protected_by(policy(json!({ "resources": resources })));
        let said = auth.explain("/mcp", Some(&caller("")), &Operation::resource(uri)).unwrap();
        assert_eq!(said.required.to_string(), expected, "{resources} {uri}");
    }
    let declared = json!({ "deny_undeclared": true, "resources": { "n://a?view={x}": [] } });
    let auth = protected_by(policy(declared));
    for (uri, allowed) in [("n://a?view=1", true), ("n://a?x=1%26view=2", false)] {
        let said = auth.explain("/mcp", Some(&caller("")), &Operation::resource(uri)).unwrap();
        assert_eq!(said.allowed, allowed, "{uri}");
    }
    let auth = protected_by(policy(json!({ "resources": { "https://internal/*": ["a"] } })));
    let hidden = Operation::resource("URL:https://internal/x");
    let said = auth.explain("/mcp", Some(&caller("a")), &hidden).unwrap();
    assert_eq!(said.code, "policy_denied", "some readers leave `URL:` out");
}

/// Anybody may add a parameter to a URI.
#[test]
fn a_parameter_that_is_added_sets_no_rule_for_another_one_aside() {
    let rules = json!({ "n://{id}?admin={y}": ["admin"], "n://a?v={x}": ["s1"] });
    let auth = protected_by(policy(json!({ "resources": rules })));
    for uri in ["n://a?admin=1", "n://a?admin=1&v=1", "n://a?v=1&admin=1", "n://a?v=1&admin="] {
        let said = auth.explain("/mcp", Some(&caller("s1")), &Operation::resource(uri)).unwrap();
        assert_eq!(said.code, "insufficient_scope", "{uri}");
        assert!(said.required.contains("admin"), "{uri}");
    }
    let both = json!({ "n://{id}?v={y}": ["admin"], "n://a?v={x}&w={z}": ["s1"] });
    let auth = protected_by(policy(json!({ "resources": both })));
    let operation = Operation::resource("n://a?v=1&w=1");
    assert!(auth.explain("/mcp", Some(&caller("s1")), &operation).unwrap().allowed);
}

/// What a list of templates shows to this caller.
async fn shown(rules: Value, scope: Option<&str>, templates: &[&str]) -> Vec<String> {
    let items: Vec<_> = templates.iter().map(|uri| json!({ "uriTemplate": uri })).collect();
    let result = move |_: &Value| json!({ "resourceTemplates": items });
    let server =
        PolicyServer::answering(policy(rules), |config| config, |builder| builder, result).await;
    let token = scope.map(|scope| server.mint(scope).sign());
    let body = message("resources/templates/list", json!({})).to_string();
    let (answer, _) = server.post(token.as_deref(), &[], body).await;
    let items = answer.json()["result"]["resourceTemplates"].as_array().unwrap().clone();
    items.iter().map(|item| item["uriTemplate"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_template_is_listed_if_something_behind_it_could_be_read() {
    let forms =
        ["n://x/{id}", "n://x{/a,b}", "n://x/{#f}", "n://x/{+p}", "n://x{?q*}", "n://x/{a:3}"];
    let admins = json!({ "resources": { "n://x*": { "roles": ["admin"] } } });
    assert!(shown(admins.clone(), Some("mcp"), &forms).await.is_empty());
    assert_eq!(shown(admins, Some("mcp"), &["m://{id}"]).await, ["m://{id}"]);
    let partly = json!({
        "resources": { "n://x*": { "roles": ["admin"] }, "n://x/open/*": { "access": "public" } },
    });
    assert_eq!(shown(partly, Some("mcp"), &["n://x/{+p}", "n://x/z/{p}"]).await, ["n://x/{+p}"]);
}

async fn tools_shown(rules: Value, scope: Option<&str>) -> Vec<String> {
    let tools = ["open", "scoped"].map(|name| json!({ "name": name }));
    let result = move |_: &Value| json!({ "tools": tools });
    let server = PolicyServer::answering(
        policy(rules),
        |mut config| {
            config.resources[0].required_scopes = "base".into();
            config
        },
        |builder| builder,
        result,
    )
    .await;
    let token = scope.map(|scope| server.mint(scope).sign());
    let (answer, _) =
        server.post(token.as_deref(), &[], message("tools/list", json!({})).to_string()).await;
    let items = answer.json()["result"]["tools"].as_array().unwrap().clone();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_show_what_their_reader_could_call_and_nothing_else() {
    let open = json!({ "open": { "access": "public" } });
    let for_one_client = json!({ "tools": open, "allowed_clients": ["console"] });
    assert_eq!(tools_shown(for_one_client, None).await, ["open"], "nobody is no client");
    let for_users = json!({ "tools": open, "caller": "user" });
    assert_eq!(tools_shown(for_users, None).await, ["open"], "nobody is no user");
    let strict = json!({ "tools": open, "strict_lists": true });
    assert_eq!(tools_shown(strict.clone(), Some("other")).await, ["open"], "the baseline counts");
    assert_eq!(tools_shown(strict, Some("base")).await, ["open", "scoped"]);
    let public_list = json!({
        "tools": { "scoped": ["s1"] }, "strict_lists": true,
        "methods": { "tools/list": { "access": "public" } },
    });
    assert_eq!(tools_shown(public_list.clone(), Some("base s1")).await, ["open", "scoped"]);
    assert!(tools_shown(public_list, None).await.is_empty());
}

/// Says nothing of access, and forbids one tool.
struct Veto;

impl Authorizer for Veto {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
        let AccessRequest { operation, .. } = *request;
        Ok(match operation.name() {
            Some("vetoed") => Verdict::forbidden("not this one"),
            _ => Verdict::Allow,
        })
    }
}

#[tokio::test]
async fn rules_of_ones_own_close_no_open_rule_by_saying_nothing() {
    let rules = policy(json!({ "tools": {
        "open": { "access": "public" }, "vetoed": { "access": "optional" },
    } }));
    let server =
        PolicyServer::with(rules, |config| config, |builder| builder.authorizer(Veto)).await;
    let call = |name: &str| message("tools/call", json!({ "name": name })).to_string();
    for body in [call("open"), call("vetoed"), message("initialize", json!({})).to_string()] {
        assert_eq!(server.post(None, &[], body.clone()).await.0.status.as_u16(), 200, "{body}");
    }
    assert_eq!(server.post(None, &[], call("other")).await.0.status.as_u16(), 401);
    let get = crate::support::request("GET", "/mcp", &[]);
    assert_eq!(server.harness.send(get).await.status.as_u16(), 405);
    let token = server.mint("any").sign();
    assert_eq!(server.post(Some(&token), &[], call("vetoed")).await.0.status.as_u16(), 403);
    assert_eq!(server.post(Some(&token), &[], call("other")).await.0.status.as_u16(), 200);
}

#[test]
fn the_challenge_asks_for_as_little_as_is_enough() {
    let rows = [
        (json!({ "all_of": "s2", "any_of": [["s3", "s4"], ["s1", "s2"]] }), "", "s2 s1"),
        (json!({ "any_of": [["s1", "s2"], ["s3"]] }), "s1", "s1 s2"),
        (json!({ "any_of": [["s1", "s2"], ["s3"]] }), "", "s3"),
        (json!({ "all_of": "broad", "any_of": [["s3"], ["narrow"]] }), "", "broad"),
    ];
    for (rule, scope, expected) in rows {
        let auth = protected_by(policy(json!({
            "tools": { "t": rule }, "implies": { "broad": ["narrow"] },
        })));
        let said = auth.explain("/mcp", Some(&caller(scope)), &Operation::tool("t")).unwrap();
        assert_eq!(said.required.to_string(), expected, "{rule}");
    }
    // Of two rules, where the first set of each is not the best of both.
    let auth = protected_by(policy(json!({
        "methods": { "tools/call": { "any_of": [["s1"], ["s2"]] } },
        "tools": { "t": { "any_of": [["s1", "s3"], ["s2"]] } },
    })));
    let said = auth.explain("/mcp", Some(&caller("")), &Operation::tool("t")).unwrap();
    assert_eq!(said.required.to_string(), "s2");
}

#[test]
fn a_narrower_rule_that_asks_for_less_is_warned_of_and_explained() {
    let warned = [
        json!({ "n://*": { "roles": ["r"] }, "n://a/*": ["s"] }),
        json!({ "n://*": ["s"], "n://a/{id}": [] }),
        json!({ "n://x/*": ["s"], "{+p}/public/notes": { "access": "public" } }),
        json!({ "n://*": { "any_of": [["s"]] }, "n://a": ["t"] }),
        json!({ "n://a": ["admin"], "n://a?v={x}": ["s"] }),
        json!({ "n://*": { "permissions": ["p", "q"] }, "n://a/*": { "permissions": ["p"] } }),
        json!({ "n://*": { "caller": "user" }, "n://a/*": { "caller": "client" } }),
        json!({ "n://*": { "caller": "user" }, "n://a/*": ["s"] }),
    ];
    for resources in warned {
        let warnings = policy(json!({ "resources": resources })).warnings();
        assert_eq!(warnings.len(), 1, "{resources}: {warnings:?}");
    }
    let meant = [
        json!({ "n://*": ["s"], "n://a/*": { "access": "public" } }),
        json!({ "n://*": ["s"], "n://a/*": ["s", "t"] }),
        json!({ "n://*": ["s"], "m://a/*": ["t"] }),
        json!({ "n://*": { "any_of": [["s"], ["t"]] }, "n://a/*": ["t"] }),
        json!({ "n://*": { "access": "public" }, "n://a/*": ["t"] }),
        json!({ "n://*": { "permissions": ["p"] }, "n://a/*": { "permissions": ["q", "p"] } }),
        json!({ "n://*": { "caller": "user" }, "n://a/*": { "caller": "user", "all_of": ["s"] } }),
        json!({ "n://*": ["s"], "n://a/*": { "caller": "user", "all_of": ["s"] } }),
    ];
    for resources in meant {
        let warnings = policy(json!({ "resources": resources })).warnings();
        assert!(warnings.is_empty(), "{resources}: {warnings:?}");
    }
    let auth = protected_by(policy(json!({
        "require": "mcp", "resources": { "n://*": ["s"], "n://a/*": ["t"] },
    })));
    let said = auth.explain("/mcp", Some(&caller("t")), &Operation::resource("n://a/b")).unwrap();
    let asked: Vec<_> = said.asked.iter().map(|asked| (&*asked.rule, asked.is_replaced)).collect();
    let expected = [("require", false), ("resources.n://a/*", false), ("resources.n://*", true)];
    assert_eq!(asked, expected);
}

/// Every place that a client can write into, and a member there twice.
#[tokio::test]
async fn a_member_that_is_there_twice_is_refused_wherever_it_is() {
    let server = PolicyServer::start(policy(json!({ "tools": { "t": [] } }))).await;
    let token = server.mint("mcp").sign();
    let twice = r#"{"a":1,"\u0061":2}"#;
    let bodies = [
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"context":{"arguments":{"a":"1","a":"2"}}}}"#
            .to_owned(),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{{"ref":{{"type":"ref/prompt","name":"p"}},"argument":{twice}}}}}"#
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","task":{twice}}}}}"#
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","_meta":{{"x":{twice}}}}}}}"#
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"x":[{twice}]}}}}}}"#
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","extra":{twice},"params":{{"name":"t"}}}}"#
        ),
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{twice}}}"#),
        format!(r#"[{{"jsonrpc":"2.0","id":1,"method":"ping","x":{twice}}}]"#),
    ];
    for body in bodies {
        let (answer, ran) = server.post(Some(&token), &[], body.clone()).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (400, 0), "{body}");
    }
}

#[tokio::test]
async fn a_batch_exists_where_the_specification_has_it() {
    let server = PolicyServer::start(policy(json!({ "tools": { "t": [] } }))).await;
    let token = server.mint("mcp").sign();
    let body = json!([message("tools/call", json!({ "name": "t" }))]).to_string();
    let rows = [
        ("2024-11-05", 200),
        ("2025-03-26", 200),
        ("2025-06-18", 400),
        ("2026-07-28", 400),
        ("1999-01-01", 400),
        ("0", 400),
        ("", 400),
        ("2025-03-26x", 400),
    ];
    for (revision, status) in rows {
        let headers = [("mcp-protocol-version", revision)];
        let (answer, _) = server.post(Some(&token), &headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{revision:?}");
    }
    assert_eq!(server.post(Some(&token), &[], body).await.0.status.as_u16(), 200);
}

/// Panics for one tool.
struct Panics;

impl Authorizer for Panics {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
        let AccessRequest { operation, .. } = *request;
        assert!(operation.name() != Some("panics"), "in a rule of the user's");
        Ok(Verdict::Allow)
    }
}

#[tokio::test]
async fn a_rule_of_ones_own_that_panics_denies_and_nothing_else_happens() {
    let rules = policy(json!({ "tools": { "fine": [] } }))
        .require_by_arguments("function", |_| panic!("in a function of the user's"));
    let server =
        PolicyServer::with(rules, |config| config, |builder| builder.authorizer(Panics)).await;
    let token = server.mint("mcp").sign();
    for (name, status) in [("panics", 403), ("function", 403), ("fine", 200)] {
        let body = message("tools/call", json!({ "name": name, "arguments": {} })).to_string();
        let (answer, ran) = server.post(Some(&token), &[], body).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (status, usize::from(status == 200)));
    }
}

#[tokio::test]
async fn a_notification_needs_a_rule_too_unless_every_client_sends_it() {
    let rules = json!({ "tools": { "t": [] }, "deny_undeclared": true });
    let server = PolicyServer::start(policy(rules)).await;
    let token = server.mint("mcp").sign();
    let rows = [
        ("notifications/cancelled", false, 200),
        ("notifications/progress", false, 200),
        ("vendor/wipe", false, 403),
        ("notifications/vendor/wipe", false, 403),
        ("tasks/cancel", false, 403),
        ("notifications/cancelled", true, 403),
    ];
    for (method, has_id, status) in rows {
        let mut body = json!({ "jsonrpc": "2.0", "method": method });
        if has_id {
            body["id"] = json!(1);
        }
        let (answer, _) = server.post(Some(&token), &[], body.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
    }
}
