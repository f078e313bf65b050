//! Requests and headers, in the form that JavaScript sends and gets them: text.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use napi::Error;
use napi::bindgen_prelude::Result;

/// The start of a request; `None` when it is not what a server for HTTP would let through.
pub(crate) fn parse(method: &str, target: String, headers: String) -> Option<Parts> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(method.as_bytes()).ok()?;
    parts.uri = Uri::from_maybe_shared(Bytes::from(target)).ok()?;
    parts.headers = parse_headers(headers)?;
    Some(parts)
}

/// The path of a target, or of a URL.
pub(crate) fn path_of(target: &str) -> Option<String> {
    Some(target.parse::<Uri>().ok()?.path().to_owned())
}

/// A URL as it is asked for.
pub(crate) fn uri_of(url: String) -> Option<Uri> {
    Uri::from_maybe_shared(Bytes::from(url)).ok()
}

/// Names and values in turn, one per line.
pub(crate) fn parse_headers(text: String) -> Option<HeaderMap> {
    // What most clients send fits without growing.
    let mut headers = HeaderMap::with_capacity(16);
    if text.is_empty() {
        return Some(headers);
    }
    // Its values are parts of the text, and not copied once more.
    let shared = Bytes::from(text);
    let mut lines = str::from_utf8(&shared).ok()?.split('\n');
    while let Some(name) = lines.next() {
        let bytes = shared.slice_ref(lines.next()?.as_bytes());
        let value = HeaderValue::from_maybe_shared(bytes).ok()?;
        headers.try_append(HeaderName::from_bytes(name.as_bytes()).ok()?, value).ok()?;
    }
    Some(headers)
}

/// The headers of a response, in the same form.
pub(crate) fn headers(text: String) -> Result<HeaderMap> {
    parse_headers(text).ok_or_else(|| Error::from_reason("malformed headers"))
}

/// Headers in the same form.
pub(crate) fn write(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name.as_str());
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    text
}
