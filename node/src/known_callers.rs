//! Callers whom JavaScript knows by a number, so that what they are is not told again with each of their requests.

use std::cell::RefCell;

use mcp_auth::{AuthInfo, CallerMark};
use napi::bindgen_prelude::Either3;
use napi_derive::napi;

use crate::outcome::Outcome;

/// What was decided: an outcome, or the caller of a request that goes on, by their number.
pub(crate) type Decided = Either3<Outcome, u32, NumberedCaller>;

/// As many as JavaScript keeps at a time.
const PLACES: u32 = 512;
/// So many numbers of one place, before the first is given again: it has long been taken from whoever had it.
const ROUNDS: u32 = 1 << 22;

/// A caller who has got a number.
#[napi(object, object_from_js = false)]
pub struct NumberedCaller {
    /// The number.
    pub number: u32,
    /// Who they are, in JSON.
    pub described: String,
}

/// The numbers of one object in JavaScript. They keep no caller, and no token.
pub(crate) struct KnownCallers(RefCell<Places>);

struct Places {
    last: Vec<Option<Numbered>>,
    /// How many numbers were given.
    given: u32,
}

struct Numbered {
    number: u32,
    mark: CallerMark,
}

impl KnownCallers {
    pub(crate) fn new() -> Self {
        let last = (0..PLACES).map(|_| None).collect();
        Self(RefCell::new(Places { last, given: 0 }))
    }

    /// The number of a caller who has one; or else a new one, with who they are. Two that share a place take it from each other.
    pub(crate) fn number(&self, caller: &AuthInfo) -> Decided {
        let mut places = self.0.borrow_mut();
        let place = place_of(caller);
        if let Some(Some(known)) = places.last.get(place as usize)
            && known.mark.is_of(caller)
        {
            return Decided::B(known.number);
        }
        let number = places.new_number(place);
        if let Some(taken) = places.last.get_mut(place as usize) {
            *taken = Some(Numbered { number, mark: caller.mark() });
        }
        Decided::C(NumberedCaller { number, described: caller.json().to_owned() })
    }
}

impl Places {
    /// What is left of it, divided by the count of places, is the place.
    fn new_number(&mut self, place: u32) -> u32 {
        self.given = (self.given + 1) % ROUNDS;
        self.given * PLACES + place
    }
}

/// By where the description is in memory, which stays there.
fn place_of(caller: &AuthInfo) -> u32 {
    // Memory is given out in pieces of 16 bytes at least.
    let piece = caller.json().as_ptr().addr() >> 4;
    (piece % PLACES as usize) as u32
}
