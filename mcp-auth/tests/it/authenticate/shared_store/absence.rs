//! Redis is stopped, held, back, and without its memory.

use std::time::Duration;

use dev_issuer::DevIssuer;
use mcp_auth::revocation::Revocation;

use super::{EVENT, Instance, RETRY, mint, redis_store};
use crate::support::log::Log;
use crate::support::redis::{Redis, wait_until};

/// Two instances that follow one Redis.
struct Two {
    issuer: DevIssuer,
    redis: Redis,
    a: Instance,
    b: Instance,
}

impl Two {
    async fn start() -> Option<Self> {
        let redis = Redis::start().await?;
        Some(Self::around(redis).await)
    }

    async fn around(redis: Redis) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let a = Instance::start(&issuer, &redis).await;
        let b = Instance::start(&issuer, &redis).await;
        a.auth.ready().await.unwrap();
        b.auth.ready().await.unwrap();
        Self { issuer, redis, a, b }
    }

    fn token(&self, subject: &str) -> String {
        mint(&self.issuer, subject).expires_in(7200).sign()
    }

    /// What an instance says that knows nothing but from Redis.
    async fn status_of_new_instance(&self, subject: &str) -> u16 {
        let new = Instance::start(&self.issuer, &self.redis).await;
        new.status(&self.token(subject)).await
    }

    fn revocation(&self, subject: &str) -> Revocation {
        Revocation::of_subject(self.issuer.issuer(), subject)
    }
}

#[tokio::test]
async fn what_is_known_counts_while_redis_is_away_and_then_nothing_does_until_it_is_back() {
    for stop in [Redis::stop, |redis: &mut Redis| redis.hold()] {
        let Some(mut two) = Two::start().await else { return };
        let (alice, bob, carol) = (two.token("alice"), two.token("bob"), two.token("carol"));
        two.a.auth.revoke(two.revocation("alice"));
        two.b.wait_for(&alice, 401).await;
        assert_eq!([two.b.status(&bob).await, two.b.status(&carol).await], [200, 200]);
        stop(&mut two.redis);
        let told = two.a.auth.revoke_everywhere(two.revocation("bob")).await;
        assert!(told.is_err());
        // At once where it was said, and not yet elsewhere.
        assert_eq!(two.a.status(&bob).await, 401);
        for _ in 0..3 {
            let statuses = [two.b.status(&alice).await, two.b.status(&bob).await];
            assert_eq!(statuses, [401, 200], "what was known still counts");
        }
        let stream = two.b.get(&carol).await;
        // It has noticed, so that what counts is counted from before.
        two.b.clock.advance(301);
        two.b.wait_for(&carol, 503).await;
        assert_eq!([two.b.status(&carol).await, two.b.status(&alice).await], [503, 401]);
        drop(stream);
        match two.redis.is_stopped() {
            true => two.redis.begin().await,
            false => two.redis.go_on(),
        }
        two.b.wait_for(&carol, 200).await;
        two.b.wait_for(&bob, 401).await;
        assert_eq!([two.b.status(&alice).await, two.a.status(&carol).await], [401, 200]);
    }
}

#[tokio::test]
async fn an_instance_that_starts_while_redis_is_away_refuses_until_it_is_there() {
    for stop in [Redis::stop, |redis: &mut Redis| redis.hold()] {
        let Some(mut redis) = Redis::start().await else { return };
        let issuer = DevIssuer::start().await.unwrap();
        stop(&mut redis);
        let instance = Instance::start(&issuer, &redis).await;
        let token = mint(&issuer, "alice").sign();
        let answer = instance.get(&token).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert!(instance.auth.ready().await.is_err());
        match redis.is_stopped() {
            true => redis.begin().await,
            false => redis.go_on(),
        }
        instance.wait_for(&token, 200).await;
    }
}

