//! What a browser sends to our pages: a query, and cookies of this host that may be anybody's.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::COOKIE;
use percent_encoding::percent_decode;

use super::connect_state::is_random_secret;
use crate::steps;

/// A longer query is refused unread.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// What is read of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BrowserRequest {
    pub(crate) state: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) iss: Option<String>,
    /// What our cookie holds, where it is as we write it.
    pub(crate) cookie: Option<String>,
}

impl BrowserRequest {
    /// Reads a query, and the cookie of this name.
    ///
    /// # Errors
    /// Why nobody can tell what was meant.
    pub(crate) fn read(
        query: &str,
        headers: &HeaderMap,
        cookie_name: &str,
    ) -> Result<Self, &'static str> {
        let mut read = Self { cookie: read_cookie(headers, cookie_name)?, ..Self::default() };
        if query.len() > MAX_QUERY_BYTES {
            return Err("the query is too long");
        }
        steps::take(query.len());
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let place = match name {
                "state" => &mut read.state,
                "code" => &mut read.code,
                "error" => &mut read.error,
                "iss" => &mut read.iss,
                _ => continue,
            };
            if place.replace(decoded(value)?).is_some() {
                return Err("the query has a parameter twice");
            }
        }
        Ok(read)
    }
}

/// A value of a query as text.
fn decoded(value: &str) -> Result<String, &'static str> {
    steps::take(value.len());
    let spaced = value.replace('+', " ");
    let text = percent_decode(spaced.as_bytes()).decode_utf8().map(Cow::into_owned);
    text.map_err(|_| "the query has a value that is no text")
}

/// The value of this cookie. Other cookies of the host may hold any bytes.
///
/// It is an error where the cookie is there twice: nobody can tell which one is ours.
fn read_cookie(headers: &HeaderMap, name: &str) -> Result<Option<String>, &'static str> {
    let mut found = None;
    for line in headers.get_all(COOKIE) {
        steps::take(line.len());
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let named = pair.trim_ascii().strip_prefix(name.as_bytes());
            let Some(value) = named.and_then(|rest| rest.strip_prefix(b"=")) else { continue };
            if found.replace(value).is_some() {
                return Err("our cookie is there twice");
            }
        }
    }
    let text = found.and_then(|value| std::str::from_utf8(value).ok());
    Ok(text.filter(|secret| is_random_secret(secret)).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SECRET: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn query(text: &str) -> Result<BrowserRequest, &'static str> {
        BrowserRequest::read(text, &HeaderMap::new(), "c")
    }

    fn cookie(lines: &[&[u8]]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        BrowserRequest::read("", &headers, "c").map(|request| request.cookie)
    }

    #[test]
    fn a_parameter_that_is_there_twice_or_is_no_text_is_refused() {
        let read = query("state=a%20b+c&x=1&x=2&iss=https%3A%2F%2Fi.example").unwrap();
        assert_eq!(read.state.as_deref(), Some("a b c"));
        assert_eq!(read.iss.as_deref(), Some("https://i.example"));
        assert_eq!(read.code, None);
        let long = "a".repeat(MAX_QUERY_BYTES + 1);
        for text in ["state=1&state=1", "code=1&code=2", "error=&error=", "iss=%ff", &long] {
            assert!(query(text).is_err(), "{text}");
        }
    }

    #[test]
    fn our_cookie_is_found_among_cookies_of_any_bytes() {
        let ours = format!("c={SECRET}");
        let found = Ok(Some(SECRET.to_owned()));
        for before in [&b"a=1"[..], b"a=\xff\xfe", "a=\u{e9}".as_bytes(), b"=", b"c", b"cc=1;xc=2"]
        {
            let line = [before, b"; ", ours.as_bytes(), b"; z=\x80"].concat();
            assert_eq!(cookie(&[&line]), found, "{before:?}");
            assert_eq!(cookie(&[before, ours.as_bytes()]), found, "{before:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_refused_and_one_that_is_not_ours_is_none() {
        let ours = format!("c={SECRET}");
        let both = format!("{ours}; {ours}");
        assert!(cookie(&[both.as_bytes()]).is_err());
        assert!(cookie(&[ours.as_bytes(), b"c=\xff"]).is_err());
        assert!(cookie(&[b"c=", b"c="]).is_err());
        let longer = format!("{ours}=");
        for other in [&b"c=2"[..], b"c=\xff", b"c", b"C=1", b"c =1", longer.as_bytes()] {
            assert_eq!(cookie(&[other]), Ok(None), "{other:?}");
        }
    }
}
