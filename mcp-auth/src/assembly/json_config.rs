//! Configuration that is written as JSON.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::unreadable_config::find_unreadable;
use crate::config::{Config, ConfigError, ConfigFault};
use crate::json;
use crate::text::without_byte_order_mark;

/// The field that lists the resources.
const RESOURCES: &str = "resources";

impl Config {
    /// Reads a configuration from JSON: an object with the fields of [`Config`].
    ///
    /// Where there is one resource, its fields may stand beside those of [`Config`] in place of `resources`. A member
    /// that is no field is a fault, and so are two members of one name. Whether the values fit together is checked when
    /// a [`McpAuth`](crate::McpAuth) is made of it, with all other faults.
    ///
    /// ```
    /// use mcp_auth::Config;
    ///
    /// let text = r#"{ "resource": "https://mcp.example.com/mcp",
    ///     "authorization_servers": ["https://auth.example.com"], "clock_tolerance": 30 }"#;
    /// let config = Config::from_json(text)?;
    /// assert_eq!(config.resources[0].resource, "https://mcp.example.com/mcp");
    ///
    /// let misspelt = Config::from_json(r#"{ "resource": "https://mcp.example.com/mcp", "required_scope": "mcp" }"#);
    /// assert!(misspelt.unwrap_err().to_string().contains("unknown field `required_scope`"));
    /// # Ok::<_, mcp_auth::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when the text is not such an object; it lists every value that cannot be read.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let written = json::read_object(without_byte_order_mark(text.as_bytes()))
            .map_err(unreadable_config)?;
        let members = with_resources_listed(written);
        let faults = find_unreadable(&members);
        if !faults.is_empty() {
            return Err(ConfigError::new(faults));
        }
        Self::deserialize(Value::Object(members)).map_err(unreadable_config)
    }
}

/// The error for a text that is no configuration at all, so that the fault has no path.
fn unreadable_config(fault: impl ToString) -> ConfigError {
    ConfigError::new(vec![ConfigFault::new("", fault.to_string())])
}

/// The configuration with its resources in a list. Where the fields of one resource stand beside those of the
/// configuration, they are moved into an entry of that list.
fn with_resources_listed(members: Map<String, Value>) -> Map<String, Value> {
    // Fields of a resource beside the list are refused later, as unknown fields of the configuration.
    if members.contains_key(RESOURCES) {
        return members;
    }
    // The default configuration has every field but the secret ones, because `Config` leaves no other out when it is
    // written as JSON.
    let every_field = json!(Config::default());
    let (mut config, mut resource) = (Map::new(), Map::new());
    for (name, value) in members {
        let is_of_config = every_field.get(&name).is_some() || name == "handle_keys";
        let place = if is_of_config { &mut config } else { &mut resource };
        place.insert(name, value);
    }
    if !resource.is_empty() {
        config.insert(RESOURCES.to_owned(), json!([resource]));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Config::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn one_resource_may_stand_at_the_top() {
        let at_the_top = r#"{ "key_max_age": 300, "resource": "https://h.example/mcp",
            "authorization_servers": ["https://as.example"], "required_scopes": "a b" }"#;
        let listed = r#"{ "key_max_age": 300, "resources": [{ "resource": "https://h.example/mcp",
            "authorization_servers": ["https://as.example"], "required_scopes": ["a", "b"] }] }"#;
        let config = Config::from_json(at_the_top).unwrap();
        assert_eq!(config, Config::from_json(listed).unwrap());
        assert_eq!(config, serde_json::from_str(listed).unwrap());
        assert_eq!(config.key_max_age.as_secs(), 300);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let config = Config::new("https://h.example/mcp", "https://as.example").unwrap();
        assert_eq!(Config::from_json(&json!(config).to_string()).unwrap(), config);
        assert_eq!(Config::from_json("{}").unwrap(), Config::default());
        assert_eq!(Config::from_json("\u{feff}{}").unwrap(), Config::default());
        assert!(fault("\u{feff}\u{feff}{}").contains("not JSON"));
    }

    #[test]
    fn every_value_that_cannot_be_read_is_named_with_its_place() {
        let text = json!({
            "clock_tolerance": "60",
            "fetch_timeout": -1,
            "max_body_bytes": 1.5,
            "resource": "https://h.example/mcp",
            "audiences": "account",
            "allowed_origins": ["https://app.example", 5],
            "authorization_servers": [null, {
                "issuer": "https://as.example",
                "algorithms": ["ES256", "HS256"],
                "introspection": { "client_secret": ["hush"], "mehtod": { "a": 1 } },
            }],
            "policy": {
                "tools": { "a": null, "b": { "roles": "x" }, "c": ["ok"] },
                "implies": { "a": 7 },
                "deny_undeclared": "yes",
            },
        })
        .to_string();
        let error = Config::from_json(&text).unwrap_err();
        let expected = [
            "clock_tolerance: must be a number of seconds, not \"60\"",
            "fetch_timeout: must be a number of seconds, 0 or more",
            "max_body_bytes: must be a whole number, 0 or more, not 1.5",
            "resources[0].audiences: must be a list, not \"account\"",
            "resources[0].allowed_origins[1]: must be a text, not 5",
            "resources[0].authorization_servers[0]: must be an issuer, or a table with `issuer`, not null",
            "resources[0].authorization_servers[1].introspection.client_secret: must be a text, not a list",
            "resources[0].policy.tools.a: must be scopes, or a table such as { all_of = [\"notes:write\"] }, not null",
            "resources[0].policy.tools.b.roles: must be a list, not \"x\"",
            "resources[0].policy.implies.a: must be scopes: a string with spaces between, or a list of strings, not 7",
            "resources[0].policy.deny_undeclared: must be true or false, not \"yes\"",
        ];
        for fault in expected {
            assert!(error.faults.iter().any(|found| found == fault), "{fault}\n{error}");
        }
        let others: Vec<_> =
            error.faults.iter().filter(|one| !expected.contains(&one.as_str())).collect();
        assert_eq!(others.len(), 2, "{others:?}");
        assert!(
            others.iter().any(|one| one.contains("introspection.mehtod: unknown field `mehtod`"))
        );
        assert!(others.iter().any(|one| one.contains("algorithms[1]: ") && one.contains("HS256")));
        assert!(!error.to_string().contains("hush"));
    }

    #[test]
    fn what_stands_in_the_place_of_a_secret_is_never_shown() {
        for keys in [json!("hush-1"), json!(["x", 7_351]), json!({ "hush-1": 7_351 }), json!(7_351)]
        {
            let told = fault(&json!({ "handle_keys": keys }).to_string());
            assert!(told.contains("handle_keys"), "{told}");
            assert!(!told.contains("hush-1") && !told.contains("7351"), "{told}");
        }
    }

    #[test]
    fn what_is_no_field_is_a_fault_wherever_it_stands() {
        let resource = r#""resource": "https://h.example/mcp""#;
        let rows = [
            (
                format!("{{ {resource}, \"required_scope\": \"a\" }}"),
                "unknown field `required_scope`",
            ),
            (format!("{{ {resource}, \"resources\": [] }}"), "unknown field `resource`"),
            (format!("{{ {resource}, {resource} }}"), "duplicate member"),
            (format!("{{ {resource}, \"clock_tolerance\": -1 }}"), "0 or more"),
            ("[]".to_owned(), "it is an array, an object is needed"),
        ];
        for (text, expected) in rows {
            assert!(fault(&text).contains(expected), "{text}: {}", fault(&text));
        }
    }
}
