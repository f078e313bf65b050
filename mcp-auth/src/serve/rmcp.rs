//! rmcp 3: the caller as a handler argument, and a Streamable HTTP service that knows our hosts.

use std::sync::Arc;

use http::request::Parts;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::auth_info::AuthInfo;
use crate::mcp_auth::McpAuth;

impl McpAuth {
    /// rmcp's default server configuration with the hosts of our resources in its `Host` check.
    ///
    /// `Origin` is checked before a request reaches rmcp.
    pub fn streamable_http_config(&self) -> StreamableHttpServerConfig {
        StreamableHttpServerConfig::default().with_allowed_hosts(self.allowed_hosts())
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
}

impl AuthInfo {
    /// The caller of an rmcp request, for handlers that get the context: resources, completion.
    ///
    /// # Errors
    /// An internal error when the service is not protected.
    pub fn from_context(context: &RequestContext<RoleServer>) -> Result<Self, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        parts.and_then(|parts| parts.extensions.get::<Self>()).cloned().ok_or_else(|| {
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
