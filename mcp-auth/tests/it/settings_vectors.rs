//! The language-neutral cases of `vectors/settings.json`: configuration, paths and refusals as data.

use std::collections::HashMap;

use axum::http::Uri;
use mcp_auth::decision::MetadataDocument;
use mcp_auth::{Config, ConfigError, McpAuth, ProtectedResource};
use serde::Deserialize;
use serde_json::Value;

use crate::vectors::Vectors;

#[derive(Deserialize)]
struct Settings {
    configurations: Vec<Configuration>,
    environments: Vec<Environment>,
    paths: Vec<Paths>,
    refusals: Vec<Refusal>,
    callers: Vec<Caller>,
}

#[derive(Deserialize)]
struct Configuration {
    name: String,
    config: Value,
    faults: Vec<String>,
}

#[derive(Deserialize)]
struct Environment {
    name: String,
    variables: HashMap<String, String>,
    faults: Vec<String>,
}

#[derive(Deserialize)]
struct Paths {
    name: String,
    /// The metadata URL of each.
    resources: serde_json::Map<String, Value>,
    rows: Vec<(String, Option<String>)>,
}

#[derive(Deserialize)]
struct Refusal {
    /// The name of a case in `decisions.json`, whose token is refused so.
    case: String,
    code: String,
    status: u16,
    compared: Value,
}

#[derive(Deserialize)]
struct Caller {
    /// The name of a case in `decisions.json`, whose token is accepted.
    case: String,
    /// The key of its caller.
    key: (String, Option<String>),
}

fn settings() -> Settings {
    serde_json::from_str(include_str!("../../../vectors/settings.json")).unwrap()
}

fn faults<T>(result: Result<T, ConfigError>) -> Vec<String> {
    result
        .err()
        .map(|error| error.faults.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

#[test]
fn configurations_have_the_expected_faults() {
    for case in settings().configurations {
        // A build without Redis says of each that it has none.
        if !cfg!(feature = "redis") && case.config["shared_store"]["redis"].is_object() {
            continue;
        }
        let built = Config::from_json(&case.config.to_string()).and_then(McpAuth::new);
        assert_eq!(faults(built), case.faults, "{}", case.name);
    }
}

#[test]
fn environments_have_the_expected_faults() {
    for case in settings().environments {
        let config = Config::from_env_with(|name| case.variables.get(name).cloned());
        assert_eq!(faults(config), case.faults, "{}", case.name);
    }
}

#[test]
fn each_path_belongs_to_the_expected_resource() {
    for case in settings().paths {
        let resources = case.resources.keys();
        let resources =
            resources.map(|one| ProtectedResource::new(one, ["https://as.example.com"]));
        let auth =
            McpAuth::new(resources.fold(Config::default(), Config::protect_resource)).unwrap();
        for (target, expected) in case.rows {
            let path = target.parse::<Uri>().unwrap();
            let actual = auth.resource_for(path.path()).map(|one| one.to_string());
            assert_eq!(actual, expected, "{}: {target}", case.name);
        }
        let mut routes = auth.metadata_routes().into_iter();
        for identifier in auth.resource_identifiers() {
            let url = identifier.metadata_url();
            assert_eq!(url, case.resources[identifier.as_str()], "{}", case.name);
            let (document, path) = routes.next().unwrap();
            assert_eq!(document, MetadataDocument::ProtectedResource);
            assert!(url.ends_with(&path), "{url}: {path}");
        }
        assert_eq!(routes.next(), None);
    }
}

#[tokio::test]
async fn callers_have_the_expected_keys() {
    let decisions = Vectors::read(include_str!("../../../vectors/decisions.json"));
    let auth = decisions.protect();
    for expected in settings().callers {
        let caller = auth.authenticate(decisions.token_of(&expected.case)).await.unwrap();
        let (issuer, subject) = caller.key();
        assert_eq!((issuer.to_owned(), subject), expected.key, "{}", expected.case);
    }
}

#[tokio::test]
async fn refusals_are_the_expected_data() {
    let decisions = Vectors::read(include_str!("../../../vectors/decisions.json"));
    let auth = decisions.protect();
    for expected in settings().refusals {
        let token = decisions.token_of(&expected.case);
        let refusal = auth.authenticate(token).await.unwrap_err().json();
        assert_eq!(refusal["code"], expected.code, "{}", expected.case);
        assert_eq!(refusal["status"], expected.status, "{}", expected.case);
        assert_eq!(refusal["compared"], expected.compared, "{}", expected.case);
    }
}
