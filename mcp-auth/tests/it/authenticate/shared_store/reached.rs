//! How Redis is reached: over TLS, and by files that change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dev_issuer::DevIssuer;
use mcp_auth::Config;
use mcp_auth::revocation::Revocation;
use mcp_auth::settings::{RedisConfig, SharedStoreConfig};

use super::{Instance, mint, redis_store};
use crate::support::RESOURCE;
use crate::support::log::Log;
use crate::support::redis::{Redis, wait_until};

fn with_authority(issuer: &DevIssuer, url: &str, authority: Option<PathBuf>) -> Config {
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let mut store = redis_store(url);
    // TLS without optimization takes a second on a busy machine.
    store.timeout = Duration::from_secs(30);
    config.shared_store = Some(store);
    config.ca_files.extend(authority);
    config
}

fn with_url_file(issuer: &DevIssuer, file: &Path) -> Config {
    let mut redis = RedisConfig::default();
    redis.url_file = Some(file.to_owned());
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.shared_store = Some(SharedStoreConfig::redis(redis));
    config
}

fn revocation(issuer: &DevIssuer, subject: &str) -> Revocation {
    Revocation::of_subject(issuer.issuer(), subject)
}

#[tokio::test]
async fn over_tls_instances_hear_of_each_other() {
    let Some(redis) = Redis::start_with_tls().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port());
    let config = with_authority(&issuer, &url, Some(redis.authority()));
    let (a, b) = (Instance::of(config.clone()).await, Instance::of(config).await);
    let alice = mint(&issuer, "alice").sign();
    assert_eq!([a.status(&alice).await, b.status(&alice).await], [200, 200]);
    a.auth.revoke_everywhere(revocation(&issuer, "alice")).await.unwrap();
    b.wait_for(&alice, 401).await;
    assert_eq!(b.status(&mint(&issuer, "bob").sign()).await, 200);
}

#[tokio::test]
async fn a_redis_that_no_trusted_authority_vouches_for_is_no_redis() {
    let (Some(redis), Some(other)) = (Redis::start_with_tls().await, Redis::start_with_tls().await)
    else {
        return;
    };
    let issuer = DevIssuer::start().await.unwrap();
    let port = redis.tls_port();
    let url = format!("rediss://127.0.0.1:{port}");
    let rows = [
        ("another authority", url.clone(), Some(other.authority())),
        ("those of the system", url, None),
        ("another name", format!("rediss://localhost:{port}"), Some(redis.authority())),
        ("without TLS", format!("redis://127.0.0.1:{port}"), Some(redis.authority())),
    ];
    for (name, address, authority) in rows {
        let instance = Instance::of(with_authority(&issuer, &address, authority)).await;
        assert_eq!(instance.status(&mint(&issuer, "alice").sign()).await, 503, "{name}");
        let told = instance.auth.revoke_everywhere(revocation(&issuer, "alice")).await;
        assert!(told.is_err(), "{name}");
    }
}

#[tokio::test]
async fn an_authority_that_is_replaced_counts_after_a_reload() {
    let (Some(redis), Some(other)) = (Redis::start_with_tls().await, Redis::start_with_tls().await)
    else {
        return;
    };
    let issuer = DevIssuer::start().await.unwrap();
    let (url, file) =
        (format!("rediss://127.0.0.1:{}", redis.tls_port()), redis.file("trusted.pem"));
    fs::copy(other.authority(), &file).unwrap();
    let config = with_authority(&issuer, &url, Some(file.clone()));
    let instance = Instance::of(config.clone()).await;
    let token = mint(&issuer, "alice").sign();
    assert_eq!(instance.status(&token).await, 503);
    fs::copy(redis.authority(), &file).unwrap();
    assert_eq!(instance.status(&token).await, 503, "not before");
    instance.auth.reload(config).unwrap();
    instance.wait_for(&token, 200).await;
}

#[tokio::test]
async fn a_password_that_is_replaced_in_a_file_counts_after_a_reload() {
    Log::start();
    let Some(redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let write = |password: &str| {
        let url = format!("{}?user=app&pass={password}", redis.url());
        fs::write(redis.file("url"), url).unwrap();
    };
    let set_password = async |password: &str| {
        let given = format!(">{password}");
        let user = ["ACL", "SETUSER", "app", "on", "resetpass", &given, "~*", "&*", "+@all"];
        let _: String = redis.ask(&user).await.unwrap();
    };
    write("hush-1");
    set_password("hush-1").await;
    let config = with_url_file(&issuer, &redis.file("url"));
    let (a, b) = (Instance::of(config.clone()).await, Instance::of(config.clone()).await);
    let (alice, bob) = (mint(&issuer, "alice").sign(), mint(&issuer, "bob").sign());
    for instance in [&a, &b] {
        assert_eq!([instance.status(&alice).await, instance.status(&bob).await], [200, 200]);
    }
    set_password("hush-2").await;
    let _: u64 = redis.ask(&["CLIENT", "KILL", "USER", "app"]).await.unwrap();
    wait_until(async || Log::peek().contains("the shared store is away")).await;
    a.auth.revoke(revocation(&issuer, "alice"));
    write("hush-2");
    for instance in [&a, &b] {
        instance.auth.reload(config.clone()).unwrap();
    }
    b.wait_for(&alice, 401).await;
    assert_eq!(b.status(&bob).await, 200);
    assert!(!Log::take().contains("hush"));
}

#[tokio::test]
async fn another_redis_that_a_file_names_is_told_everything_after_a_reload() {
    let (Some(first), Some(second)) = (Redis::start().await, Redis::start().await) else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let file = first.file("url");
    fs::write(&file, first.url()).unwrap();
    let config = with_url_file(&issuer, &file);
    let a = Instance::of(config.clone()).await;
    let alice = mint(&issuer, "alice").sign();
    assert_eq!(a.status(&alice).await, 200);
    a.auth.revoke_everywhere(revocation(&issuer, "alice")).await.unwrap();
    fs::write(&file, format!("{}\n", second.url())).unwrap();
    a.auth.reload(config.clone()).unwrap();
    wait_until(async || Instance::of(config.clone()).await.status(&alice).await == 401).await;
    // A file that cannot be read changes nothing.
    fs::remove_file(&file).unwrap();
    assert!(a.auth.reload(config).is_err());
    a.auth.revoke_everywhere(revocation(&issuer, "bob")).await.unwrap();
    let b = Instance::start(&issuer, &second).await;
    b.wait_for(&mint(&issuer, "bob").sign(), 401).await;
}
