//! What happens to the issuer meanwhile: it rotates its keys, and fails in every way that it can.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dev_issuer::Mode;
use fastrand::Rng;

use crate::world::World;

/// One thing after the other until the run ends, and a calm time between them, in which everything must work.
pub(crate) async fn run(world: Arc<World>, mut chance: Rng) {
    let mut calm = Duration::from_secs(3);
    loop {
        for disturbance in [rotate, fail, drop_old_keys] {
            let has_ended = pause(&world, calm).await;
            // Longer than servers take to recover, so that there are times in which everything must work.
            calm = Duration::from_secs(22);
            if has_ended {
                world.issuer.set_mode(Mode::Online);
                return;
            }
            disturbance(&world, &mut chance);
            if world.is_failing() && !pause(&world, Duration::from_secs(2)).await {
                // Nobody gets the new keys before it is back.
                rotate(&world, &mut chance);
                pause(&world, Duration::from_secs(1)).await;
            }
            world.issuer.set_mode(Mode::Online);
            world.set_failing(false);
            world.change();
        }
    }
}

/// Waits; whether the run has ended.
async fn pause(world: &World, time: Duration) -> bool {
    let step = Duration::from_millis(100);
    let mut left = time;
    while left > Duration::ZERO && !world.stop.load(Ordering::SeqCst) {
        tokio::time::sleep(step).await;
        left = left.saturating_sub(step);
    }
    world.stop.load(Ordering::SeqCst)
}

fn rotate(world: &World, _chance: &mut Rng) {
    world.change();
    world.issuer.rotate_keys();
    world.key.fetch_add(1, Ordering::SeqCst);
    world.count("rotations");
}

fn drop_old_keys(world: &World, _chance: &mut Rng) {
    world.change();
    let next = world.key.load(Ordering::SeqCst) + 1;
    // First, so that nobody expects anything of tokens that are old from now on.
    world.oldest_key.store(next, Ordering::SeqCst);
    world.issuer.rotate_keys_and_drop_old();
    world.key.store(next, Ordering::SeqCst);
    world.count("rotations without the old keys");
}

fn fail(world: &World, chance: &mut Rng) {
    world.change();
    world.set_failing(true);
    let modes = [Mode::Offline, Mode::Hang, Mode::Garbage, Mode::Status(500)];
    world.issuer.set_mode(modes[chance.usize(..modes.len())]);
    world.count("outages");
}
