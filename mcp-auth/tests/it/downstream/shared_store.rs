//! What is revoked on other instances counts for tokens for other APIs too.

use std::time::Duration;

use futures_util::FutureExt as _;
use mcp_auth::McpAuth;
use mcp_auth::shared_store::{
    Followed, Loaded, SharedCutoff, SharedStore, StoreFault, StoreFuture,
};

use super::{Calling, config, reports};

/// Nobody reaches it.
struct Away;

impl SharedStore for Away {
    fn put<'s>(&'s self, _: &'s [SharedCutoff]) -> StoreFuture<'s, ()> {
        async { Err(StoreFault::new("it is away")) }.boxed()
    }

    fn load(&self) -> StoreFuture<'_, Loaded> {
        async { Err(StoreFault::new("it is away")) }.boxed()
    }

    fn follow<'s>(&'s self, _: &'s str, _: Duration) -> StoreFuture<'s, Followed> {
        async { Err(StoreFault::new("it is away")) }.boxed()
    }

    fn first_time<'s>(&'s self, _: &'s str, _: Duration) -> StoreFuture<'s, bool> {
        async { Err(StoreFault::new("it is away")) }.boxed()
    }
}

#[tokio::test]
async fn while_it_is_not_known_what_others_have_revoked_nobody_gets_a_token() {
    let calling = Calling::start().await;
    // Let in while the store was there, and still at work.
    let alice = calling.caller("alice").await;
    let issuer = calling.issuer.issuer();
    let auth = McpAuth::builder(config(issuer, reports(issuer))).shared_store(Away);
    let auth = auth.build().unwrap();
    let api = auth.downstream("reports");
    assert!(api.token_at_once(&alice).unwrap().is_none());
    let error = api.token_for(&alice).await.unwrap_err();
    assert_eq!((error.code(), error.status().as_u16()), ("downstream_unavailable", 503));
    assert_eq!(calling.asked(), 0);
}
