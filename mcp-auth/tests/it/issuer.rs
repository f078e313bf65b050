//! Whose keys: metadata and keys, when they are fetched, what happens when they cannot be.

mod connections;
mod discovery;
mod document_requests;
mod hanging_places;
mod hostile_issuer;
mod issuer_inspection;
mod issuer_outage;
mod key_fetching;
mod key_rotation;
mod key_stampede;
mod static_keys;
mod tolerant_sets;
