//! Limits for those who are refused: 429 in the place of a refusal, and nothing in the place of what is allowed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::response::IntoResponse as _;
use dev_issuer::{Broken, DevIssuer};
use futures_util::future::{BoxFuture, join_all};
use mcp_auth::decision::PeerAddress;
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::policy::Requirement;
use mcp_auth::settings::FailureLimit;
use mcp_auth::{AuthInfo, Config, Introspection, McpAuth, ScopePolicy};
use proptest::prelude::*;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::support::log::Log;
use crate::support::policy_server::PolicyServer;
use crate::support::{Answer, Harness, RESOURCE, TestClock, echo, request};

/// So many at once, and one more every 20 seconds.
const COUNT: usize = 3;

fn limit() -> FailureLimit {
    FailureLimit::new(3, Duration::from_secs(60))
}

fn by_address(mut config: Config) -> Config {
    config.limits.failures_per_address = Some(limit());
    config.with_required_scopes(["mcp"])
}

fn by_principal(mut config: Config) -> Config {
    config.limits.failures_per_principal = Some(limit());
    config.with_required_scopes(["mcp"])
}

fn from(peer: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = request("POST", "/mcp", headers);
    request.extensions_mut().insert(PeerAddress::parse(peer).unwrap());
    request
}

/// Sends a token from this address.
async fn call_from(server: &Harness, peer: &str, token: &str) -> Answer {
    server.send(from(peer, &[("authorization", &format!("Bearer {token}"))])).await
}

/// A server on a socket, which axum tells the address of each connection.
async fn serve(server: &Harness) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = server.app.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Status, and `Retry-After` where it is there.
async fn post(url: &str, token: Option<&str>, forwarded: Option<&str>) -> (u16, Option<u64>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(forwarded) = forwarded {
        request = request.header("x-forwarded-for", forwarded);
    }
    let response = request.send().await.unwrap();
    let seconds = response.headers().get("retry-after");
    let retry_after = seconds.map(|value| value.to_str().unwrap().parse().unwrap());
    (response.status().as_u16(), retry_after)
}

#[tokio::test]
async fn over_a_socket_forged_tokens_are_429_beyond_the_limit_and_all_else_is_as_before() {
    let server = Harness::with(by_address).await;
    let url = serve(&server).await;
    for _ in 0..COUNT {
        let forged = server.mint().broken(Broken::Signature).sign();
        assert_eq!(post(&url, Some(&forged), None).await, (401, None));
    }
    let forged = server.mint().broken(Broken::ForeignKey).sign();
    // No header makes another address of it: no proxy is trusted.
    for forwarded in [None, Some("203.0.113.1"), Some("127.0.0.1, 203.0.113.2")] {
        assert_eq!(post(&url, Some(&forged), forwarded).await, (429, Some(20)), "{forwarded:?}");
        assert_eq!(post(&url, Some("not-a-jwt"), forwarded).await, (429, Some(20)));
    }
    let good = server.mint().sign();
    for _ in 0..2 {
        assert_eq!(post(&url, Some(&good), None).await, (200, None), "new, and then known");
    }
    let expired = server.mint().expires_in(-100).sign();
    assert_eq!(post(&url, Some(&expired), None).await, (401, None), "it must be renewed");
    let other_scope = server.mint().scope("other").sign();
    assert_eq!(post(&url, Some(&other_scope), None).await, (403, None));
    assert_eq!(post(&url, None, None).await, (401, None), "where to sign in");
    server.clock.advance(20);
    assert_eq!(post(&url, Some(&forged), None).await, (401, None));
    assert_eq!(post(&url, Some(&forged), None).await, (429, Some(20)));
    assert_eq!(post(&url, Some(&good), None).await, (200, None));
}

