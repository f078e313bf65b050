//! A configuration from environment variables.

use crate::config::{Config, ConfigError, Faults, ProtectedResource};
use crate::scope::Scopes;

const RESOURCE: &str = "MCP_AUTH_RESOURCE";
const ISSUER: &str = "MCP_AUTH_ISSUER";
const SCOPES: &str = "MCP_AUTH_SCOPES";

impl Config {
    /// Reads one resource from the environment: `MCP_AUTH_RESOURCE`, `MCP_AUTH_ISSUER` (several:
    /// comma-separated) and `MCP_AUTH_SCOPES` (required scopes, space-separated; may be unset).
    ///
    /// # Errors
    /// [`ConfigError`] lists every variable that is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_env_with(|name| std::env::var(name).ok())
    }

    /// Reads what [`Config::from_env`] reads from variables that are kept elsewhere: `read` gives the value of one, or
    /// `None` when it is not set.
    ///
    /// # Errors
    /// [`ConfigError`] lists every variable that is missing or wrong.
    pub fn from_env_with(read: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        from_variables(
            &read(RESOURCE).unwrap_or_default(),
            &read(ISSUER).unwrap_or_default(),
            &read(SCOPES).unwrap_or_default(),
        )
    }
}

fn from_variables(resource: &str, issuers: &str, scopes: &str) -> Result<Config, ConfigError> {
    let mut found = Vec::new();
    let mut faults = Faults::of_all(&mut found);
    for (name, value) in [(RESOURCE, resource), (ISSUER, issuers)] {
        if value.trim().is_empty() {
            faults.add(name, "must be set");
        }
    }
    if !found.is_empty() {
        return Err(ConfigError::new(found));
    }
    let each_issuer = issuers.split(',').map(str::trim).filter(|issuer| !issuer.is_empty());
    let config = Config::default()
        .protect_resource(ProtectedResource::new(resource.trim(), each_issuer))
        .with_required_scopes(Scopes::parse(scopes).iter());
    config.check()?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_whole() {
        let error = from_variables("", " ", "a").unwrap_err();
        assert_eq!(
            error.faults,
            ["MCP_AUTH_RESOURCE: must be set", "MCP_AUTH_ISSUER: must be set"]
        );
        let issuers = "https://a.example, https://b.example/,";
        let config = from_variables("https://h.example/mcp", issuers, "a b").unwrap();
        assert_eq!(config.resources[0].authorization_servers[1].issuer, "https://b.example/");
        assert_eq!(config.resources[0].required_scopes.to_string(), "a b");
    }
}
