//! Authorization servers that others wrote, over real sockets.
//!
//! `cargo xtask test --only provider-…` starts one and names it in `MCP_AUTH_TEST_PROVIDER`.

mod flow;
mod keycloak;
mod oidc_provider;
mod zitadel_oidc;

use axum::Router;
use mcp_auth::{AuthorizationServer, Config, Introspection, McpAuth, ProtectedResource};

use crate::support::{Answer, RESOURCE, TestClock, echo, request, send};

/// What `cargo xtask test` started.
fn provider_url() -> String {
    std::env::var("MCP_AUTH_TEST_PROVIDER").expect("run cargo xtask test --only provider-…")
}

/// [`RESOURCE`] protected by one of its issuers, with the scope `mcp` required.
struct Server {
    auth: McpAuth,
    app: Router,
    clock: TestClock,
}

impl Server {
    /// Two strings are enough.
    fn trusting(issuer: &str) -> Self {
        Self::with(issuer.into())
    }

    /// The same that asks the issuer about tokens, each time.
    fn asking(issuer: &str, introspection: Introspection) -> Self {
        let mut server = AuthorizationServer::new(issuer);
        server.introspection = Some(introspection);
        Self::with(server)
    }

    fn with(server: AuthorizationServer) -> Self {
        let resource = ProtectedResource::new(RESOURCE, [server]);
        let config = Config::default().protect_resource(resource).with_required_scopes(["mcp"]);
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        let app = auth.protect(echo());
        Self { auth, app, clock }
    }

    /// The same with an API `reports` behind it, whose fields are JSON, beside what is the same at every provider.
    fn before_reports(issuer: &str, mut fields: serde_json::Value) -> McpAuth {
        let own = [("issuer", issuer), ("scopes", "reports")];
        for (name, value) in own {
            if fields[name].is_null() {
                fields[name] = value.into();
            }
        }
        let resource = ProtectedResource::new(RESOURCE, [issuer]);
        let mut config = Config::default().protect_resource(resource);
        let reports = serde_json::from_value(fields).unwrap();
        config.downstreams.insert("reports".to_owned(), reports);
        McpAuth::new(config).unwrap()
    }

    async fn call(&self, token: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        send(self.app.clone(), request("POST", "/mcp", &[("authorization", &authorization)])).await
    }

    /// The code of the answer, with the reason when a test fails.
    async fn code(&self, token: &str) -> &'static str {
        let answer = self.call(token).await;
        eprintln!("{}: {:?}", answer.code(), answer.error);
        answer.code()
    }
}
