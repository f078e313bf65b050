//! Limits that several instances count together.

use std::time::Duration;

use dev_issuer::DevIssuer;
use mcp_auth::Config;
use mcp_auth::settings::{FailureLimit, Limits};

use super::{Instance, mint, redis_store};
use crate::support::RESOURCE;
use crate::support::log::Log;
use crate::support::redis::{Redis, wait_until};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// So many refusals a day, for each address and for each caller.
fn config(issuer: &DevIssuer, redis: &Redis, count: u32) -> Config {
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.shared_store = Some(redis_store(redis.url()));
    config.limits.failures_per_address = Some(FailureLimit::new(count, DAY));
    config.limits.failures_per_principal = Some(FailureLimit::new(count, DAY));
    config.limits.trusted_proxies = vec!["127.0.0.1".to_owned()];
    config.with_required_scopes(["mcp"])
}

/// A request of this address.
async fn status(instance: &Instance, address: &str, token: &str) -> u16 {
    let request = instance.client.get(&instance.url).bearer_auth(token);
    request.header("x-forwarded-for", address).send().await.unwrap().status().as_u16()
}

/// One that allows a single refusal, and one that by itself would never refuse as often as it is asked here.
struct Two {
    issuer: DevIssuer,
    redis: Redis,
    strict: Instance,
    lax: Instance,
}

impl Two {
    async fn start() -> Option<Self> {
        let redis = Redis::start().await?;
        let issuer = DevIssuer::start().await.unwrap();
        let strict = Instance::of(config(&issuer, &redis, 1)).await;
        let lax = Instance::of(config(&issuer, &redis, 100_000)).await;
        Some(Self { issuer, redis, strict, lax })
    }

    /// Waits until the budget of this sender is used up on the other instance too, which has to hear of it once.
    async fn wait_until_used_up(&self, address: &str, token: &str) {
        wait_until(async || status(&self.lax, address, token).await == 429).await;
    }
}

#[tokio::test]
async fn an_address_has_one_budget_on_all_instances() {
    let Some(two) = Two::start().await else { return };
    for address in ["203.0.113.1", "2001:db8::1"] {
        assert_eq!(status(&two.strict, address, "no-token").await, 401);
        assert_eq!(status(&two.strict, address, "no-token").await, 429);
        two.wait_until_used_up(address, "no-token").await;
        // Of the same /64, another forged token, and one that is good all the same.
        let forged = two.issuer.mint().broken(dev_issuer::Broken::Signature).sign();
        assert_eq!(status(&two.lax, address, &forged).await, 429);
        let good = mint(&two.issuer, "alice").scope("mcp").sign();
        for instance in [&two.strict, &two.lax] {
            assert_eq!(status(instance, address, &good).await, 200, "new, and then known");
        }
    }
    two.wait_until_used_up("2001:db8::2", "no-token").await;
    assert_eq!(status(&two.lax, "203.0.113.2", "no-token").await, 401, "another address");
}

#[tokio::test]
async fn a_caller_has_one_budget_on_all_instances_and_a_token_too() {
    let Some(two) = Two::start().await else { return };
    let may_not = |subject| mint(&two.issuer, subject).scope("other").sign();
    assert_eq!(status(&two.strict, "203.0.113.1", &may_not("alice")).await, 403);
    // Wherever they come from, and with whatever token.
    assert_eq!(status(&two.strict, "203.0.113.2", &may_not("alice")).await, 429);
    two.wait_until_used_up("203.0.113.3", &may_not("alice")).await;
    assert_eq!(status(&two.lax, "203.0.113.3", &may_not("bob")).await, 403);
    let good = mint(&two.issuer, "alice").scope("mcp").sign();
    assert_eq!(status(&two.lax, "203.0.113.3", &good).await, 200);

    let expired = |subject| mint(&two.issuer, subject).expires_in(100).sign();
    let (of_carol, of_dave) = (expired("carol"), expired("dave"));
    assert_eq!(status(&two.strict, "203.0.113.4", &of_carol).await, 401);
    assert_eq!(status(&two.strict, "203.0.113.4", &of_carol).await, 429);
    two.wait_until_used_up("203.0.113.4", &of_carol).await;
    assert_eq!(status(&two.lax, "203.0.113.4", &of_dave).await, 401);

    let keys: Vec<String> = two.redis.ask(&["KEYS", "*:failures:*"]).await.unwrap();
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys {
        let hash = key.strip_prefix("{mcp-auth:1}:failures:").unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
        let seconds: u64 = two.redis.ask(&["TTL", &key]).await.unwrap();
        assert!(seconds <= DAY.as_secs(), "{key}: {seconds}");
    }
}

#[tokio::test]
async fn nothing_counts_for_longer_than_the_limit_says_whatever_redis_holds() {
    let Some(two) = Two::start().await else { return };
    assert_eq!(status(&two.strict, "203.0.113.1", "no-token").await, 401);
    let keys = async || two.redis.ask::<Vec<String>>(&["KEYS", "*:failures:*"]).await.unwrap();
    wait_until(async || keys().await.len() == 1).await;
    let key = keys().await.remove(0);
    // As if Redis' clock had been set back since: nobody is refused for longer than the limit says.
    let _: String = two.redis.ask(&["SET", &key, "9000000000000000"]).await.unwrap();
    two.wait_until_used_up("203.0.113.1", "no-token").await;
    let seconds: u64 = two.redis.ask(&["TTL", &key]).await.unwrap();
    assert!(seconds <= DAY.as_secs(), "{seconds}");
}

#[tokio::test]
async fn while_redis_is_away_each_instance_counts_for_itself_and_says_so() {
    Log::start();
    let Some(mut two) = Two::start().await else { return };
    two.redis.stop();
    assert_eq!(status(&two.strict, "203.0.113.1", "no-token").await, 401);
    assert_eq!(status(&two.strict, "203.0.113.1", "no-token").await, 429);
    for _ in 0..10 {
        assert_eq!(status(&two.lax, "203.0.113.1", "no-token").await, 401);
    }
    wait_until(async || Log::peek().contains("each instance counts for its limits alone")).await;
    two.redis.begin().await;
    let mut next = 0_u32;
    wait_until(async || {
        next += 1;
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + next).to_string();
        assert_eq!(status(&two.lax, &address, "no-token").await, 401);
        Log::peek().contains("limits are counted together")
    })
    .await;
    // A Redis that has forgotten counts anew.
    let _: () = two.redis.ask(&["FLUSHALL"]).await.unwrap();
    assert_eq!(status(&two.strict, "203.0.113.9", "no-token").await, 401);
    two.wait_until_used_up("203.0.113.9", "no-token").await;
}

#[tokio::test]
async fn limits_that_a_reload_changes_are_counted_together_as_well() {
    let Some(two) = Two::start().await else { return };
    let mut changed = config(&two.issuer, &two.redis, 1);
    changed.limits = Limits::default();
    two.lax.auth.reload(changed).unwrap();
    two.lax.auth.reload(config(&two.issuer, &two.redis, 100_000)).unwrap();
    assert_eq!(status(&two.strict, "203.0.113.1", "no-token").await, 401);
    two.wait_until_used_up("203.0.113.1", "no-token").await;
}
