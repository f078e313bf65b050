//! From no token to the claims of the user who signed in, with rmcp's own OAuth client.

use axum::Router;
use axum::routing::get;
use reqwest::{StatusCode, Url};
use rmcp::transport::auth::{
    AuthClient, AuthError, AuthorizationManager, AuthorizationRequest, OAuthState,
};
use rmcp::{ClientLifecycleMode, ServiceError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Kind, Server, call, lifecycles, serve};

const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";

#[tokio::test]
async fn bob_registers_signs_in_calls_a_tool_and_refreshes() {
    for lifecycle in lifecycles() {
        let server = Server::start("/mcp").await;
        let request = registration().with_challenge(challenge(&server, lifecycle.clone()).await);
        let http = sign_in(&server, request).await;
        let client = server.connect(http.clone(), lifecycle).await.unwrap();
        let claims = call(&client, "whoami").await.unwrap();
        assert_bob(&server, &claims);
        assert_eq!(claims["scope"], "mcp offline_access", "rmcp adds what the issuer supports");

        http.auth_manager.lock().await.refresh_token().await.unwrap();
        let refreshed = call(&client, "whoami").await.unwrap();
        assert_bob(&server, &refreshed);
        assert_ne!(refreshed["jti"], claims["jti"]);
        assert_eq!(refreshed["client_id"], claims["client_id"]);
        let requests = server.issuer.requests();
        assert_eq!((requests.register, requests.authorize, requests.token), (1, 2, 2));
    }
}

#[tokio::test]
async fn every_mount_is_found_with_and_without_its_challenge() {
    for path in ["", "/", "/mcp", "/mcp/", "/a/b"] {
        let server = Server::start(path).await;
        for request in [
            registration(),
            registration().with_challenge(challenge(&server, lifecycles()[0].clone()).await),
        ] {
            let http = sign_in(&server, request).await;
            let client = server.connect(http, lifecycles()[0].clone()).await.unwrap();
            assert_bob(&server, &call(&client, "whoami").await.unwrap());
        }
    }
}

/// The server's refusal makes rmcp refresh and repeat the request: nobody is asked again.
#[tokio::test]
async fn a_token_that_is_refused_is_refreshed_by_the_client() {
    for lifecycle in lifecycles() {
        let server = Server::start("/mcp").await;
        let http = sign_in(&server, registration()).await;
        let bob = server.connect(http, lifecycle.clone()).await.unwrap();
        let before = call(&bob, "whoami").await.unwrap();

        server.issuer.rotate_keys_and_drop_old();
        // A token with the new key makes the server forget the old one.
        let alice = server.connect_as("alice", lifecycle).await;
        assert_eq!(Kind::Tool.ask(&alice).await.unwrap(), "alice");

        let after = call(&bob, "whoami").await.unwrap();
        assert_bob(&server, &after);
        assert_ne!(after["jti"], before["jti"]);
        assert_eq!(server.issuer.requests().authorize, 2);
    }
}

/// Without a refresh token there is nothing to be done but ask: the challenge gets to the caller.
#[tokio::test]
async fn a_challenge_in_the_middle_of_a_session_reaches_the_caller() {
    for lifecycle in lifecycles() {
        let server = Server::start("/mcp").await;
        let bob = server.connect_as("bob", lifecycle.clone()).await;
        server.issuer.rotate_keys_and_drop_old();
        server.connect_as("alice", lifecycle).await;

        let refused = Kind::Tool.ask(&bob).await.unwrap_err();
        assert!(matches!(refused, ServiceError::TransportSend(_)), "{refused:?}");
        let challenge = refused.auth_challenge().unwrap();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
        assert!(challenge.contains("resource_metadata="), "{challenge}");
    }
}

