//! rmcp 3: the caller as a handler argument, and a Streamable HTTP service that knows our hosts.
//!
//! rmcp puts the head of the HTTP request into the context of every call, and with it the caller that the layer has
//! found. So handlers see who sends *this* request, also within a session that somebody else began.

mod requires;

use std::sync::Arc;

use http::request::Parts;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, MetaObject, Tool};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use serde_json::json;

pub use self::requires::requires;
use crate::auth_info::AuthInfo;
use crate::downstream::DownstreamError;
use crate::error::InsufficientScope;
use crate::mcp_auth::McpAuth;

impl McpAuth {
    /// rmcp's default server configuration with the hosts of our resources in its `Host` check.
    ///
    /// `Origin` is checked before a request reaches rmcp. Without the hosts, rmcp answers 403 to everybody who
    /// does not call by a loopback name.
    pub fn streamable_http_config(&self) -> StreamableHttpServerConfig {
        StreamableHttpServerConfig::default().with_allowed_hosts(self.tell_hosts())
    }

    /// A Streamable HTTP service for [`McpAuth::protect`], with sessions in memory.
    ///
    /// For other options, make the service from [`McpAuth::streamable_http_config`].
    pub fn streamable_http_service<S: ServerHandler + Send + 'static>(
        &self,
        server: impl Fn() -> S + Send + Sync + 'static,
    ) -> StreamableHttpService<S, LocalSessionManager> {
        let sessions = Arc::new(LocalSessionManager::default());
        StreamableHttpService::new(move || Ok(server()), sessions, self.streamable_http_config())
    }

    /// Tells the tools of the resource at this path, such as those of a router (`list_all`), so that `Mcp-Param-*` headers
    /// are compared with the arguments before anybody has asked for the list of tools (MCP 2026-07-28). It matters where
    /// a policy has bodies read; rmcp itself compares in any case.
    ///
    /// Whether there is such a resource.
    ///
    /// # Examples
    ///
    /// ```
    /// # use mcp_auth::{Config, McpAuth, ScopePolicy};
    /// # use rmcp::handler::server::router::tool::ToolRouter;
    /// # struct Notes;
    /// # let mut config = Config::new("https://mcp.example.com/mcp", "https://auth.example.com")?;
    /// # config.resources[0].policy = Some(ScopePolicy::new());
    /// # let router = ToolRouter::<Notes>::new();
    /// let auth = McpAuth::new(config)?;
    /// assert!(auth.know_tools("/mcp", &router.list_all()));
    /// # Ok::<(), mcp_auth::ConfigError>(())
    /// ```
    pub fn know_tools(&self, path: &str, tools: &[Tool]) -> bool {
        self.learn_tools(path, tools.iter().map(|tool| (&*tool.name, &*tool.input_schema)))
    }
}

impl AuthInfo {
    /// The caller of an rmcp request, for handlers that get the context: resources, completion.
    ///
    /// # Errors
    /// An internal error when the service is not protected.
    pub fn from_context(context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        parts.and_then(|request| request.extensions.get::<Self>()).cloned().ok_or_else(|| {
            tracing::error!("a handler wants AuthInfo on an unprotected server");
            ErrorData::internal_error("this server is not protected; add McpAuth::protect()", None)
        })
    }
}

/// The caller as an argument of tools and prompts.
impl<C: AsRequestContext> FromContextPart<C> for AuthInfo {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Self::from_context(context.as_request_context())
    }
}

/// The caller as an argument of tools and prompts that need no token by policy.
///
/// `None` when none came, and for what is `public`, where no token is looked at. A handler that takes
/// [`AuthInfo`] instead answers such calls with an internal error.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an argument pattern")]
pub struct OptionalAuthInfo(pub Option<AuthInfo>);

impl<C: AsRequestContext> FromContextPart<C> for OptionalAuthInfo {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        let parts = context.as_request_context().extensions.get::<Parts>();
        Ok(Self(parts.and_then(|request| request.extensions.get::<AuthInfo>()).cloned()))
    }
}

/// For handlers whose error is rmcp's; over HTTP it becomes a 403 with the challenge.
impl From<InsufficientScope> for ErrorData {
    fn from(error: InsufficientScope) -> Self {
        let data =
            json!({ "required_scopes": error.required, "www_authenticate": error.challenge });
        Self::invalid_request(error.to_string(), Some(data))
    }
}

/// For handlers whose error is rmcp's. Where the caller has to do something, the response over HTTP becomes the challenge.
impl From<DownstreamError> for ErrorData {
    fn from(error: DownstreamError) -> Self {
        let data = json!({ "code": error.code(), "retry_after": error.retry_after() });
        match error {
            DownstreamError::Caller(_) => Self::invalid_request(error.to_string(), Some(data)),
            _ => Self::internal_error(error.to_string(), Some(data)),
        }
    }
}

/// As the error of a tool.
impl IntoCallToolResult for DownstreamError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let result = CallToolResult::error(vec![ContentBlock::text(self.to_string())]);
        Ok(result.into())
    }
}

/// As the error of a tool: where the response has begun, a result that carries the challenge.
impl IntoCallToolResult for InsufficientScope {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let mut result = CallToolResult::error(vec![ContentBlock::text(self.to_string())]);
        let challenges: Vec<_> = self.challenge.into_iter().collect();
        let meta = json!({ "mcp/www_authenticate": challenges });
        result.meta = meta.as_object().cloned().map(MetaObject);
        Ok(result.into())
    }
}