#[tokio::test]
async fn two_clients_behind_a_trusted_proxy_have_a_budget_each() {
    let server = Harness::with(|mut config| {
        config.limits.trusted_proxies = vec!["127.0.0.0/8".to_owned(), "::1".to_owned()];
        by_address(config)
    })
    .await;
    let url = serve(&server).await;
    let (one, other) = ("203.0.113.1", "198.51.100.99, 203.0.113.2");
    for _ in 0..COUNT {
        let sent = (post(&url, Some("x"), Some(one)), post(&url, Some("x"), Some(other)));
        let (of_one, of_other) = tokio::join!(sent.0, sent.1);
        assert_eq!((of_one.0, of_other.0), (401, 401));
    }
    let sent = (post(&url, Some("x"), Some(one)), post(&url, Some("x"), Some(other)));
    let (of_one, of_other) = tokio::join!(sent.0, sent.1);
    assert_eq!((of_one.0, of_other.0), (429, 429));
    // What it writes to the left of what the proxy adds is no other address.
    for forged in ["192.0.2.1, 203.0.113.1", "127.0.0.1,127.0.0.1, 203.0.113.1", "?, 203.0.113.1"] {
        assert_eq!(post(&url, Some("x"), Some(forged)).await.0, 429, "{forged}");
    }
    assert_eq!(post(&url, Some("x"), Some("203.0.113.3")).await.0, 401, "a third one");
}

#[tokio::test]
async fn no_other_header_says_where_a_client_is() {
    let server = Harness::with(|mut config| {
        config.limits.trusted_proxies = vec!["10.0.0.0/8".to_owned()];
        by_address(config)
    })
    .await;
    let names = ["forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "x-client-ip"];
    for peer in ["10.0.0.1", "192.0.2.1"] {
        for (at, name) in names.into_iter().enumerate() {
            let value = if name == "forwarded" { "for=203.0.113.1" } else { "203.0.113.1" };
            let headers = [("authorization", "Bearer x"), (name, value)];
            let status = server.send(from(peer, &headers)).await.status;
            assert_eq!(status, if at < COUNT { 401 } else { 429 }, "{peer} {name}");
        }
    }
}

#[tokio::test]
async fn the_answer_says_when_to_come_again_and_asks_for_no_sign_in() {
    let server = Harness::with(by_address).await;
    for _ in 0..COUNT {
        assert_eq!(call_from(&server, "192.0.2.1", "x").await.code(), "malformed");
    }
    let answer = call_from(&server, "192.0.2.1", "x").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (429, "too_many_failures"));
    assert_eq!((answer.header("retry-after"), answer.challenge()), (Some("20"), None));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let expected = json!({
        "error": "too_many_requests",
        "error_description": "too many requests were refused; try again later",
    });
    assert_eq!(answer.json(), expected);
    let refusal = answer.error.unwrap().json();
    assert_eq!(refusal["compared"], json!({ "refused_for": "malformed", "retry_after": 20 }));
}

#[tokio::test]
async fn an_address_is_counted_for_what_anybody_can_make_up() {
    let rows = [
        (Broken::Signature, true),
        (Broken::Payload, true),
        (Broken::AlgorithmNone, true),
        (Broken::ForeignKey, true),
        (Broken::IdToken, true),
        (Broken::Truncated, true),
        (Broken::SenderConstrained, false),
    ];
    for (broken, is_counted) in rows {
        let server = Harness::with(by_address).await;
        for _ in 0..COUNT {
            let token = server.mint().broken(broken).sign();
            assert_eq!(call_from(&server, "192.0.2.1", &token).await.status, 401, "{broken:?}");
        }
        let token = server.mint().broken(broken).sign();
        let found = call_from(&server, "192.0.2.1", &token).await.status == 429;
        assert_eq!(found, is_counted, "{broken:?}");
        assert_eq!(call_from(&server, "192.0.2.2", &token).await.status, 401, "another address");
    }
}

#[tokio::test]
async fn credentials_in_a_wrong_way_count_and_other_faults_do_not() {
    let server = Harness::with(by_address).await;
    let rows: [&[(&str, &str)]; 3] = [
        &[],
        &[("origin", "https://evil.example"), ("authorization", "Bearer x")],
        &[("authorization", "Basic eA==")],
    ];
    for headers in rows {
        for _ in 0..COUNT + 1 {
            assert_ne!(server.send(from("192.0.2.1", headers)).await.status, 429, "{headers:?}");
        }
    }
    for _ in 0..COUNT {
        let answer = server.send(from("192.0.2.1", &[("authorization", "Bearer a b")])).await;
        assert_eq!(answer.status, 400);
    }
    let answer = server.send(from("192.0.2.1", &[("authorization", "Bearer a b")])).await;
    assert_eq!(answer.status, 429);
    assert_eq!(server.send(from("192.0.2.1", &[])).await.status, 401);
}

