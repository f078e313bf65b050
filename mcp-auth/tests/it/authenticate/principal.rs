//! People are told from machines by what providers document, and nobody is guessed to be a person.

use std::fs;
use std::path::Path;

use mcp_auth::policy::Requirement;
use mcp_auth::presets::Provider;
use mcp_auth::settings::PrincipalClaim;
use mcp_auth::{
    AuthInfo, AuthorizationServer, Config, McpAuth, Principal, ProtectedResource, ScopePolicy,
};
use serde_json::{Value, json};

use crate::support::RESOURCE;
use crate::support::policy_server::{PolicyServer, tool_call};

fn principal_of(claims: &Value) -> Principal {
    AuthInfo::from_verified_json(&claims.to_string()).unwrap().principal()
}

#[test]
fn tokens_tell_who_is_behind_them() {
    use Principal::{Client, Unknown, User};
    let rows = [
        // RFC 9068 §2.2: the subject is the client. Under all names of the client.
        (json!({ "sub": "app", "client_id": "app" }), Client),
        (json!({ "sub": "app", "azp": "app" }), Client),
        (json!({ "sub": "app", "cid": "app" }), Client),
        (json!({ "sub": "app", "appid": "app" }), Client),
        (json!({ "sub": "app", "client_id": "other", "azp": "app" }), Client),
        (json!({ "sub": "app", "client_id": "app", "auth_time": 1 }), Client),
        (json!({ "sub": "app", "client_id": "app", "email": "a@b.example" }), Client),
        // Auth0.
        (json!({ "sub": "app@clients", "azp": "app", "gty": "client-credentials" }), Client),
        (json!({ "sub": "app@clients", "azp": "app" }), Client),
        (json!({ "sub": "auth0|1", "azp": "app", "gty": "authorization-code" }), User),
        // The grant, by other names.
        (json!({ "sub": "4f", "client_id": "app", "gty": ["client_credentials"] }), Client),
        (json!({ "sub": "4f", "client_id": "app", "grant_type": "client_credentials" }), Client),
        (json!({ "sub": "4f", "client_id": "app", "gtp": "client_credentials" }), Client),
        (
            json!({ "sub": "4f", "email": "a@b.example", "grant_type": "client_credentials" }),
            Client,
        ),
        (json!({ "sub": "4f", "client_id": "app", "grant_type": "authorization_code" }), User),
        (json!({ "sub": "4f", "client_id": "app", "grant_type": "password" }), Unknown),
        (json!({ "sub": "4f", "client_id": "app", "grant_type": 7 }), Unknown),
        // Entra ID: with `idtyp`, and without.
        (json!({ "sub": "4f", "appid": "app", "idtyp": "app" }), Client),
        (json!({ "sub": "app", "azp": "app", "idtyp": "user" }), User),
        (json!({ "sub": "4f", "azp": "app", "idtyp": "device", "email": "a@b.example" }), Unknown),
        (
            json!({ "sub": "4f", "oid": "4f", "tid": "t", "ver": "2.0", "azp": "app", "roles": ["r"] }),
            Client,
        ),
        (json!({ "sub": "4f", "oid": "4f", "tid": "t", "ver": "1.0", "appid": "app" }), Client),
        (
            json!({ "sub": "4f", "oid": "5f", "tid": "t", "ver": "2.0", "azp": "app", "scp": "a b" }),
            User,
        ),
        (
            json!({ "sub": "4f", "oid": "5f", "tid": "t", "ver": "2.0", "azp": "app", "roles": ["r"] }),
            Unknown,
        ),
        (json!({ "sub": "4f", "oid": "5f", "tid": "t", "ver": "2.0", "scp": "" }), Unknown),
        (
            json!({ "sub": "4f", "oid": "5f", "tid": "t", "ver": "2.0", "email": "a@b.example" }),
            Unknown,
        ),
        // Keycloak: a service account has a user of its own.
        (
            json!({ "sub": "4f", "azp": "app", "clientAddress": "::1", "preferred_username": "service-account-app" }),
            Client,
        ),
        (
            json!({ "sub": "4f", "azp": "app", "clientHost": "::1", "preferred_username": "service-account-app" }),
            Client,
        ),
        (
            json!({ "sub": "4f", "azp": "app", "preferred_username": "service-account-app" }),
            Unknown,
        ),
        (
            json!({ "sub": "4f", "azp": "app", "preferred_username": "service-account-other", "clientHost": "::1" }),
            Unknown,
        ),
        (
            json!({ "sub": "4f", "azp": "app", "preferred_username": "service-account-app", "email": "a@b.example" }),
            Unknown,
        ),
        (json!({ "sub": "4f", "azp": "app", "jti": "trrtcc:1", "email": "a@b.example" }), Client),
        (json!({ "sub": "4f", "azp": "app", "jti": "onltcc:1" }), Client),
        (json!({ "sub": "4f", "azp": "app", "jti": "onrtac:1" }), User),
        (
            json!({ "sub": "4f", "azp": "app", "jti": "onrtac:1", "preferred_username": "service-account-app" }),
            User,
        ),
        (json!({ "sub": "4f", "azp": "app", "jti": "onrtdg:1" }), User),
        (json!({ "sub": "4f", "azp": "app", "jti": "onrtrt:1" }), Unknown),
        (json!({ "sub": "4f", "azp": "app", "jti": "ntrtte:1" }), Unknown),
        (json!({ "sub": "4f", "azp": "app", "jti": "xxrtac:1" }), Unknown),
        (json!({ "sub": "4f", "azp": "app", "jti": "onrtac" }), Unknown),
        (json!({ "sub": "4f", "azp": "app", "acr": "1", "sid": "s", "scope": "openid" }), Unknown),
        // Asgardeo and WSO2 Identity Server.
        (json!({ "sub": "4f", "client_id": "app", "aut": "APPLICATION" }), Client),
        (json!({ "sub": "4f", "client_id": "app", "aut": "APPLICATION_USER" }), User),
        (json!({ "client_id": "app", "aut": "APPLICATION_USER", "username": "alice" }), User),
        // Okta and Cognito name the user apart.
        (json!({ "sub": "a@b.example", "cid": "app", "uid": "00u", "jti": "AT.1" }), User),
        (json!({ "sub": "a@b.example", "cid": "app", "jti": "AT.1" }), Unknown),
        (
            json!({ "sub": "4f", "client_id": "app", "token_use": "access", "username": "alice" }),
            User,
        ),
        (
            json!({ "sub": "app", "client_id": "app", "token_use": "access", "auth_time": 1 }),
            Client,
        ),
        (json!({ "sub": "4f", "client_id": "app", "username": "machine" }), Unknown),
        // Zitadel's machine users look like its people.
        (json!({ "sub": "293", "client_id": "293@p", "aud": ["p"] }), Unknown),
        (
            json!({ "sub": "293", "username": "ci", "name": "ci", "preferred_username": "ci" }),
            Unknown,
        ),
        // Claims about a person.
        (json!({ "sub": "4f", "client_id": "app", "email": "a@b.example" }), User),
        (json!({ "sub": "4f", "client_id": "app", "family_name": "Example" }), User),
        // A service account of authentik.
        (
            json!({ "sub": "4f", "azp": "app", "uid": "x", "auth_time": 1, "acr": "a", "email": "",
                "name": "ci", "given_name": "ci", "preferred_username": "ci", "nickname": "ci" }),
            Unknown,
        ),
        (json!({ "sub": "4f", "client_id": "app", "email": "" }), Unknown),
        (json!({ "sub": "4f", "client_id": "app", "email": null }), Unknown),
        (json!({ "sub": "4f", "client_id": "app", "email": { "a": 1 } }), Unknown),
        // A sign that cannot be read is not one that is not there.
        (json!({ "sub": "4f", "email": "a@b.example", "idtyp": ["app"] }), Unknown),
        (json!({ "sub": "4f", "email": "a@b.example", "idtyp": null }), User),
        (json!({ "sub": "4f", "email": "a@b.example", "aut": 7 }), Unknown),
        (
            json!({ "sub": "4f", "email": "a@b.example", "gty": { "client_credentials": 1 } }),
            Unknown,
        ),
        (
            json!({ "sub": "4f", "email": "a@b.example", "grant_type": [["client_credentials"]] }),
            Unknown,
        ),
        (json!({ "sub": "4f", "email": "a@b.example", "grant_type": ["refresh_token"] }), User),
        (
            json!({ "sub": "4f", "email": "a@b.example", "preferred_username": ["service-account-a"] }),
            Unknown,
        ),
        // What tells nothing.
        (json!({ "sub": "alice", "client_id": "app" }), Unknown),
        (json!({ "sub": "alice" }), Unknown),
        (json!({ "client_id": "app" }), Unknown),
        (json!({}), Unknown),
        (json!({ "sub": null, "client_id": "app" }), Unknown),
        (json!({ "sub": "" }), Unknown),
        (json!({ "sub": "", "client_id": "" }), Unknown),
        (json!({ "sub": "", "client_id": "app", "email": "a@b.example" }), Unknown),
    ];
    for (claims, expected) in rows {
        assert_eq!(principal_of(&claims), expected, "{claims}");
    }
}

