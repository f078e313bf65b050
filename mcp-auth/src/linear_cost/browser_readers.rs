//! What reads the requests of browsers.

use super::inputs::Place;
use super::readers::Reader;
use crate::steps::Cost;

/// The query of a page where users connect their accounts.
pub(super) const BROWSER_QUERIES: Reader = Reader {
    name: "queries of browsers",
    places: &[
        Place::Text("a query", str::to_owned),
        Place::Text("a state", |text| format!("state={text}")),
        Place::Text("parameters of others", |text| format!("x={text}&code=1&y={text}")),
    ],
    most: Cost { steps: 4, allocated: 8 },
    read: crate::fuzzing::read_browser_query,
};

/// The cookies that come with it.
pub(super) const BROWSER_COOKIES: Reader = Reader {
    name: "cookies of browsers",
    places: &[
        Place::Text("cookies", str::to_owned),
        Place::Text("our cookie", |text| format!("c={text}")),
        Place::Text("a cookie before ours", |text| format!("a={text}; c=1")),
    ],
    most: Cost { steps: 4, allocated: 8 },
    read: crate::fuzzing::read_browser_cookies,
};
