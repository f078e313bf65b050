//! How long an answer stays fresh (RFC 9111).

use std::time::Duration;

use http::{HeaderMap, header};

use super::http_date::seconds_until;

/// What is left of an answer's freshness lifetime; `None` when its headers do not say. `now` is in seconds since 1970.
pub(super) fn fresh_for(headers: &HeaderMap, now: u64) -> Option<Duration> {
    // RFC 9111 §5.3: `Expires` is ignored beside a lifetime in `Cache-Control`.
    let lifetime = controlled_lifetime(headers).or_else(|| lifetime_by_expires(headers, now))?;
    // RFC 9111 §4.2.3: a cache between us has used up a part of it. §5.1: what cannot be read is ignored.
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()).and_then(delta_seconds);
    Some(Duration::from_secs(lifetime.saturating_sub(age.unwrap_or(0))))
}

/// Seconds that `Cache-Control` allows, if it is about them.
fn controlled_lifetime(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let lifetimes = values.filter_map(|value| match value.to_str() {
        Ok(value) => value.split(',').filter_map(directive_lifetime).min(),
        // RFC 9111 §4.2.1: what cannot be read counts as stale.
        Err(_) => Some(0),
    });
    // RFC 9111 §4.2.1: of several, the most restrictive one.
    lifetimes.min()
}

/// Seconds until the date in `Expires`, if it is there.
fn lifetime_by_expires(headers: &HeaderMap, now: u64) -> Option<u64> {
    let values = headers.get_all(header::EXPIRES).iter();
    // RFC 9111 §5.3: a date that cannot be read, such as `0`, has passed.
    let lifetimes = values.map(|value| {
        value.to_str().ok().and_then(|date| seconds_until(date, headers, now)).unwrap_or(0)
    });
    lifetimes.min()
}

/// Seconds that one directive allows, if it is about them.
fn directive_lifetime(directive: &str) -> Option<u64> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "no-cache" | "no-store" => Some(0),
        // RFC 9111 §4.2.1: what cannot be read counts as stale.
        "max-age" => Some(delta_seconds(value.trim().trim_matches('"')).unwrap_or(0)),
        _ => None,
    }
}

/// Seconds as RFC 9111 §1.2.2 writes them, in digits; a number that is too large counts as the largest.
pub(super) fn delta_seconds(text: &str) -> Option<u64> {
    let trimmed = text.trim();
    let is_number = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| trimmed.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:48:37 GMT.
    const NOW: u64 = 784_111_717;

    fn seconds(headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, header::HeaderValue::from_static(value));
        }
        fresh_for(&map, NOW).map(|left| left.as_secs())
    }

    #[test]
    fn directives_are_read_as_caches_read_them() {
        let rows = [
            ("max-age=300", Some(300)),
            ("public, MAX-AGE=300, must-revalidate", Some(300)),
            ("max-age=\"300\"", Some(300)),
            ("max-age=300, max-age=60", Some(60)),
            ("max-age=300, no-cache", Some(0)),
            ("no-store", Some(0)),
            ("no-cache=\"set-cookie\"", Some(0)),
            ("max-age=99999999999999999999999", Some(u64::MAX)),
            ("max-age=-1", Some(0)),
            ("max-age=soon", Some(0)),
            ("max-age", Some(0)),
            ("s-maxage=300", None),
            ("private", None),
            ("", None),
        ];
        for (value, expected) in rows {
            assert_eq!(seconds(&[("cache-control", value)]), expected, "{value}");
        }
        assert_eq!(seconds(&[]), None);
    }

    #[test]
    fn expires_counts_where_cache_control_says_nothing() {
        let in_a_minute = ("expires", "Sun, 06 Nov 1994 08:49:37 GMT");
        let answered = ("date", "Sun, 06 Nov 1994 08:44:37 GMT");
        assert_eq!(seconds(&[in_a_minute]), Some(60));
        assert_eq!(seconds(&[in_a_minute, answered]), Some(300));
        assert_eq!(seconds(&[in_a_minute, answered, ("age", "100")]), Some(200));
        assert_eq!(seconds(&[in_a_minute, ("cache-control", "public")]), Some(60));
        assert_eq!(seconds(&[in_a_minute, ("cache-control", "max-age=7")]), Some(7));
        assert_eq!(seconds(&[in_a_minute, ("cache-control", "no-cache")]), Some(0));
        assert_eq!(seconds(&[in_a_minute, ("expires", "0")]), Some(0));
        for passed in ["0", "-1", "", "soon", "Sun, 06 Nov 1994 08:47:37 GMT"] {
            assert_eq!(seconds(&[("expires", passed)]), Some(0), "{passed}");
        }
    }

    #[test]
    fn several_fields_and_the_age_count() {
        let two = [("cache-control", "max-age=300"), ("cache-control", "no-cache")];
        assert_eq!(seconds(&two), Some(0));
        let row = |age| seconds(&[("cache-control", "max-age=300"), ("age", age)]);
        assert_eq!((row("100"), row("400"), row("x")), (Some(200), Some(0), Some(300)));
        assert_eq!(seconds(&[("age", "100")]), None);
        let mut unreadable = HeaderMap::new();
        unreadable.append("cache-control", header::HeaderValue::from_static("max-age=300"));
        let odd = header::HeaderValue::from_bytes(b"max-age=900, x=\"\xe9\"").unwrap();
        unreadable.append("cache-control", odd.clone());
        assert_eq!(fresh_for(&unreadable, NOW), Some(Duration::ZERO));
        unreadable.insert("cache-control", odd);
        assert_eq!(fresh_for(&unreadable, NOW), Some(Duration::ZERO));
    }
}
