//! More scopes in the middle of a session: before a handler runs, and from inside it.

use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_auth::errors::InsufficientScope;
use mcp_auth::{ScopePolicy, requires};
use rmcp::model::{CallToolResult, ContentBlock, ProgressNotificationParam};
use rmcp::{ServiceError, tool, tool_handler, tool_router};

use crate::support::log::Log;

use super::flow::{approve, challenge, param, registration, sign_in};
use super::*;

/// Notes that are only counted.
#[derive(Clone, Default)]
struct Notes {
    written: Arc<AtomicUsize>,
    purged: Arc<AtomicUsize>,
}

#[tool_router]
impl Notes {
    #[tool(description = "Needs notes:write, as declared here", meta = requires(["notes:write"]))]
    async fn write(&self) -> String {
        self.written.fetch_add(1, Ordering::Relaxed);
        "written".to_owned()
    }

    #[tool(description = "Needs notes:purge, says the handler")]
    async fn purge(&self, auth: AuthInfo) -> Result<String, InsufficientScope> {
        auth.require(["notes:purge"])?;
        self.purged.fetch_add(1, Ordering::Relaxed);
        Ok("purged".to_owned())
    }

    #[tool(description = "The same with rmcp's own error")]
    async fn purge_or_rmcp_error(&self, auth: AuthInfo) -> Result<String, ErrorData> {
        auth.require(["notes:purge"])?;
        self.purged.fetch_add(1, Ordering::Relaxed);
        Ok("purged".to_owned())
    }

