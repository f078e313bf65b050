//! HOW OFTEN WERE THEY REFUSED? Whoever is refused too often is answered 429 for a while: [`FailureLimits`].
//!
//! A limit changes no verdict. What would go on goes on, however many others behind the same address were refused; of what is
//! refused anyway, it makes a cheaper answer that says when to come again, and one event instead of thousands.

mod address_range;
mod answer_limit;
mod bounded_states;
mod client_address;
mod failure_limiter;
mod failure_limits;
mod shared_failures;
mod steady_time;

pub(crate) use address_range::AddressRange;
pub(crate) use answer_limit::{AnswerLimit, Room};
pub use client_address::PeerAddress;
#[cfg(any(fuzzing, test))]
pub(crate) use client_address::{X_FORWARDED_FOR, client_address};
pub(crate) use failure_limits::{FailureLimits, Sender};
pub(crate) use shared_failures::CommonCount;
