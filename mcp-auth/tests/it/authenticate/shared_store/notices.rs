//! What an issuer tells one instance.

use dev_issuer::DevIssuer;
use mcp_auth::settings::BackChannelLogout;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::json;

use super::{mint, redis_store};
use crate::support::redis::{Redis, wait_until};
use crate::support::{RESOURCE, echo, request, send};

const LOGOUT: &str = "/backchannel-logout";

/// An instance that accepts logout tokens.
fn instance(issuer: &DevIssuer, redis: &Redis) -> McpAuth {
    let mut trusted = AuthorizationServer::new(issuer.issuer());
    trusted.back_channel_logout = Some(BackChannelLogout::new(["our-client"]));
    let mut config =
        Config::default().protect_resource(ProtectedResource::new(RESOURCE, [trusted]));
    config.shared_store = Some(redis_store(redis.url()));
    McpAuth::new(config).unwrap()
}

async fn log_out(auth: &McpAuth, token: &str) -> u16 {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut posted = request("POST", LOGOUT, &form);
    *posted.body_mut() = format!("logout_token={token}").into();
    send(auth.protect(echo()), posted).await.status.as_u16()
}

async fn code(auth: &McpAuth, token: &str) -> &'static str {
    let bearer = format!("Bearer {token}");
    let asked = request("POST", "/mcp", &[("authorization", &bearer)]);
    send(auth.protect(echo()), asked).await.code()
}

#[tokio::test]
async fn a_notice_counts_once_on_all_instances() {
    let Some(mut redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let (a, b) = (instance(&issuer, &redis), instance(&issuer, &redis));
    let alice = mint(&issuer, "alice").sign();
    let carol = mint(&issuer, "carol").sign();
    for auth in [&a, &b] {
        assert_eq!([code(auth, &alice).await, code(auth, &carol).await], ["ok", "ok"]);
    }
    let logout = |subject: &str, id: &str| {
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        let token = issuer.mint().header("typ", "logout+jwt").audience("our-client");
        let of_whom = token.subject(subject).without("client_id").expires_in(100);
        of_whom.claim("jti", id).claim("events", events).sign()
    };
    let of_alice = logout("alice", "l-1");
    assert_eq!(log_out(&a, &of_alice).await, 200);
    wait_until(async || code(&b, &alice).await == "revoked").await;
    assert_eq!([log_out(&a, &of_alice).await, log_out(&b, &of_alice).await], [400, 400]);
    // While nobody can tell, it is carried out and may come again.
    redis.stop();
    let of_carol = logout("carol", "l-2");
    assert_eq!(log_out(&a, &of_carol).await, 503);
    assert_eq!([code(&a, &carol).await, code(&b, &carol).await], ["revoked", "ok"]);
    redis.begin().await;
    wait_until(async || log_out(&a, &of_carol).await == 200).await;
    wait_until(async || code(&b, &carol).await == "revoked").await;
}

#[tokio::test]
async fn a_key_is_seen_for_the_first_time_once() {
    let Some(mut redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let (a, b) = (instance(&issuer, &redis), instance(&issuer, &redis));
    let keep = std::time::Duration::from_secs(60);
    for (auth, key, expected) in
        [(&a, "one", true), (&b, "one", false), (&a, "one", false), (&b, "two", true)]
    {
        assert_eq!(auth.first_time(key, keep).await, Some(Ok(expected)), "{key}");
    }
    redis.stop();
    assert!(a.first_time("three", keep).await.unwrap().is_err());
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    assert_eq!(McpAuth::new(config).unwrap().first_time("one", keep).await, None);
}
