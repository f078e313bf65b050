//! Dates in headers (RFC 9110 §5.6.7), and how far they are from the moment of an answer.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderName, StatusCode, header};

use super::cache_control::delta_seconds;

/// Seconds that an answer asks us to leave its server alone: `Retry-After` of a 429 or a 503 (RFC 9110 §10.2.3), in
/// seconds or as a date. `now` is in seconds since 1970.
pub(super) fn retry_after(status: StatusCode, headers: &HeaderMap, now: u64) -> Option<u64> {
    let is_busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    if !is_busy.contains(&status) {
        return None;
    }
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    delta_seconds(value).or_else(|| seconds_until(value, headers, now))
}

/// Seconds from an answer to a date that one of its headers names; none when the date has passed.
///
/// The answer's own `Date` is the moment of the answer, so that it does not matter what our clock says; without one it
/// is `now`, in seconds since 1970.
pub(super) fn seconds_until(date: &str, headers: &HeaderMap, now: u64) -> Option<u64> {
    let answered_at = date_header(headers, &header::DATE).unwrap_or(now);
    Some(unix_seconds_of(date)?.saturating_sub(answered_at))
}

/// The date in a header, in seconds since 1970; `None` also when it cannot be read.
fn date_header(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    unix_seconds_of(headers.get(name)?.to_str().ok()?)
}

/// A date in any of the three forms that RFC 9110 §5.6.7 asks recipients to read, in seconds since 1970.
fn unix_seconds_of(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date.trim()).ok()?;
    // It reads no year before 1970.
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// RFC 9110 §5.6.7 in seconds since 1970: Sun, 06 Nov 1994 08:49:37 GMT.
    const EXAMPLE: u64 = 784_111_777;

    fn asked_pause(status: u16, value: &'static str, date: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        headers.extend(date.map(|date| (header::DATE, HeaderValue::from_static(date))));
        retry_after(StatusCode::from_u16(status).unwrap(), &headers, EXAMPLE - 10)
    }

    #[test]
    fn all_three_forms_of_a_date_are_read() {
        let forms = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ];
        for form in forms {
            assert_eq!(unix_seconds_of(form), Some(EXAMPLE), "{form}");
            assert_eq!(asked_pause(503, form, None), Some(10), "{form}");
        }
        for form in ["", "0", "-1", "tomorrow", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37"]
        {
            assert_eq!(unix_seconds_of(form), None, "{form}");
        }
    }

    #[test]
    fn a_date_counts_from_that_of_the_answer() {
        let until = "Sun, 06 Nov 1994 08:49:37 GMT";
        let rows = [
            (429, until, Some("Sun, 06 Nov 1994 08:48:37 GMT"), Some(60)),
            (503, until, Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(0)),
            (503, until, Some("soon"), Some(10)),
            (503, until, None, Some(10)),
            (503, "120", None, Some(120)),
            (429, "0", Some(until), Some(0)),
            (503, "soon", None, None),
            (500, until, None, None),
            (200, "120", None, None),
        ];
        for (status, value, date, expected) in rows {
            assert_eq!(asked_pause(status, value, date), expected, "{status} {value} {date:?}");
        }
    }
}
