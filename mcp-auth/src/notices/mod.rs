//! WHAT DOES THE ISSUER TELL US? That a session has ended, or that tokens should no longer be believed.
//!
//! Two kinds of notice come: logout tokens (OpenID Connect Back-Channel Logout 1.0) and security event tokens (RFC 8417,
//! pushed as RFC 8935 says). Both are JWTs, which strangers can send as well. So [`Notices::receive`] looks at what costs
//! least first, and nothing that a notice says is believed before its signature is verified:
//!
//! 1. Its form, and whether `iss` is an issuer whose notices were asked for: of any other nothing is fetched or kept.
//! 2. What the transmitter must send in `Authorization`, where that is configured.
//! 3. How many notices of that issuer were forged lately ([`rate`]).
//! 4. `typ`, the algorithm, the signature, by the keys and the budget that its tokens have.
//! 5. `aud`, `iat`, `exp`, the marks of its kind, and whom it is about.
//! 6. Whether its `jti` was seen before. Then it is carried out.

mod fault;
mod logout_token;
#[expect(clippy::module_inception, reason = "each type is in a file of its name")]
mod notices;
mod rate;
mod security_event;
mod signed_notice;
mod subject;

pub(crate) use fault::NoticeFault;
pub(crate) use notices::{NoticeIssuer, NoticeKind, Notices};