#[test]
fn tokens_in_the_shapes_of_providers_tell_who_is_behind_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/providers");
    let mut seen = 0;
    for provider in ["asgardeo", "auth0", "entra", "keycloak", "logto", "okta"] {
        for entry in fs::read_dir(folder.join(provider)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let token: Value =
                serde_json::from_slice(&fs::read(folder.join(provider).join(&name)).unwrap())
                    .unwrap();
            if !name.starts_with("access-token") || token["format"] != "jwt" {
                continue;
            }
            let is_machine = ["m2m", "app-only", "service-account", "client-credentials"]
                .iter()
                .any(|kind| name.contains(kind));
            // These tell it by their issuer's settings alone.
            let needs_settings = ["auth0", "logto"].contains(&provider);
            let expected = match (is_machine, needs_settings) {
                (true, _) => Principal::Client,
                (false, true) => Principal::Unknown,
                (false, false) => Principal::User,
            };
            assert_eq!(principal_of(&token["claims"]), expected, "{provider}/{name}");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen}");
}

/// Whether a policy for users lets it run, and whether one for clients does.
async fn runs(change: impl Fn(&mut AuthorizationServer), claims: &[(&str, Value)]) -> (bool, bool) {
    let rule = |kind| Requirement::default().caller(kind);
    let policy = ScopePolicy::new()
        .require_for_tool("human", rule(Principal::User))
        .require_for_tool("machine", rule(Principal::Client));
    let configure = |mut config: Config| {
        change(&mut config.resources[0].authorization_servers[0]);
        config
    };
    let server = PolicyServer::with(policy, configure, |builder| builder).await;
    let mut mint = server.mint("mcp").subject("nobody-here").client_id("app");
    for (name, value) in claims {
        mint = mint.claim(*name, value.clone());
    }
    let token = mint.sign();
    let mut ran = [false, false];
    for (tool, ran) in ["human", "machine"].iter().zip(&mut ran) {
        let (answer, done) = server.post(Some(&token), &[], tool_call(tool).to_string()).await;
        assert!([200, 403].contains(&answer.status.as_u16()), "{answer:?}");
        *ran = !done.is_empty();
    }
    (ran[0], ran[1])
}

