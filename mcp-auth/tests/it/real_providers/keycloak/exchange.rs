//! What Keycloak gives in exchange for a token, and what it takes from another issuer.
//!
//! `docs/providers.md` says the same in words.

use dev_issuer::{DevClient, DevIssuer, Mint};
use mcp_auth::McpAuth;
use serde_json::json;

use super::super::Server;
use super::super::flow::{ACCESS_TOKEN, Issuer, claims, text};
use super::{ALICE, Admin, MCP, realm};
use crate::support::RESOURCE;

/// The client that the resource of the tests is to Keycloak: `aud` of the callers' tokens names it.
const SERVER: &str = "resource-server";
const REPORTS: &[(&str, &str)] = &[("audience", "reports-api"), ("scope", "reports")];
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The access token of a person who signed in to a client of hers.
async fn access_token_of_alice(realm: &Issuer) -> String {
    text(&realm.sign_in("app", MCP, &[], ALICE).await["access_token"])
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_callers_token_is_exchanged_for_one_of_the_same_person_for_another_api() {
    let realm = realm("mcp").await;
    let token = access_token_of_alice(&realm).await;
    let answer = realm.exchange(SERVER, &token, REPORTS).await.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(answer["scope"], "reports", "nothing but what was asked for");
    assert!(answer["expires_in"].as_u64().unwrap() > 0);
    let before = claims(&token);
    let after = claims(&text(&answer["access_token"]));
    assert_eq!(after["aud"], "reports-api");
    assert_eq!(after["azp"], SERVER);
    assert_eq!((&after["sub"], &after["sid"]), (&before["sub"], &before["sid"]));
}

/// The resource with the API `reports` behind it.
fn before_reports(realm: &Issuer, grant: &str, audience: &str) -> McpAuth {
    let fields = json!({
        "grant": grant,
        "audience": [audience],
        "client_id": SERVER,
        "client_secret": "resource-server-secret",
    });
    Server::before_reports(&realm.issuer, fields)
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_tool_gets_a_token_for_its_caller_and_keeps_it() {
    let realm = realm("mcp").await;
    let auth = before_reports(&realm, "token_exchange", "reports-api");
    let token = access_token_of_alice(&realm).await;
    let caller = auth.authenticate(&token).await.unwrap();
    let first = auth.downstream("reports").token_for(&caller).await.unwrap();
    assert_eq!(claims(first.expose())["aud"], "reports-api");
    assert_eq!(claims(first.expose())["sub"], claims(&token)["sub"]);
    assert_eq!(first.scopes().to_string(), "reports");
    let second = auth.downstream("reports").token_for(&caller).await.unwrap();
    assert_eq!(first.expose(), second.expose());

    let for_nobody = before_reports(&realm, "token_exchange", "machine");
    let caller = for_nobody.authenticate(&token).await.unwrap();
    let refused = for_nobody.downstream("reports").token_for(&caller).await.unwrap_err();
    assert_eq!(refused.code(), "downstream_refused");
    let machine = auth.authenticate(&realm.client_credentials("machine", MCP).await).await.unwrap();
    let refused = auth.downstream("reports").token_for(&machine).await.unwrap_err();
    assert_eq!(refused.code(), "downstream_no_user");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn what_is_wider_than_configured_or_no_longer_holds_is_refused() {
    let realm = realm("mcp").await;
    let token = access_token_of_alice(&realm).await;
    for (more, expected) in [
        (vec![("scope", "mcp")], "invalid_scope"),
        (vec![("scope", "reports nonsense")], "invalid_scope"),
        (vec![("audience", "machine"), ("scope", "reports")], "invalid_request"),
        (vec![("audience", "nobody"), ("scope", "reports")], "invalid_client"),
        (vec![("audience", "reports-api")], "invalid_request"),
    ] {
        let (error, description) = realm.exchange(SERVER, &token, &more).await.oauth_error();
        assert_eq!(error, expected, "{more:?}: {description}");
    }
    let (error, _) = realm.exchange("machine", &token, REPORTS).await.oauth_error();
    assert_eq!(error, "invalid_request", "a client that may not exchange");
    let for_nobody = realm.client_credentials("machine", &[]).await;
    let (error, description) = realm.exchange(SERVER, &for_nobody, REPORTS).await.oauth_error();
    assert_eq!(error, "access_denied", "{description}");

    let revocation = [("client_id", "app"), ("token", &token)];
    let endpoint = realm.endpoint("revocation_endpoint");
    assert!(super::Http::new().post_form(endpoint, &revocation).await.status.is_success());
    // RFC 8693 §2.2.2: other than everywhere else, this is no invalid_grant.
    let (error, description) = realm.exchange(SERVER, &token, REPORTS).await.oauth_error();
    assert_eq!((&*error, &*description), ("invalid_request", "Invalid token"));
}

/// Keycloak 26.7 reads the actor's token from 26.8 on; its feature `token-exchange-delegation` is about the claim `may_act` alone.
/// When this fails, `docs/providers.md` is out of date.
#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn an_actor_is_not_looked_at_so_that_delegation_becomes_impersonation() {
    let realm = realm("mcp").await;
    let token = access_token_of_alice(&realm).await;
    for actor in [realm.client_credentials(SERVER, &[]).await, "no token at all".to_owned()] {
        let more =
            [("scope", "reports"), ("actor_token", &actor), ("actor_token_type", ACCESS_TOKEN)];
        let answer = realm.exchange(SERVER, &token, &more).await.json();
        assert!(claims(&text(&answer["access_token"])).get("act").is_none());
    }
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_tool_gets_a_token_for_itself() {
    let realm = realm("mcp").await;
    let fields = json!({
        "grant": "client_credentials",
        "client_id": SERVER,
        "client_secret": "resource-server-secret",
    });
    let auth = Server::before_reports(&realm.issuer, fields);
    let token = auth.downstream("reports").token().await.unwrap();
    assert_eq!(claims(token.expose())["aud"], "reports-api");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn an_id_jag_of_another_issuer_becomes_an_access_token_once() {
    let realm = realm("mcp").await;
    let tools = DevClient::new("tools").secret("a secret").may_get(["reports"]);
    let tools = tools.id_at(&*realm.issuer, SERVER);
    let enterprise = DevIssuer::builder().clients([tools]).start().await.unwrap();
    trust(&enterprise).await;
    a_tool_gets_a_token_through_the_enterprise(&enterprise, &realm).await;
    let id_jag = || -> Mint {
        let token = enterprise.mint().header("typ", "oauth-id-jag+jwt").audience(&*realm.issuer);
        let token = token.client_id(SERVER).expires_in(300).scope("reports");
        token.claim("resource", "https://reports.example.com")
    };
    let redeem = async |assertion: Mint| {
        let assertion = assertion.sign();
        let fields = [("grant_type", JWT_BEARER), ("assertion", &*assertion), ("scope", "reports")];
        let first = realm.confidential(SERVER, &fields).await;
        let second = realm.confidential(SERVER, &fields).await;
        (first, second)
    };
    let (first, second) = redeem(id_jag()).await;
    let answer = first.json();
    assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("Bearer"), &json!("reports")));
    assert_eq!(claims(&text(&answer["access_token"]))["aud"], "reports-api");
    assert_eq!(second.oauth_error(), ("invalid_grant".into(), "Token reuse detected".into()));

    for (name, wrong) in [
        ("another audience", id_jag().audience("https://else.example")),
        ("another client", id_jag().client_id("machine")),
        ("expired", id_jag().expires_in(-60)),
        ("nobody here", id_jag().subject("bob")),
        ("another issuer", id_jag().issuer("https://else.example")),
        ("a foreign key", id_jag().broken(dev_issuer::Broken::ForeignKey)),
    ] {
        let (refused, _) = redeem(wrong).await;
        assert_eq!(refused.oauth_error().0, "invalid_grant", "{name}");
    }
}

/// Both steps, as a tool takes them.
async fn a_tool_gets_a_token_through_the_enterprise(enterprise: &DevIssuer, realm: &Issuer) {
    let fields = json!({
        "grant": "id_jag",
        "audience": [realm.issuer],
        "resource": ["https://reports.example.com"],
        "client_id": "tools",
        "client_secret": "a secret",
        "target": {
            "token_endpoint": realm.endpoint("token_endpoint"),
            "client_id": SERVER,
            "client_secret": "resource-server-secret",
        },
    });
    let auth = Server::before_reports(enterprise.issuer(), fields);
    let token = enterprise.mint().audience(RESOURCE).scope("mcp").client_id("app").sign();
    let caller = auth.authenticate(&token).await.unwrap();
    let given = auth.downstream("reports").token_for(&caller).await.unwrap();
    assert_eq!(claims(given.expose())["iss"], *realm.issuer);
    assert_eq!(claims(given.expose())["aud"], "reports-api");
    assert_eq!(enterprise.requests().id_jag, 1);
}

/// Makes an issuer one whose ID-JAGs are taken, and its alice ours.
async fn trust(enterprise: &DevIssuer) {
    let issuer = enterprise.issuer();
    let admin = Admin::sign_in().await;
    let provider = json!({
        "alias": "enterprise",
        "providerId": "oidc",
        "enabled": true,
        "config": {
            "issuer": issuer,
            "authorizationUrl": format!("{issuer}/authorize"),
            "tokenUrl": format!("{issuer}/token"),
            "jwksUrl": enterprise.jwks_uri(),
            "useJwksUrl": "true",
            "validateSignature": "true",
            "clientId": "keycloak",
            "clientSecret": "not used",
            "jwtAuthorizationGrantEnabled": "true",
            "jwtAuthorizationGrantAssertionReuseAllowed": "false",
            "jwtAuthorizationGrantMaxAllowedAssertionExpiration": "300",
        },
    });
    admin.post("mcp/identity-provider/instances", provider).await;
    let alice = admin.get("mcp/users?username=alice&exact=true").await;
    let path = format!("mcp/users/{}/federated-identity/enterprise", text(&alice[0]["id"]));
    admin.post(&path, json!({ "userId": "alice", "userName": "alice" })).await;
}
