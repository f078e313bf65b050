//! The vault of several instances: Redis.

use futures_util::FutureExt as _;

use super::{GrantVault, VaultFault, VaultFuture};
use crate::shared_store::{RedisTexts, StoreFault};

/// Grants in Redis.
pub(crate) struct RedisVault(pub(crate) RedisTexts);

impl GrantVault for RedisVault {
    fn load<'v>(&'v self, name: &'v str) -> VaultFuture<'v, Option<String>> {
        async move { self.0.load(name).await.map_err(|fault| fault_of(&fault)) }.boxed()
    }

    fn replace<'v>(
        &'v self,
        name: &'v str,
        expected: Option<&'v str>,
        new: Option<&'v str>,
    ) -> VaultFuture<'v, bool> {
        async move {
            let replaced = self.0.replace(name, expected, new).await;
            replaced.map_err(|fault| fault_of(&fault))
        }
        .boxed()
    }
}

fn fault_of(fault: &StoreFault) -> VaultFault {
    VaultFault::new(format!("the Redis with the grants: {fault}"))
}