#[tokio::test]
async fn a_policy_for_users_admits_no_machine_and_nobody_unknown() {
    let rows: [(&[(&str, Value)], _); 8] = [
        // An application of Entra ID without `idtyp`.
        (
            &[
                ("sub", json!("4f")),
                ("oid", json!("4f")),
                ("tid", json!("t")),
                ("ver", json!("2.0")),
                ("roles", json!(["r"])),
            ],
            (false, true),
        ),
        // A machine user of Zitadel.
        (
            &[("sub", json!("293847561029384756")), ("client_id", json!("ci@project"))],
            (false, false),
        ),
        // A service account of Keycloak without `clientAddress`.
        (
            &[
                ("sub", json!("4f")),
                ("azp", json!("app")),
                ("preferred_username", json!("service-account-app")),
            ],
            (false, false),
        ),
        (&[("sub", json!("4f")), ("jti", json!("trrtcc:7"))], (false, true)),
        (&[("sub", json!(""))], (false, false)),
        (&[("sub", json!("")), ("email", json!("a@b.example"))], (false, false)),
        (&[("sub", json!("app"))], (false, true)),
        (&[("sub", json!("alice")), ("email", json!("a@b.example"))], (true, false)),
    ];
    for (claims, expected) in rows {
        assert_eq!(runs(|_| (), claims).await, expected, "{claims:?}");
    }
}

