//! What HTTP sees: challenges, origins, limits, bodies, metadata, and what is logged.

mod challenge;
mod cors;
mod limits;
mod logging;
mod notices;
mod request_bodies;
mod seen_tokens;
mod sessions;
mod transition;
