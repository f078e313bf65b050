//! Who has answered: an authorization server that is another one than that where the user was sent.

use dev_issuer::{DevClient, DevIssuer};
use mcp_auth::downstream::DownstreamError;
use serde_json::{Map, Value, json};

use super::{Browser, Server};
use crate::support::log::Log;

/// An issuer with our client, whose metadata says whether it names itself in its answers. It always does.
async fn issuer(names_itself: bool) -> DevIssuer {
    let mut changed = Map::new();
    let member = "authorization_response_iss_parameter_supported";
    changed.insert(member.to_owned(), json!(names_itself));
    let builder = DevIssuer::builder().clients([DevClient::new("us").secret("our-secret")]);
    let approving = builder
        .auto_approve(true)
        .any_scope(true)
        .default_audience("elsewhere")
        .metadata_override(changed);
    approving.start().await.unwrap()
}

/// The URL without its `iss`, which is the last parameter.
fn without_iss(url: &str) -> String {
    url.split_once("&iss=").unwrap().0.to_owned()
}

fn trust(data: &mut Value, issuer: &DevIssuer) {
    let servers = &mut data["resources"][0]["authorization_servers"];
    servers.as_array_mut().unwrap().push(json!(issuer.issuer()));
}

#[tokio::test]
async fn a_provider_that_names_itself_must_do_so_in_each_answer() {
    for names_itself in [true, false] {
        let provider = issuer(names_itself).await;
        let server = Server::with(|data| {
            trust(data, &provider);
            data["downstreams"]["github"] = json!({
                "grant": "authorization_code", "issuer": provider.issuer(),
                "client_id": "us", "client_secret": "our-secret", "scopes": ["repo"],
            });
        })
        .await;
        let rows = [("bob", false, true), ("alice", true, false), ("bob", false, false)];
        for (user, is_missing, is_other) in rows {
            let link = server.link_for(user).await;
            let mut browser = Browser::of(&server, user);
            let answer = browser.walk_to_page("callback", &link.url).await;
            let is_refused = is_other || (is_missing && names_itself);
            let asked = provider.requests().token;
            let changed = match (is_missing, is_other) {
                (true, _) => without_iss(&answer),
                (_, true) => format!("{}&iss=https%3A%2F%2Fevil.example", without_iss(&answer)),
                _ => answer,
            };
            let page = browser.get(&changed).await;
            assert_eq!(page.status, if is_refused { 400 } else { 200 }, "{changed}");
            assert_eq!(server.is_connected(user).await, !is_refused);
            assert_eq!(provider.requests().token, asked + u64::from(!is_refused), "{changed}");
        }
    }
}

#[tokio::test]
async fn where_users_sign_in_at_several_issuers_each_must_name_itself() {
    Log::start();
    let (quiet, other) = (issuer(false).await, issuer(false).await);
    let server = Server::with(|data| {
        trust(data, &quiet);
        trust(data, &other);
        for one in [&quiet, &other] {
            let sign_in =
                json!({ "issuer": one.issuer(), "client_id": "us", "client_secret": "our-secret" });
            data["connect"]["sign_in"].as_array_mut().unwrap().push(sign_in);
        }
    })
    .await;
    let token = quiet.mint().subject("alice").audience(crate::support::RESOURCE).client_id("app");
    let caller = server.auth.authenticate(&token.sign()).await.unwrap();
    for is_missing in [true, false] {
        let answer = server.github().token_for(&caller).await;
        let Err(DownstreamError::AuthorizationRequired(link)) = answer else { panic!("no link") };
        let mut browser = Browser::of(&server, "alice");
        quiet.issuer().clone_into(&mut browser.issuer);
        let answer = browser.walk_to_page("signed-in", &link.url).await;
        let sent = if is_missing { without_iss(&answer) } else { answer };
        let page = browser.get(&sent).await;
        assert_eq!(page.status, if is_missing { 400 } else { 302 }, "{}", page.body);
    }
    let log = Log::take();
    assert!(log.contains("with several issuers in `sign_in`"), "{log}");
    assert_eq!((quiet.requests().token, other.requests().token), (1, 0));
}

#[tokio::test]
async fn an_id_token_is_signed_as_access_tokens_are() {
    for (algorithms, status) in [(json!(["ES384"]), 502), (json!([]), 302)] {
        let server = Server::with(|data| {
            // What one resource says of the issuer counts, whatever another one says.
            let mut other = data["resources"][0].clone();
            other["resource"] = json!("https://mcp.example.com/other");
            let issuer = data["connect"]["sign_in"][0]["issuer"].clone();
            other["authorization_servers"] =
                json!([{ "issuer": issuer, "algorithms": algorithms }]);
            data["resources"].as_array_mut().unwrap().push(other);
        })
        .await;
        let link = server.link_for("alice").await;
        let mut browser = Browser::of(&server, "alice");
        let answer = browser.walk_to_page("signed-in", &link.url).await;
        assert_eq!(browser.get(&answer).await.status, status, "{algorithms}");
    }
}
