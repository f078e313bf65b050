//! What HTTP sees: challenges, origins, limits, bodies, metadata, and what is logged.

mod challenge;
mod cors;
mod failure_limits;
mod limits;
mod logging;
mod request_bodies;
mod seen_tokens;
mod sessions;
mod transition;
