//! Grants in Redis.

use serde_json::json;

use super::Server;
use crate::support::redis::Redis;

#[tokio::test]
async fn instances_share_grants_by_redis_and_an_outage_is_an_outage() {
    let Some(mut redis) = Redis::start().await else { return };
    let url = redis.url();
    let in_redis = |data: &mut serde_json::Value| {
        data["connect"]["folder"] = json!(null);
        data["connect"]["redis"] = json!({ "url": url });
    };
    let server = Server::with(in_redis).await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    let other = server.another_instance(in_redis);
    let caller = server.caller("alice").await;
    let github = other.downstream("github");
    let token = github.token_for(&caller).await.unwrap();
    assert_eq!(server.token("alice").await.unwrap(), token.expose());
    assert!(!server.is_connected("bob").await);
    redis.stop();
    assert_eq!(server.token("alice").await.unwrap_err().code(), "downstream_unavailable");
    redis.begin().await;
    assert_eq!(server.token("alice").await.unwrap(), token.expose());
    server.clock.advance(28_800);
    assert_ne!(server.token("alice").await.unwrap(), token.expose());
    github.disconnect(&caller).await.unwrap();
    server.link_for("alice").await;
}
