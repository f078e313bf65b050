//! What HTTP sees: challenges, origins, limits, bodies, metadata, what is logged, and a new configuration.

mod challenge;
mod cors;
mod failure_limits;
mod limits;
mod logging;
mod notices;
mod reload;
mod request_bodies;
mod sealed_handles;
mod seen_tokens;
mod sessions;
mod transition;