#[tokio::test]
async fn the_settings_of_a_server_say_who_its_callers_are() {
    let by_claim = |server: &mut AuthorizationServer| {
        server.principal_claim =
            Some(PrincipalClaim::new("/kind/of", ["person"], ["robot", "service-*"]));
    };
    let kind = |value: &str| [("sub", json!("293")), ("kind", json!({ "of": value }))];
    assert_eq!(runs(by_claim, &kind("person")).await, (true, false));
    assert_eq!(runs(by_claim, &kind("service-7")).await, (false, true));
    assert_eq!(runs(by_claim, &kind("other")).await, (false, false));
    // A nested name that JSON libraries give a meaning does not say it.
    let hidden = json!({ "of": { "$serde_json::private::RawValue": "\"person\"" } });
    assert_eq!(runs_or_is_refused(by_claim, hidden).await, 401);

    let by_default = |server: &mut AuthorizationServer| server.default_principal = Principal::User;
    assert_eq!(runs(by_default, &[("sub", json!("293"))]).await, (true, false));
    assert_eq!(runs(by_default, &[("sub", json!("app"))]).await, (false, true));
    assert_eq!(runs(by_default, &[("sub", json!(""))]).await, (false, false));
}

async fn runs_or_is_refused(change: impl Fn(&mut AuthorizationServer), kind: Value) -> u16 {
    let configure = |mut config: Config| {
        change(&mut config.resources[0].authorization_servers[0]);
        config
    };
    let server = PolicyServer::with(ScopePolicy::new(), configure, |builder| builder).await;
    let token = server.mint("mcp").claim("kind", kind).sign();
    let (answer, ran) = server.post(Some(&token), &[], tool_call("human").to_string()).await;
    assert!(ran.is_empty(), "{ran:?}");
    answer.status.as_u16()
}

#[test]
fn presets_know_how_their_provider_tells() {
    let rows = [
        (Provider::auth0("t.eu.auth0.com"), true),
        (Provider::logto("https://t.logto.app"), true),
        (Provider::clerk("clerk.example.com"), true),
        (Provider::zitadel("t.zitadel.cloud", "p"), false),
        (Provider::keycloak("https://sso.example.com", "r"), false),
    ];
    for (server, is_set) in rows {
        let says = server.principal_claim.is_some() || server.default_principal == Principal::User;
        assert_eq!(says, is_set, "{}", server.issuer);
    }
}

#[test]
fn settings_that_cannot_tell_are_faults() {
    let build = |claim: Value| {
        let server = json!({ "issuer": "https://as.example", "principal_claim": claim });
        let server: AuthorizationServer = serde_json::from_value(server).unwrap();
        let resource = ProtectedResource::new(RESOURCE, [server]);
        McpAuth::new(Config::default().protect_resource(resource)).map(|_| ())
    };
    assert!(build(json!({ "claim": "idtyp", "user": ["user"], "client": ["app"] })).is_ok());
    assert!(build(json!({ "claim": "idtyp", "client": ["app"] })).is_ok());
    let rows = [
        json!({ "user": ["user"] }),
        json!({ "claim": "", "user": ["user"] }),
        json!({ "claim": "idtyp" }),
        json!({ "claim": "idtyp", "user": [], "client": [] }),
        json!({ "claim": "idtyp", "user": ["user", ""] }),
        json!({ "claim": "idtyp", "user": ["a"], "client": ["b", "a"] }),
    ];
    for claim in rows {
        let fault = build(claim.clone()).unwrap_err().to_string();
        assert!(fault.contains("authorization_servers[0].principal_claim:"), "{claim}: {fault}");
    }
}