#[tokio::test]
async fn a_network_of_ipv6_counts_as_one_address() {
    let server = Harness::with(by_address).await;
    for peer in ["2001:db8:1:2::1", "2001:db8:1:2:3::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"] {
        assert_eq!(call_from(&server, peer, "x").await.status, 401);
    }
    assert_eq!(call_from(&server, "2001:db8:1:2::9", "x").await.status, 429);
    assert_eq!(call_from(&server, "2001:db8:1:3::1", "x").await.status, 401);
    for _ in 0..COUNT {
        assert_eq!(call_from(&server, "::ffff:192.0.2.1", "x").await.status, 401);
    }
    assert_eq!(call_from(&server, "192.0.2.1", "x").await.status, 429, "the same in IPv4");
}

#[tokio::test]
async fn a_caller_is_429_for_what_it_may_not_do_and_for_nothing_else() {
    let server = Harness::with(by_principal).await;
    let without = |subject: &str, client: &str| {
        server.mint().subject(subject).client_id(client).scope("other").sign()
    };
    for _ in 0..COUNT {
        // Each time a new token: it is the caller who is counted.
        assert_eq!(server.call(&without("alice", "app")).await.status, 403);
    }
    let answer = server.call(&without("alice", "app")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("20")));
    let allowed = server.mint().subject("alice").client_id("app").sign();
    assert_eq!(server.call(&allowed).await.status, 200, "the same caller may do this");
    assert_eq!(server.call(&without("alice", "cli")).await.status, 403, "by another client");
    assert_eq!(server.call(&without("bob", "app")).await.status, 403);
    assert_eq!(server.call("x").await.status, 401, "no address is counted here");
    server.clock.advance(20);
    assert_eq!(server.call(&without("alice", "app")).await.status, 403);
    server.clock.set_back(40);
    assert_eq!(server.call(&without("alice", "app")).await.status, 429);
    server.clock.advance(20);
    assert_eq!(server.call(&without("alice", "app")).await.status, 403, "a clock that was set");
}

#[tokio::test]
async fn a_token_that_is_not_good_any_more_counts_by_itself() {
    let server = Harness::with(|config| by_address(by_principal(config))).await;
    let expired = server.mint().expires_in(-100).sign();
    let other = server.mint().expires_in(-200).sign();
    for _ in 0..COUNT {
        assert_eq!(call_from(&server, "192.0.2.1", &expired).await.code(), "expired");
    }
    assert_eq!(call_from(&server, "192.0.2.1", &expired).await.status, 429);
    assert_eq!(call_from(&server, "192.0.2.2", &expired).await.status, 429, "wherever from");
    assert_eq!(call_from(&server, "192.0.2.1", &other).await.code(), "expired");
    assert_eq!(call_from(&server, "192.0.2.1", &server.mint().sign()).await.status, 200);
}

#[tokio::test]
async fn under_a_policy_the_same_holds_for_what_the_body_asks_for() {
    let policy = ScopePolicy::new()
        .require_for_tool("delete", Requirement::all_of(["write"]))
        .require_for_tool("open", Requirement::public());
    let server = PolicyServer::with(
        policy,
        |mut config| {
            config.limits.failures_per_address = Some(limit());
            config.limits.failures_per_principal = Some(limit());
            config.max_anonymous_body_bytes = 2_000;
            config
        },
        |builder| builder,
    )
    .await;
    let call = async |token: Option<&str>, tool: &str, padding: usize| {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": { "padding": "x".repeat(padding) } },
        });
        let mut request = from("192.0.2.1", &[("content-type", "application/json")]);
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        *request.body_mut() = Body::from(body.to_string());
        server.harness.send(request).await.status.as_u16()
    };
    let token = server.harness.mint().sign();
    for _ in 0..COUNT {
        assert_eq!(call(Some(&token), "delete", 0).await, 403);
    }
    assert_eq!(call(Some(&token), "delete", 0).await, 429);
    assert_eq!(call(Some(&token), "other", 0).await, 200);
    let writer = server.harness.mint().scope("write").sign();
    assert_eq!(call(Some(&writer), "delete", 0).await, 200, "the same caller with the scope");
    for padding in [0, 0, 10_000] {
        assert_eq!(call(Some("x"), "delete", padding).await, 401);
    }
    for padding in [0, 10_000] {
        assert_eq!(call(Some("x"), "delete", padding).await, 429);
    }
    assert_eq!(call(None, "open", 0).await, 200);
    assert_eq!(call(Some("x"), "open", 0).await, 200, "nobody looks at the token");
    assert_eq!(call(None, "delete", 0).await, 401);
}

