//! Another configuration, again and again. What it changes makes no difference to what any answer may be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mcp_auth::AuthorizationServer;

use crate::world::{World, config};

/// Time between two of one instance.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn run(world: Arc<World>) {
    let mut number = 0_u64;
    while !world.stop.load(Ordering::SeqCst) {
        tokio::time::sleep(PAUSE).await;
        number += 1;
        for instance in &world.instances {
            let mut another = config(world.issuer.issuer());
            let resource = &mut another.resources[0];
            resource.resource_name = Some(format!("Notes {number}"));
            if number.is_multiple_of(2) {
                let unused = AuthorizationServer::new("https://unused.example.com");
                resource.authorization_servers.insert(0, unused);
            }
            match instance.auth.reload(another) {
                Ok(()) => world.count("reloads"),
                Err(error) => world.fault(error.to_string()),
            }
        }
    }
}
