//! The configuration of the sample server of `mcp-auth dev`: by its options, and by a file that may change meanwhile.

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal as _};

use mcp_auth::policy::Requirement;
use mcp_auth::{
    AuthorizationServer, Config, McpAuth, ProtectedResource, ResourceIdentifier, ScopePolicy,
};

use crate::dev::Options;
use crate::output::complain;

/// The MCP Inspector's page, when it connects without its own proxy.
const INSPECTOR_ORIGINS: [&str; 2] = ["http://localhost:6274", "http://127.0.0.1:6274"];

/// What the configuration is made of.
pub(crate) struct Sample<'s> {
    pub(crate) resource: &'s ResourceIdentifier,
    pub(crate) issuer: &'s str,
    pub(crate) options: &'s Options,
}

impl Sample<'_> {
    /// The configuration, with the file as it is now.
    pub(crate) fn config(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = match &self.options.config {
            Some(file) => {
                let text = fs::read_to_string(file)
                    .map_err(|error| format!("--config cannot be read: {error}"))?;
                Config::from_json(&text)?
            }
            None => Config::default(),
        };
        if config.resources.is_empty() {
            config.resources.push(ProtectedResource::default());
        }
        let [resource] = &mut *config.resources else {
            return Err("--config: the sample server has one resource".into());
        };
        if !resource.resource.is_empty() || !resource.authorization_servers.is_empty() {
            let reason =
                "--config: `resource` and `authorization_servers` are those of `mcp-auth dev`";
            return Err(reason.into());
        }
        resource.resource = self.resource.to_string();
        resource.authorization_servers = vec![AuthorizationServer::new(self.issuer)];
        resource.allowed_origins.extend(INSPECTOR_ORIGINS.map(str::to_owned));
        if resource.required_scopes.is_empty() {
            resource.required_scopes = self.options.scopes.split_whitespace().collect();
        }
        // With a policy, lists are private to their caller.
        resource.policy.get_or_insert_with(|| {
            let scopes = Requirement::all_of(self.options.scopes.split_whitespace());
            ScopePolicy::new().require_for_tool("whoami", scopes)
        });
        Ok(config)
    }

    /// Reads the file again at each hangup (SIGHUP), until the terminal is gone. Without a file, a hangup ends the process.
    #[cfg(unix)]
    pub(crate) async fn follow_hangups(&self, auth: &McpAuth) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        if self.options.config.is_none() {
            return std::future::pending().await;
        }
        let mut hangups = signal(SignalKind::hangup())?;
        let has_terminal = io::stdin().is_terminal();
        while hangups.recv().await.is_some() && has_terminal == io::stdin().is_terminal() {
            // What the library makes of it is in its log.
            match self.config() {
                Ok(config) => drop(auth.reload(config)),
                Err(error) => complain(error),
            }
        }
        Ok(())
    }

    /// There is no such signal here.
    #[cfg(not(unix))]
    pub(crate) async fn follow_hangups(&self, _auth: &McpAuth) -> io::Result<()> {
        std::future::pending().await
    }
}