#[tokio::test]
async fn what_a_handler_refuses_counts_for_its_caller() {
    let issuer = DevIssuer::start().await.unwrap();
    let config = by_principal(Config::new(RESOURCE, issuer.issuer()).unwrap());
    let clock = TestClock::new();
    let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
    let handler = async |caller: AuthInfo| match caller.require(["more"]) {
        Ok(()) => "done".into_response(),
        Err(error) => error.into_response(),
    };
    let server = Harness { issuer, clock, app: auth.protect(axum::routing::post(handler)) };
    let token = server.mint().sign();
    for _ in 0..COUNT {
        let answer = server.call(&token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "insufficient_scope"));
    }
    let answer = server.call(&token).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("20")));
    assert_eq!(answer.challenge(), None);
    assert_eq!(server.call(&server.mint().subject("bob").sign()).await.status, 403);
    let more = server.mint().scope("mcp more").sign();
    assert_eq!(server.call(&more).await.status, 200, "the same caller with the scope");
}

#[tokio::test]
async fn the_operator_is_told_once_in_a_period_and_no_subject() {
    Log::start();
    let server = Harness::with(|config| by_address(by_principal(config))).await;
    let forbidden = || server.mint().scope("other").sign();
    let _ = Log::take();
    for _ in 0..50 {
        call_from(&server, "192.0.2.77", "x").await;
        call_from(&server, "192.0.2.77", &forbidden()).await;
    }
    let log = Log::take();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" WARN ") && line.contains("too_many_failures"))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("192.0.2.77") && told[0].contains("malformed"), "{told:?}");
    assert!(told[1].contains("test-client"), "{told:?}");
    assert!(told.iter().all(|line| !line.contains("alice")), "{told:?}");
    let warnings = log.lines().filter(|line| line.contains(" WARN ")).count();
    assert_eq!(warnings, 2 + 2 * COUNT, "each refusal within the limit has its own");
    server.clock.advance(60);
    for _ in 0..50 {
        call_from(&server, "192.0.2.77", "x").await;
    }
    let again = Log::take();
    assert_eq!(again.matches("too many requests of one address").count(), 1);
}

#[tokio::test]
async fn without_an_address_nothing_is_counted_and_the_operator_is_told_once() {
    Log::start();
    let server = Harness::with(by_address).await;
    let _ = Log::take();
    for _ in 0..COUNT * 3 {
        assert_eq!(server.call("x").await.status, 401);
    }
    assert_eq!(Log::take().matches("without the address of its connection").count(), 1);
}

#[tokio::test]
async fn where_nothing_is_limited_nothing_is_429() {
    let server = Harness::start().await;
    let url = serve(&server).await;
    for _ in 0..30 {
        assert_eq!(post(&url, Some("x"), None).await, (401, None));
    }
    let auth = McpAuth::new(Config::new(RESOURCE, "https://as.example").unwrap()).unwrap();
    assert!(!auth.counts_addresses());
}

/// Asks the development issuer nothing: each question waits until it is let through, and is then answered as its token says.
#[derive(Clone)]
struct Gate {
    open: Arc<AtomicUsize>,
    passes: Arc<Semaphore>,
}

impl HttpClient for Gate {
    fn send(&self, question: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        Box::pin(async move {
            self.open.fetch_add(1, Ordering::SeqCst);
            let is_good = question.body().windows(4).any(|part| part == b"good");
            if !is_good {
                self.passes.acquire().await.unwrap().forget();
            }
            let answer = json!({ "active": is_good, "aud": RESOURCE, "client_id": "app" });
            Ok(Response::new(Bytes::from(answer.to_string())))
        })
    }
}

