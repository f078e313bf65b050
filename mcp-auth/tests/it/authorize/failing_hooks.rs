//! Code of the user's that fails, panics, or says more than fits: nobody is let in, no request ends without an
//! answer, and one line of bounded length tells of it.

use std::error::Error;

use axum::Router;
use axum::routing::post;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use mcp_auth::errors::{TokenError, Unavailable};
use mcp_auth::policy::{Access, AccessRequest, Asked, Requirement, Verdict};
use mcp_auth::{
    AuthError, AuthInfo, Authorizer, Config, McpAuth, Operation, ScopePolicy, Scopes, TokenVerifier,
};
use serde_json::{Value, json};

use crate::support::log::Log;
use crate::support::policy_server::{PolicyServer, message, tool_call};
use crate::support::{Answer, Harness, RESOURCE, request, send};

/// Answers well, but for one function, which does this.
struct Failing {
    function: &'static str,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Panics,
    /// It gives a text, or scopes, that are longer than any line or header, with what would begin another line.
    SaysTooMuch,
}

fn long() -> String {
    format!("x\nforged \u{1b}[31m\u{202e}{}", "x".repeat(100_000))
}

fn many_scopes() -> Scopes {
    (0..100).map(|number| format!("scope:{number}")).collect()
}

impl Failing {
    fn is(&self, function: &str) -> bool {
        let fails = self.function == function;
        assert!(!fails || self.how != How::Panics, "in code of the user's");
        fails
    }
}

impl Authorizer for Failing {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        if self.is("authorize") {
            return Err(long().into());
        }
        if self.is("forbidden") {
            return Ok(Verdict::forbidden(long()));
        }
        if self.is("missing scopes") {
            return Ok(Verdict::MissingScopes(many_scopes()));
        }
        if self.is("one long scope") {
            return Ok(Verdict::MissingScopes(Scopes::parse(&"x".repeat(5000))));
        }
        if self.is("a scope of some length") {
            return Ok(Verdict::MissingScopes(Scopes::parse(&"x".repeat(3000))));
        }
        Ok(match request.operation.name() {
            Some("lacking") => Verdict::MissingScopes(Scopes::parse("extra")),
            _ => Verdict::Allow,
        })
    }

    fn access(&self, _: &Operation<'_>) -> Option<Access> {
        self.is("access");
        None
    }

    fn required_scopes(&self, _: &[Operation<'_>], _: &Scopes) -> Scopes {
        if self.is("required_scopes") { many_scopes() } else { Scopes::default() }
    }

    fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        if self.is("uncovered") {
            return Some(many_scopes());
        }
        (!granted.contains_all(required)).then(|| required.clone())
    }

    fn lists(&self, _: Option<&AuthInfo>, _: &Operation<'_>) -> bool {
        !self.is("lists")
    }

    fn rules(&self, _: &Operation<'_>) -> Vec<String> {
        if self.is("rules") { vec![long(); 100] } else { Vec::new() }
    }

    fn asked(&self, _: Option<&AuthInfo>, _: &Operation<'_>) -> Vec<Asked> {
        self.is("asked");
        Vec::new()
    }
}

async fn server_with(function: &'static str, how: How) -> PolicyServer {
    let policy = ScopePolicy::new()
        .require_for_tool("about", Requirement::public())
        .require_for_tool("search", Requirement::optional());
    let tools = json!([{ "name": "about" }, { "name": "wipe" }]);
    PolicyServer::answering(
        policy,
        |config| config,
        |builder| builder.authorizer(Failing { function, how }),
        move |_| json!({ "tools": tools }),
    )
    .await
}

