//! What HTTP sees: challenges, origins, limits, bodies, metadata, and what is logged.

mod challenge;
mod cors;
mod limits;
mod logging;
mod request_bodies;
mod sealed_handles;
mod seen_tokens;
mod sessions;
mod transition;