#[tokio::test]
async fn opaque_tokens_of_a_flooding_address_take_no_turns_of_others_and_good_ones_pass() {
    let gate = Gate { open: Arc::default(), passes: Arc::new(Semaphore::new(0)) };
    let mut config = Config::new(RESOURCE, "https://as.example").unwrap();
    config.limits.failures_per_address = Some(limit());
    let mut introspection = Introspection::new("dev", "dev");
    introspection.endpoint = Some("https://as.example/introspect".to_owned());
    config.resources[0].authorization_servers[0].introspection = Some(introspection);
    let clock = TestClock::new();
    let auth =
        McpAuth::builder(config).clock(clock.clone()).http_client(gate.clone()).build().unwrap();
    let server =
        Harness { issuer: DevIssuer::start().await.unwrap(), clock, app: auth.protect(echo()) };

    gate.passes.add_permits(COUNT);
    for at in 0..COUNT {
        let answer = call_from(&server, "192.0.2.1", &format!("made-up-{at}")).await;
        assert_eq!(answer.code(), "inactive");
    }
    let asked_before = gate.open.load(Ordering::SeqCst);
    let flood: Vec<_> = (0..100)
        .map(|at| {
            let (app, token) = (server.app.clone(), format!("Bearer flood-{at}"));
            let request = from("192.0.2.1", &[("authorization", &token)]);
            tokio::spawn(crate::support::send(app, request))
        })
        .collect();
    // Others are asked about meanwhile, however many of the flood wait.
    while gate.open.load(Ordering::SeqCst) < asked_before + 4 {
        tokio::task::yield_now().await;
    }
    for at in 0..20 {
        let good = format!("good-{at}");
        assert_eq!(call_from(&server, "192.0.2.2", &good).await.status, 200);
    }
    assert_eq!(gate.open.load(Ordering::SeqCst), asked_before + 4 + 20, "four of the flood");
    // A good one of the flooding address waits for its turn, and passes.
    let late = call_from(&server, "192.0.2.1", "good-late");
    gate.passes.add_permits(100);
    assert_eq!(late.await.status, 200);
    for answer in join_all(flood).await {
        let answer = answer.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (429, "too_many_failures"));
    }
    assert_eq!(call_from(&server, "192.0.2.1", "good-late").await.status, 200);
}

/// What a client may send, by number.
fn sent(issuer: &DevIssuer, kind: usize) -> Option<String> {
    let mint = issuer.mint().audience(RESOURCE).client_id("app").subject("alice");
    match kind {
        0 => None,
        1 => Some(mint.scope("mcp").sign()),
        2 => Some(mint.scope("mcp").broken(Broken::Signature).sign()),
        3 => Some(mint.scope("other").sign()),
        4 => Some(mint.scope("mcp").expires_in(-100).sign()),
        _ => Some("x y".to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    /// Two servers get the same requests, and one has limits: what it does not answer 429 is answered alike, and what it
    /// answers 429 is refused by the other. So a good token is never 429.
    #[test]
    fn a_limit_changes_nothing_but_refusals(
        requests in prop::collection::vec((0..6_usize, 0..3_u8, 0..40_u64, any::<bool>()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let issuer = DevIssuer::start().await.unwrap();
            let tokens: Vec<_> = (0..6).map(|kind| sent(&issuer, kind)).collect();
            let clock = TestClock::new();
            let plain = Config::new(RESOURCE, issuer.issuer()).unwrap().with_required_scopes(["mcp"]);
            let limited = by_address(by_principal(plain.clone()));
            let apps = [plain, limited].map(|config| {
                McpAuth::builder(config).clock(clock.clone()).build().unwrap().protect(echo())
            });
            for (kind, address, seconds, goes_back) in requests {
                if goes_back { clock.set_back(seconds) } else { clock.advance(seconds) }
                let mut answers = Vec::new();
                for app in &apps {
                    let mut request = request("POST", "/mcp", &[("x-forwarded-for", "192.0.2.200")]);
                    let peer = PeerAddress::new(IpAddr::from([192, 0, 2, address]));
                    request.extensions_mut().insert(peer);
                    if let Some(token) = &tokens[kind] {
                        let value = format!("Bearer {token}").parse().unwrap();
                        request.headers_mut().insert("authorization", value);
                    }
                    answers.push(crate::support::send(app.clone(), request).await);
                }
                let (without, with) = (&answers[0], &answers[1]);
                if with.status == 429 {
                    assert!(without.status.is_client_error(), "{}", without.status);
                    assert_ne!(kind, 0, "without a token");
                } else {
                    assert_eq!((with.status, &with.body), (without.status, &without.body));
                    assert_eq!(with.challenge(), without.challenge());
                }
            }
        });
    }
}