    #[tool(description = "The same after it has told of its progress")]
    async fn purge_late(
        &self,
        auth: AuthInfo,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, InsufficientScope> {
        let token = context.meta.get_progress_token().expect("the client asked for progress");
        let progress = ProgressNotificationParam::new(token, 0.5);
        context.peer.notify_progress(progress).await.expect("the client listens");
        auth.require(["notes:purge"])?;
        Ok(CallToolResult::success(vec![ContentBlock::text("purged")]))
    }
}

#[tool_handler]
impl ServerHandler for Notes {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

async fn start(notes: &Notes) -> Server {
    start_with(notes, |policy| policy).await
}

async fn start_with(notes: &Notes, change: impl FnOnce(ScopePolicy) -> ScopePolicy) -> Server {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let mut config = Config::new(&resource, issuer.issuer()).unwrap().with_required_scopes(["mcp"]);
    let policy = ScopePolicy::new()
        .require_for_declared(&Notes::tool_router().list_all())
        .implies("notes:admin", ["notes:write", "notes:purge"]);
    config.resources[0].policy = Some(change(policy));
    let auth = McpAuth::new(config).unwrap();
    let notes = notes.clone();
    serve(listener, auth.protect(auth.streamable_http_service(move || notes.clone())));
    Server { issuer, resource }
}

/// The challenge that a refused call brings back.
fn refused(outcome: Result<CallToolResult, ServiceError>) -> String {
    outcome.unwrap_err().auth_challenge().expect("a challenge").to_owned()
}

async fn use_tool(client: &Client, name: &'static str) -> Result<CallToolResult, ServiceError> {
    client.call_tool(CallToolRequestParams::new(name)).await
}

#[tokio::test]
async fn a_client_asks_for_more_scopes_and_goes_on_in_the_same_session() {
    for lifecycle in lifecycles() {
        let notes = Notes::default();
        let server = start(&notes).await;
        let request = registration().with_challenge(challenge(&server, lifecycle.clone()).await);
        let http = sign_in(&server, request).await;
        let client = server.connect(http.clone(), lifecycle).await.unwrap();
        for (tool, scopes, counter) in [
            ("write", "mcp notes:write", &notes.written),
            ("purge", "mcp notes:purge", &notes.purged),
            ("purge_or_rmcp_error", "mcp notes:purge", &notes.purged),
        ] {
            let before = counter.load(Ordering::Relaxed);
            if tool != "purge_or_rmcp_error" {
                let challenge = refused(use_tool(&client, tool).await);
                assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
                assert!(challenge.contains(&format!(r#"scope="{scopes}""#)), "{challenge}");
                assert_eq!(counter.load(Ordering::Relaxed), before, "{tool} has not run");

                let manager = http.auth_manager.lock().await;
                let url = manager.request_scope_upgrade(scopes).await.unwrap();
                let callback = approve(url.parse().unwrap(), "bob").await;
                let asked = param(&url.parse().unwrap(), "scope").unwrap();
                assert!(scopes.split(' ').all(|scope| asked.split(' ').any(|one| one == scope)));
                let (code, state) = (param(&callback, "code"), param(&callback, "state"));
                let iss = param(&callback, "iss");
                manager
                    .exchange_code_for_token_with_issuer(
                        &code.unwrap(),
                        &state.unwrap(),
                        iss.as_deref(),
                    )
                    .await
                    .unwrap();
            }
            let answer = use_tool(&client, tool).await.unwrap();
            assert_eq!(answer.is_error, Some(false), "{answer:?}");
            assert_eq!(counter.load(Ordering::Relaxed), before + 1, "{tool} has run once");
        }
        // What was granted first is still granted.
        use_tool(&client, "write").await.unwrap();
    }
}

#[tokio::test]
async fn both_kinds_of_error_become_the_403() {
    for lifecycle in lifecycles() {
        let server = start(&Notes::default()).await;
        let client = server.connect_as("alice", lifecycle).await;
        for tool in ["purge", "purge_or_rmcp_error"] {
            let challenge = refused(use_tool(&client, tool).await);
            assert!(challenge.contains(r#"scope="mcp notes:purge""#), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_broader_scope_is_enough_for_a_handler_too() {
    for lifecycle in lifecycles() {
        let server = start(&Notes::default()).await;
        let mint = server.issuer.mint().subject("root").audience(&server.resource);
        let token = mint.scope("mcp notes:admin").sign();
        let config =
            StreamableHttpClientTransportConfig::with_uri(&*server.resource).auth_header(token);
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
        for tool in ["write", "purge", "purge_or_rmcp_error"] {
            use_tool(&client, tool).await.unwrap();
        }
    }
}

#[tokio::test]
async fn after_the_response_has_begun_the_tool_error_carries_the_challenge() {
    for lifecycle in lifecycles() {
        let server = start(&Notes::default()).await;
        let client = server.connect_as("alice", lifecycle).await;
        let answer = use_tool(&client, "purge_late").await.unwrap();
        assert_eq!(answer.is_error, Some(true), "{answer:?}");
        let meta = answer.meta.unwrap().0;
        let challenge = meta["mcp/www_authenticate"][0].as_str().unwrap();
        assert!(challenge.starts_with("Bearer error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(r#"scope="mcp notes:purge""#), "{challenge}");
    }
}

#[tokio::test]
async fn what_a_tool_declares_decides_about_the_list_the_call_and_the_challenge() {
    for lifecycle in lifecycles() {
        for (is_strict, is_shown) in [(false, true), (true, false)] {
            let notes = Notes::default();
            let server = start_with(&notes, |policy| match is_strict {
                true => policy.strict_lists(),
                false => policy,
            });
            let server = server.await;
            let client = server.connect_as("alice", lifecycle.clone()).await;
            let tools = client.list_all_tools().await.unwrap();
            assert_eq!(tools.iter().any(|tool| tool.name == "write"), is_shown, "{tools:?}");
            let challenge = refused(use_tool(&client, "write").await);
            assert!(challenge.contains(r#"scope="mcp notes:write""#), "{challenge}");
            assert_eq!(notes.written.load(Ordering::Relaxed), 0, "it has not run");
        }
    }
}

#[tokio::test]
async fn the_event_of_a_refusal_names_the_tool_whoever_refuses() {
    Log::start();
    let server = start(&Notes::default()).await;
    for lifecycle in lifecycles() {
        let client = server.connect_as("alice", lifecycle).await;
        for tool in ["write", "purge", "purge_or_rmcp_error"] {
            Log::take();
            refused(use_tool(&client, tool).await);
            let log = Log::take();
            let event =
                log.lines().find(|line| line.contains("request refused")).expect("an event");
            assert!(event.contains(&format!("tools/call {tool}\"")), "{event}");
            assert!(event.contains("insufficient_scope"), "{event}");
        }
    }
}