/// By a clock that nobody sets: the other one stands still.
#[tokio::test]
async fn streams_end_when_nobody_can_tell_any_more() {
    let Some(mut redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let mut store = redis_store(redis.url());
    store.max_stale = Duration::from_secs(5);
    let instance = Instance::with(&issuer, store).await;
    let token = mint(&issuer, "alice").expires_in(7200).sign();
    let stream = instance.get(&token).await;
    assert_eq!(stream.status(), 200);
    redis.stop();
    assert_eq!(stream.text().await.unwrap(), format!("{EVENT}{RETRY}"));
    assert_eq!(instance.status(&token).await, 503);
}

#[tokio::test]
async fn a_redis_that_has_forgotten_is_told_again() {
    // Stopped without its memory, and emptied while it runs.
    let Some(redis) = Redis::start_forgetful().await else { return };
    let mut two = Two::around(redis).await;
    let alice = two.token("alice");
    two.a.auth.revoke(two.revocation("alice"));
    two.b.wait_for(&alice, 401).await;
    two.redis.stop();
    two.a.auth.revoke(two.revocation("bob"));
    two.redis.begin().await;
    for subject in ["bob", "alice"] {
        wait_until(async || two.status_of_new_instance(subject).await == 401).await;
    }
    let _: String = two.redis.ask(&["FLUSHALL"]).await.unwrap();
    two.b.auth.revoke(two.revocation("carol"));
    two.a.wait_for(&two.token("carol"), 401).await;
    for subject in ["bob", "alice"] {
        wait_until(async || two.status_of_new_instance(subject).await == 401).await;
    }
}

/// Whoever revokes need not serve anybody: no request has made it follow Redis.
#[tokio::test]
async fn a_redis_that_forgets_before_the_first_request_is_told_again() {
    let Some(redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let revoking = Instance::start(&issuer, &redis).await;
    let alice = Revocation::of_subject(issuer.issuer(), "alice");
    revoking.auth.revoke_everywhere(alice).await.unwrap();
    let _: String = redis.ask(&["FLUSHALL"]).await.unwrap();
    let token = mint(&issuer, "alice").sign();
    wait_until(async || Instance::start(&issuer, &redis).await.status(&token).await == 401).await;
}

/// As when a replica takes over that lacks the last changes, or a Redis breaks down before they are on its disk.
#[tokio::test]
async fn a_redis_that_has_lost_its_last_changes_is_told_them_again() {
    let Some(two) = Two::start().await else { return };
    two.a.auth.revoke(two.revocation("alice"));
    two.b.wait_for(&two.token("alice"), 401).await;
    let before: String = two.redis.ask(&["GET", "{mcp-auth:1}:number"]).await.unwrap();
    two.a.auth.revoke(two.revocation("bob"));
    two.b.wait_for(&two.token("bob"), 401).await;
    let kept: Vec<String> =
        two.redis.ask(&["ZRANGE", "{mcp-auth:1}:cutoffs", "0", "-1"]).await.unwrap();
    for line in kept.iter().filter(|line| line.ends_with(" bob")) {
        let _: u64 = two.redis.ask(&["ZREM", "{mcp-auth:1}:cutoffs", line]).await.unwrap();
    }
    let _: u64 = two.redis.ask(&["DEL", "{mcp-auth:1}:changes"]).await.unwrap();
    let _: String = two.redis.ask(&["SET", "{mcp-auth:1}:number", &before]).await.unwrap();
    assert_eq!(two.status_of_new_instance("bob").await, 200);
    // Whoever is connected notices it.
    let _: u64 = two.redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    wait_until(async || two.status_of_new_instance("bob").await == 401).await;
    two.a.auth.revoke(two.revocation("carol"));
    two.b.wait_for(&two.token("carol"), 401).await;
}

#[tokio::test]
async fn an_entry_that_nobody_can_read_is_as_an_absence() {
    let Some(two) = Two::start().await else { return };
    let alice = two.token("alice");
    assert_eq!(two.b.status(&alice).await, 200);
    let _: u64 =
        two.redis.ask(&["ZADD", "{mcp-auth:1}:cutoffs", "9999999999", "garbage"]).await.unwrap();
    let new = Instance::start(&two.issuer, &two.redis).await;
    assert_eq!(new.status(&alice).await, 503);
    let _: u64 = two.redis.ask(&["ZREM", "{mcp-auth:1}:cutoffs", "garbage"]).await.unwrap();
    new.wait_for(&alice, 200).await;
}

#[tokio::test]
async fn the_log_says_that_redis_is_away_and_not_the_password() {
    Log::start();
    let Some(mut redis) = Redis::start_with(true, "hush-1").await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let instance = Instance::start(&issuer, &redis).await;
    let token = mint(&issuer, "alice").sign();
    instance.wait_for(&token, 200).await;
    redis.stop();
    wait_until(async || Log::peek().contains("the shared store is away")).await;
    redis.begin().await;
    wait_until(async || Log::peek().contains("the shared store is there again")).await;
    let wrong = redis.url().replace("hush-1", "hush-2");
    let store = redis_store(wrong);
    assert!(!format!("{store:?}").contains("hush"));
    let refused = Instance::with(&issuer, store).await;
    assert_eq!(refused.status(&token).await, 503);
    let log = Log::take();
    assert!(log.contains("Password authentication failed"), "{log}");
    assert!(!log.contains("hush"), "{log}");
}
