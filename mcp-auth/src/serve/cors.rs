//! Which web pages may call, and what their browsers are told (Fetch standard).
//!
//! Two things hang on this. A page of another origin must not reach a server on the user's own machine, whose address it
//! has taken over by DNS rebinding: MCP asks servers to check `Origin` for that. And a page that may call must see the
//! headers that sign-in is made of, or its client cannot tell why it was refused.
//!
//! 1. A request without `Origin` comes from no page, and is not judged here.
//! 2. The resource's own origin may call, and those that were configured. Any other is 403 before a token is looked at, and
//!    so are two `Origin` headers, and `null`, unless it was configured.
//! 3. A page that may call gets its own origin back, never `*`, and no credentials are allowed: the token is in a header.
//! 4. A preflight is answered without a token, because browsers send none with it.
//!
//! Tested in `serve::cors`.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN,
    VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Reply;
use crate::error::Forbidden;

/// The web origins whose pages may call, in the form that browsers send.
#[derive(Debug)]
pub(crate) struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// The resource's own origin, and the configured ones.
    pub(crate) fn new(own: &str, listed: &[String]) -> Self {
        let configured = listed.iter().map(String::as_str);
        Self([own].into_iter().chain(configured).map(as_browsers_send_it).collect())
    }

    /// CORS headers for the answer; none when no page is calling. Any other origin is refused.
    pub(super) fn admit(&self, request: &Parts) -> Result<HeaderMap, Forbidden> {
        let mut headers = HeaderMap::new();
        let mut origins = request.headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(headers);
        };
        if origins.next().is_some() || !self.contains(origin) {
            let refused = String::from_utf8_lossy(origin.as_bytes()).into_owned();
            return Err(Forbidden::Origin(refused));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.insert(VARY, HeaderValue::from_static("origin"));
        Ok(headers)
    }

    fn contains(&self, origin: &HeaderValue) -> bool {
        crate::steps::take(origin.len());
        self.0.iter().any(|allowed| {
            allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
        })
    }
}

/// RFC 6454 §6.2: without the port that the scheme has by default.
fn as_browsers_send_it(origin: &str) -> String {
    let lower = origin.to_ascii_lowercase();
    let port = if lower.starts_with("https:") { ":443" } else { ":80" };
    lower.strip_suffix(port).map(str::to_owned).unwrap_or(lower)
}

/// CORS headers of what everybody may read, also where no page is asking: so the answer is the same for all.
pub(super) fn cors_of_public_documents() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers
}

const EXPOSED: &str = "www-authenticate, mcp-session-id, mcp-protocol-version, retry-after";
const ALLOWED: &str = "authorization, content-type, accept, last-event-id, mcp-protocol-version, \
                       mcp-session-id, mcp-method, mcp-name";

/// The answer to OPTIONS, given before authentication: browsers send preflights without a token.
pub(super) fn preflight(request: &Parts, cors: HeaderMap, methods: &'static str) -> Reply {
    let mut reply = Reply::empty(StatusCode::NO_CONTENT).with_headers(cors);
    let allowed_methods = HeaderValue::from_static(methods);
    reply.headers.insert(http::header::ALLOW, allowed_methods.clone());
    if request.headers.contains_key(ORIGIN) {
        reply.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allowed_methods);
        reply.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(request));
        reply.headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    }
    reply
}

/// The fixed list, and whatever `Mcp-*` header (such as `Mcp-Param-…`) the page asks for.
fn allowed_headers(request: &Parts) -> HeaderValue {
    let header = request.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let asked = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    crate::steps::take(asked.len());
    let fixed = ALLOWED.split(", ").map(str::to_owned);
    let names = asked.split(',').map(|name| name.trim().to_ascii_lowercase());
    let mcp = names
        .filter(|name| name.starts_with("mcp-") && !ALLOWED.split(", ").any(|one| one == name));
    let list = fixed.chain(mcp).collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&list).unwrap_or(HeaderValue::from_static(ALLOWED))
}