fn names(answer: &Answer) -> Vec<String> {
    let tools = answer.json()["result"]["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}

/// The events of this library, each one line without anything that a terminal would act on.
fn events() -> Vec<String> {
    let log = Log::take();
    let events: Vec<_> = log.lines().filter(|line| line.contains("mcp_auth")).collect();
    assert!(!log.contains("\nforged") && !log.contains(['\u{1b}', '\u{202e}']), "{log:?}");
    for event in &events {
        assert!(event.len() < 1500, "{} bytes", event.len());
        assert!(!event.contains(&"x".repeat(257)), "{event}");
    }
    events.into_iter().map(str::to_owned).collect()
}

fn failures(of: &str) -> usize {
    events().iter().filter(|event| event.contains(of)).count()
}

#[tokio::test]
async fn an_authorizer_that_panics_denies_hides_and_asks_for_a_token() {
    Log::start();
    let rows = [
        // function, a call with a token, a call of what the policy opens, the tools of a list with a token
        ("authorize", 403, 200, vec!["about", "wipe"]),
        ("access", 200, 401, vec!["about", "wipe"]),
        ("required_scopes", 200, 200, vec!["about", "wipe"]),
        ("uncovered", 200, 200, vec!["about", "wipe"]),
        ("lists", 200, 200, vec![]),
        ("rules", 200, 200, vec!["about", "wipe"]),
        ("asked", 200, 200, vec!["about", "wipe"]),
    ];
    for (function, with_token, of_nobody, listed) in rows {
        let server = server_with(function, How::Panics).await;
        let token = server.mint("mcp").sign();
        Log::take();
        let (answer, ran) = server.post(Some(&token), &[], tool_call("wipe").to_string()).await;
        assert_eq!(answer.status.as_u16(), with_token, "{function}");
        assert_eq!(ran.len(), usize::from(with_token == 200), "{function}");
        let failed = failures("an authorizer failed, which denies");
        assert!(failed <= 3, "{function}: {failed} events");
        // Which scopes an allowed call needs is asked when its handler asks for more.
        let is_asked = matches!(function, "authorize" | "access" | "lists");
        assert_eq!(failed > 0, is_asked, "{function}");
        let (answer, _) = server.post(None, &[], tool_call("about").to_string()).await;
        assert_eq!(answer.status.as_u16(), of_nobody, "{function}");
        // Whatever else fails, what lacks a scope is refused.
        let (answer, ran) = server.post(Some(&token), &[], tool_call("lacking").to_string()).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (403, 0), "{function}");
        let list = message("tools/list", json!({})).to_string();
        let (answer, _) = server.post(Some(&token), &[], list).await;
        let is_listed = function != "authorize";
        assert_eq!(names(&answer), if is_listed { listed } else { vec![] }, "{function}");
    }
}

#[tokio::test]
async fn an_authorizer_that_panics_is_explained_too() {
    for function in ["authorize", "access", "required_scopes", "rules", "asked"] {
        let mut config = Config::new(RESOURCE, "https://auth.example.com").unwrap();
        let about = ScopePolicy::new().require_for_tool("about", Requirement::public());
        config.resources[0].policy = Some(about);
        let failing = Failing { function, how: How::Panics };
        let auth = McpAuth::builder(config).authorizer(failing).build().unwrap();
        let claims = json!({ "sub": "alice" }).as_object().cloned().unwrap();
        let alice = AuthInfo::from_verified_claims(claims).unwrap();
        let said = auth.explain("/mcp", Some(&alice), &Operation::tool("wipe")).unwrap();
        assert_eq!(said.allowed, function != "authorize", "{function}");
    }
}

#[tokio::test]
async fn what_an_authorizer_says_is_one_short_line_and_a_header_of_bounded_length() {
    Log::start();
    let rows = [
        ("authorize", "policy_denied", "an authorizer failed, which denies"),
        ("forbidden", "policy_denied", "request refused"),
        ("missing scopes", "policy_denied", "an authorizer failed, which denies"),
        ("one long scope", "policy_denied", "an authorizer failed, which denies"),
        ("a scope of some length", "insufficient_scope", "request refused"),
        ("required_scopes", "insufficient_scope", "an authorizer failed, which denies"),
        ("uncovered", "insufficient_scope", "an authorizer failed, which denies"),
        ("rules", "insufficient_scope", "request refused"),
    ];
    for (function, code, event) in rows {
        let server = server_with(function, How::SaysTooMuch).await;
        let token = server.mint("mcp").sign();
        Log::take();
        let (answer, ran) = server.post(Some(&token), &[], tool_call("lacking").to_string()).await;
        assert_eq!((answer.code(), ran.len()), (code, 0), "{function}");
        assert_eq!(failures(event), 1, "{function}");
        let challenge = answer.challenge().unwrap_or_default();
        assert!(challenge.len() < 4096, "{function}: {} bytes", challenge.len());
    }
}

/// What rules are written with is the operator's, and its functions are code.
#[tokio::test]
async fn scopes_by_arguments_and_of_handlers_do_not_grow_without_bound_either() {
    Log::start();
    let policy = ScopePolicy::new().require_by_arguments("wipe", |_| many_scopes());
    let server = PolicyServer::start(policy).await;
    let token = server.mint("mcp").sign();
    Log::take();
    let (answer, _) = server.post(Some(&token), &[], tool_call("wipe").to_string()).await;
    assert_eq!((answer.code(), answer.challenge()), ("policy_denied", None));
    assert_eq!(failures("an authorizer failed, which denies"), 1);

    let harness = Harness::start().await;
    let config = Config::new(RESOURCE, harness.issuer.issuer()).unwrap();
    let auth = McpAuth::new(config).unwrap();
    let handler = async |auth: AuthInfo| auth.require(["x".repeat(100_000)]);
    let app = Router::new().route("/mcp", post(handler)).layer(auth.layer());
    Log::take();
    let bearer = format!("Bearer {}", harness.mint().sign());
    let answer = send(app, request("POST", "/mcp", &[("authorization", &bearer)])).await;
    assert_eq!(answer.code(), "insufficient_scope");
    assert!(answer.challenge().unwrap().len() < 1000, "it names no scope");
    assert_eq!(failures("request refused"), 1);
}

/// Panics in one function; else it says that nobody can tell, or what is wrong, in a long text.
struct FailingVerifier(&'static str);

impl TokenVerifier for FailingVerifier {
    fn is_for(&self, token: &str) -> bool {
        assert!(self.0 != "is_for", "in code of the user's");
        token.starts_with("key_")
    }

    fn verify<'t>(&'t self, _: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        assert!(self.0 != "verify", "in code of the user's");
        match self.0 {
            "later" => async { panic!("in code of the user's") }.boxed(),
            "unavailable" => {
                ready(Err(AuthError::Unavailable(Unavailable::new(long(), long(), 5)))).boxed()
            }
            "malformed" => {
                ready(Err(AuthError::InvalidToken(TokenError::Malformed { reason: long() })))
                    .boxed()
            }
            "wrong audience" => {
                let (actual, expected) = (vec![long()], vec![long(); 9]);
                let error = TokenError::WrongAudience { actual, expected };
                ready(Err(AuthError::InvalidToken(error))).boxed()
            }
            _ => ready(Err(AuthError::InvalidToken(TokenError::Inactive))).boxed(),
        }
    }

    fn timeout(&self) -> std::time::Duration {
        assert!(self.0 != "timeout", "in code of the user's");
        std::time::Duration::from_secs(1)
    }
}

#[tokio::test]
async fn a_verifier_that_panics_is_a_503_and_what_it_says_is_one_short_line() {
    Log::start();
    let rows = [
        ("is_for", 503, "unavailable", 2),
        ("verify", 503, "unavailable", 2),
        ("later", 503, "unavailable", 2),
        ("timeout", 503, "unavailable", 2),
        ("unavailable", 503, "unavailable", 1),
        ("malformed", 401, "malformed", 1),
        ("wrong audience", 401, "wrong_audience", 1),
    ];
    let harness = Harness::start().await;
    for (function, status, code, count) in rows {
        let config = Config::new(RESOURCE, harness.issuer.issuer()).unwrap();
        let verifier = FailingVerifier(function);
        let auth = McpAuth::builder(config).token_verifier(verifier).build().unwrap();
        let app = auth.protect(crate::support::echo());
        Log::take();
        let headers = [("authorization", "Bearer key_1")];
        let answer = send(app, request("POST", "/mcp", &headers)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{function}");
        assert_eq!(events().len(), count, "{function}");
        let explained = auth.explain_token("/mcp", "key_1").await.unwrap();
        assert_eq!((explained.accepted, explained.code), (false, code), "{function}");
    }
}

#[tokio::test]
async fn a_path_and_a_key_that_strangers_wrote_are_cut_in_the_log() {
    Log::start();
    let app = Router::new().fallback(async |_: AuthInfo| "ran");
    Log::take();
    let path = format!("/{}", "p".repeat(60_000));
    let answer = send(app, request("GET", &path, &[])).await;
    assert_eq!(answer.status.as_u16(), 500);
    let seen = events();
    assert_eq!((seen.len(), seen[0].contains(&"p".repeat(65))), (1, false), "{seen:?}");
}

/// What nobody may call, and what is asked about a caller, is shown to nobody who has no token.
#[tokio::test]
async fn whoever_has_no_token_sees_nothing_that_only_code_decides_about() {
    struct Code(Option<Access>);
    impl Authorizer for Code {
        fn authorize(
            &self,
            request: &AccessRequest<'_>,
        ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
            Ok(match request.operation.name() {
                Some("internal") => Verdict::forbidden("nobody may"),
                _ => Verdict::Allow,
            })
        }

        fn access(&self, operation: &Operation<'_>) -> Option<Access> {
            self.0.filter(|_| operation.name() != Some("internal"))
        }
    }
    let rows = [
        (None, None, vec!["about", "search"]),
        (None, Some("token"), vec!["about", "search", "scoped", "other"]),
        // It asks for a token for what the policy opens.
        (Some(Access::Required), None, vec![]),
        // What it opens alone needs a token all the same, which scopes could unlock.
        (Some(Access::Optional), None, vec!["about", "search", "scoped", "other"]),
    ];
    for (access, token, expected) in rows {
        let policy = ScopePolicy::new()
            .require_for_tool("about", Requirement::public())
            .require_for_tool("search", Requirement::optional())
            .require_for_tool("scoped", ["notes"]);
        let all = ["internal", "about", "search", "scoped", "other"];
        let tools: Vec<Value> = all.iter().map(|name| json!({ "name": name })).collect();
        let server = PolicyServer::answering(
            policy,
            |config| config,
            |builder| builder.authorizer(Code(access)),
            move |_| json!({ "tools": tools }),
        )
        .await;
        let token = token.map(|_| server.mint("mcp").sign());
        let list = message("tools/list", json!({})).to_string();
        // Of every answer: a server may repeat a list elsewhere.
        for body in [list, message("ping", json!({})).to_string()] {
            if access == Some(Access::Required) {
                continue;
            }
            let (answer, _) = server.post(token.as_deref(), &[], body).await;
            assert_eq!(names(&answer), expected, "{access:?}");
        }
        for tool in all.into_iter().filter(|_| token.is_none()) {
            let (answer, _) = server.post(None, &[], tool_call(tool).to_string()).await;
            let is_open = matches!(tool, "about" | "search") && access != Some(Access::Required);
            assert_eq!(answer.status.as_u16(), if is_open { 200 } else { 401 }, "{tool}");
        }
    }
}
