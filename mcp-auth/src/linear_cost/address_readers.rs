//! What reads the address of a client.

use super::inputs::Place;
use super::readers::Reader;
use crate::steps::Cost;

/// What a client writes about where it comes from, where a proxy is trusted that adds nothing.
pub(super) const CLIENT_ADDRESSES: Reader = Reader {
    name: "addresses of clients",
    places: &[
        Place::Text("X-Forwarded-For", str::to_owned),
        Place::Text("a list of proxies", |text| {
            format!("{text},{}", "10.0.0.1,".repeat(text.len() / 9))
        }),
    ],
    most: Cost { steps: 16, allocated: 32 },
    read: crate::fuzzing::read_client_address,
};
