//! rmcp on both sides of a real socket: its server behind the layer, its clients in front of it.

mod flow;
mod handlers;
mod hosts;
mod sessions;
mod states;
mod step_up;
mod tasks;
mod tools;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use dev_issuer::DevIssuer;
use mcp_auth::{AuthInfo, Config, McpAuth};
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Json;
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, GetPromptResult, PromptMessage, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents, Role,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{ClientInitializeError, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransportConfig,
};
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient, RoleServer, ServerHandler,
    ServiceError, prompt, prompt_handler, prompt_router, tool, tool_handler, tool_router,
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

type Client = RunningService<RoleClient, ()>;
type McpService = StreamableHttpService<Whoami, LocalSessionManager>;

/// A tool, a prompt and a resource that tell who is calling.
struct Whoami {
    /// Handlers answer only when as many requests as this are being handled.
    meeting: Arc<Barrier>,
}

#[tool_router]
impl Whoami {
    #[tool(description = "The claims of the caller")]
    async fn whoami(&self, auth: AuthInfo) -> Json<Map<String, Value>> {
        self.meeting.wait().await;
        Json(auth.claims().clone())
    }

    #[tool(description = "The HTTP request as a handler sees it")]
    async fn http_request(&self, Extension(parts): Extension<Parts>) -> Json<Map<String, Value>> {
        let names: Vec<_> = parts.headers.keys().map(ToString::to_string).collect();
        let request = [
            ("headers".to_owned(), json!(names)),
            ("debug".to_owned(), json!(format!("{parts:?}"))),
        ];
        Json(request.into_iter().collect())
    }
}

#[prompt_router]
impl Whoami {
    #[prompt(name = "whoami", description = "The subject of the caller")]
    async fn prompt(&self, auth: AuthInfo) -> GetPromptResult {
        self.meeting.wait().await;
        GetPromptResult::new(vec![PromptMessage::new_text(Role::User, subject(&auth))])
    }
}

#[tool_handler]
#[prompt_handler]
impl ServerHandler for Whoami {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources();
        ServerConfig::new(capabilities.build())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let auth = AuthInfo::from_context(&context)?;
        self.meeting.wait().await;
        let contents = ResourceContents::text(subject(&auth), request.uri);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

fn subject(auth: &AuthInfo) -> &str {
    auth.subject().unwrap_or_default()
}

/// The kinds of handler that can be asked who is calling.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Tool,
    Prompt,
    Resource,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Tool, Self::Prompt, Self::Resource];

    /// The subject that the handler saw.
    async fn ask(self, client: &Client) -> Result<String, ServiceError> {
        Ok(match self {
            Self::Tool => call(client, "whoami").await?["sub"].as_str().unwrap().to_owned(),
            Self::Prompt => {
                let answer = client.get_prompt(GetPromptRequestParams::new("whoami")).await?;
                answer.messages[0].content.as_text().unwrap().text.clone()
            }
            Self::Resource => {
                let request = ReadResourceRequestParams::new("who://am.i/");
                match &client.read_resource(request).await?.contents[0] {
                    ResourceContents::TextResourceContents { text, .. } => text.clone(),
                    other => panic!("{other:?}"),
                }
            }
        })
    }
}

/// The structured content of a tool without arguments.
async fn call(client: &Client, tool: &'static str) -> Result<Value, ServiceError> {
    let answer = client.call_tool(CallToolRequestParams::new(tool)).await?;
    assert_eq!(answer.is_error, Some(false), "{answer:?}");
    Ok(answer.structured_content.unwrap())
}

/// An rmcp server on loopback with an issuer that it trusts.
struct Server {
    issuer: DevIssuer,
    /// Identifier of the resource, which is where clients connect to.
    resource: String,
}

impl Server {
    /// Protects a server that is mounted at this path and needs the scope `mcp`.
    async fn start(path: &str) -> Self {
        Self::with(path, 1, |auth, mcp| auth.protect(mcp)).await
    }

    /// The same, with handlers that wait for each other and an application of its own.
    async fn with(
        path: &str,
        meeting: usize,
        app: impl FnOnce(&McpAuth, McpService) -> Router,
    ) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let resource = format!("http://{}{path}", listener.local_addr().unwrap());
        let config = Config::new(&resource, issuer.issuer()).unwrap().with_required_scopes(["mcp"]);
        let auth = McpAuth::new(config).unwrap();
        serve(listener, app(&auth, mcp_service(&auth, meeting)));
        Self { issuer, resource }
    }

    fn token(&self, user: &str) -> String {
        self.issuer.mint().subject(user).audience(&self.resource).scope("mcp").sign()
    }

    /// Connects with a token of this user.
    async fn connect_as(&self, user: &str, lifecycle: ClientLifecycleMode) -> Client {
        let config = StreamableHttpClientTransportConfig::with_uri(&*self.resource)
            .auth_header(self.token(user));
        ().serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), lifecycle)
            .await
            .unwrap()
    }

    /// Connects with whatever the HTTP client knows about tokens.
    async fn connect(
        &self,
        http: impl StreamableHttpClient + Sync,
        lifecycle: ClientLifecycleMode,
    ) -> Result<Client, ClientInitializeError> {
        let config = StreamableHttpClientTransportConfig::with_uri(&*self.resource);
        let transport = StreamableHttpClientTransport::with_client(http, config);
        ().serve_with_lifecycle(transport, lifecycle).await
    }
}

fn mcp_service(auth: &McpAuth, meeting: usize) -> McpService {
    let meeting = Arc::new(Barrier::new(meeting));
    auth.streamable_http_service(move || Whoami { meeting: meeting.clone() })
}

/// Serves until the test's runtime ends.
fn serve(listener: TcpListener, app: Router) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// With sessions, as until 2025-11-25, and without, as since 2026-07-28.
fn lifecycles() -> [ClientLifecycleMode; 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
}