/// rmcp 3.11 takes only an https URL as a client's metadata document (CIMD), and refuses http on
/// loopback even though the issuer would fetch it.
#[tokio::test]
async fn a_metadata_document_must_be_https_for_rmcp() {
    let server = Server::start("/mcp").await;
    let mut state = OAuthState::new(&server.resource, None).await.unwrap();
    let document = client_document().await;
    let refused =
        state.start_authorization(registration().with_client_metadata_url(&document)).await;
    let Err(AuthError::RegistrationFailed(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains(&document), "{reason}");

    // With an https URL it gets as far as a test without certificates can: to the browser.
    let document = "https://client.example/metadata.json";
    state.start_authorization(registration().with_client_metadata_url(document)).await.unwrap();
    let url = authorization_url(&state, &server).await;
    assert_eq!(param(&url, "client_id").as_deref(), Some(document));
    let requests = server.issuer.requests();
    assert_eq!((requests.register, requests.authorize), (0, 0), "nothing is registered");
}

/// The rest of that way: the document's URL given as the `client_id`, which is all that a client
/// sends of it. The issuer reads the document from a server on loopback.
#[tokio::test]
async fn a_client_known_by_its_document_signs_in_without_registration() {
    let server = Server::start("/mcp").await;
    let document = client_document().await;
    let request = AuthorizationRequest::new(REDIRECT_URI).with_preregistered_client(&document);
    let http = sign_in(&server, request).await;
    let client = server.connect(http.clone(), lifecycles()[1].clone()).await.unwrap();
    let claims = call(&client, "whoami").await.unwrap();
    assert_bob(&server, &claims);
    assert_eq!(claims["client_id"], document);

    http.auth_manager.lock().await.refresh_token().await.unwrap();
    let refreshed = call(&client, "whoami").await.unwrap();
    assert_bob(&server, &refreshed);
    assert_ne!(refreshed["jti"], claims["jti"]);
    assert_eq!(server.issuer.requests().register, 0);
}

/// A client that registers itself (RFC 7591).
pub(super) fn registration() -> AuthorizationRequest {
    AuthorizationRequest::new(REDIRECT_URI).with_client_name("rmcp")
}

/// What a client that knows nothing yet is told.
pub(super) async fn challenge(server: &Server, lifecycle: ClientLifecycleMode) -> String {
    let manager = AuthorizationManager::new(&server.resource).await.unwrap();
    let http = AuthClient::new(reqwest::Client::new(), manager);
    let refused = server.connect(http, lifecycle).await.err().unwrap();
    assert!(refused.is_authorization_required(), "{refused:?}");
    refused.auth_challenge().unwrap().to_owned()
}

/// The whole flow, with bob in front of the browser.
pub(super) async fn sign_in(
    server: &Server,
    request: AuthorizationRequest,
) -> AuthClient<reqwest::Client> {
    let mut state = OAuthState::new(&server.resource, None).await.unwrap();
    state.start_authorization(request).await.unwrap();
    let callback = approve(authorization_url(&state, server).await, "bob").await;
    assert!(callback.as_str().starts_with(REDIRECT_URI), "{callback}");
    assert_eq!(param(&callback, "iss").as_deref(), Some(server.issuer.issuer()));
    assert!(param(&callback, "code").is_some() && param(&callback, "state").is_some());
    state.handle_callback_url(callback.as_str()).await.unwrap();
    AuthClient::new(reqwest::Client::new(), state.into_authorization_manager().unwrap())
}

/// Where the user is sent, after a check of what the client asks for there.
async fn authorization_url(state: &OAuthState, server: &Server) -> Url {
    let url: Url = state.get_authorization_url().await.unwrap().parse().unwrap();
    assert!(url.as_str().starts_with(&format!("{}/authorize?", server.issuer.issuer())), "{url}");
    assert_eq!(param(&url, "code_challenge_method").as_deref(), Some("S256"));
    assert!(param(&url, "code_challenge").is_some());
    assert_eq!(param(&url, "resource").as_deref(), Some(&*server.resource));
    assert!(param(&url, "scope").unwrap().split(' ').any(|scope| scope == "mcp"));
    url
}

/// Goes through the consent page as this user; where the browser is sent back to.
pub(super) async fn approve(url: Url, user: &str) -> Url {
    let no_redirects = reqwest::redirect::Policy::none();
    let browser = reqwest::Client::builder().redirect(no_redirects).build().unwrap();
    let page = browser.get(url).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let html = page.text().await.unwrap();
    let [form] = html.split("<form").skip(1).collect::<Vec<_>>()[..] else { panic!("{html}") };

    let mut fields = Url::parse("http://form/").unwrap();
    fields.query_pairs_mut().append_pair("request", between(form, r#"name="request" value=""#));
    for scope in form.split(r#"type="checkbox" "#).skip(1) {
        fields.query_pairs_mut().append_pair("scope", between(scope, r#"name="scope" value=""#));
    }
    fields.query_pairs_mut().extend_pairs([("user", user), ("decision", "approve")]);
    let decided = browser
        .post(between(form, r#"action=""#))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(fields.query().unwrap().to_owned())
        .send()
        .await
        .unwrap();
    assert_eq!(decided.status(), StatusCode::SEE_OTHER);
    decided.headers()["location"].to_str().unwrap().parse().unwrap()
}

/// The text after `start` up to the next quotation mark.
fn between<'a>(html: &'a str, start: &str) -> &'a str {
    let (_, rest) = html.split_once(start).unwrap();
    rest.split_once('"').unwrap().0
}

pub(super) fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Serves the metadata document of a client (CIMD) on loopback; its URL.
async fn client_document() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/client.json", listener.local_addr().unwrap());
    let document =
        json!({ "client_id": url, "client_name": "rmcp", "redirect_uris": [REDIRECT_URI] });
    let answer = async move || axum::Json(document.clone());
    serve(listener, Router::new().route("/client.json", get(answer)));
    url
}

fn assert_bob(server: &Server, claims: &Value) {
    assert_eq!(claims["sub"], "bob");
    assert_eq!(claims["email"], "bob@example.com");
    assert_eq!(claims["iss"], server.issuer.issuer());
    assert_eq!(claims["aud"], server.resource);
}
