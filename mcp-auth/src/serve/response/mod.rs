//! The way back: what the client sees of a service's response.
//!
//! [`Forward::respond`](super::Forward::respond) looks at status and headers and gives a [`ResponseFilter`], which
//! takes the body piece by piece and says what may be sent. It has no IO of its own: the tower layer drives it through
//! [`ProtectedBody`], the adapters of other languages call it themselves.
//!
//! 1. As long as nothing was sent, a handler may ask for more scopes ([`step_up`]), and the whole response may be replaced.
//! 2. Under a policy every response is read by its bytes, whatever its label says ([`body_kind`]).
//! 3. Lists show what the policy allows ([`list_rules`]), in JSON and in events ([`event_stream`]).
//! 4. What could be a list and cannot be read is withheld.
//! 5. Handles are sealed for the caller where a setting asks for it ([`handle_rules`]).
//! 6. Some answers teach what later requests are judged by ([`lesson`]).
//! 7. Streams of events end with the token of their caller ([`stream_end`]), also those that go on unchanged.

mod body_kind;
mod event_stream;
mod filter;
mod filtered_events;
mod forwarding;
mod handle_rules;
mod lesson;
mod list_filter;
mod list_rules;
mod list_trace;
mod protected_body;
mod step_up;
mod stream_end;
mod timed_stream;

pub(super) use body_kind::is_encoded;
pub use filter::{Passage, ResponseFilter};
pub(crate) use forwarding::poll_start;
pub(super) use list_filter::ListKind;
pub(super) use list_rules::{Answered, ListRules};
pub use protected_body::ProtectedBody;
pub use stream_end::StreamEnd;
