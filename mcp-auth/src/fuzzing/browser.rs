//! What browsers send to the pages where users connect their accounts.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

use super::bounded;
use crate::downstream::BrowserRequest;

/// The name of our cookie.
const NAME: &str = "c";

/// The first line is a query, each other one a `Cookie` header.
pub fn browser(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(COOKIE, value);
    }
    let read = bounded(bytes, || BrowserRequest::read(&query, &headers, NAME));
    let Ok(request) = read else { return };

    let texts = [
        ("state", &request.state),
        ("code", &request.code),
        ("error", &request.error),
        ("iss", &request.iss),
    ];
    for (name, value) in texts {
        let named = query.split('&').filter(|part| part.split('=').next() == Some(name));
        assert_eq!(named.count(), usize::from(value.is_some()), "{name} in {query:?}");
    }
    if let Some(secret) = &request.cookie {
        assert_eq!(secret.len(), 43, "{secret:?}");
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        // A second one beside it, and nobody can tell.
        headers.append(COOKIE, HeaderValue::from_static("c=x"));
        assert!(BrowserRequest::read(&query, &headers, NAME).is_err(), "{headers:?}");
    }
}

/// A query as strangers write it.
#[cfg(test)]
pub(crate) fn read_browser_query(text: &str) {
    let _ = BrowserRequest::read(text, &HeaderMap::new(), NAME);
}

/// Cookies of this host, which others may have set.
#[cfg(test)]
pub(crate) fn read_browser_cookies(text: &str) {
    let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { return };
    let mut headers = HeaderMap::new();
    headers.append(COOKIE, value);
    let _ = BrowserRequest::read("", &headers, NAME);
}
