//! Which resource URIs a rule is about: exactly one, a URI template (RFC 6570), or a prefix.

/// A rule's URI with variables, or with `*` at its end.
#[derive(Debug)]
pub(super) struct UriPattern {
    parts: Vec<Part>,
    /// Characters that are fixed: the more, the more specific.
    pub(super) fixed: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// This text.
    Fixed(String),
    /// `{name}`: one character or more, within a path segment.
    Segment,
    /// `{+name}`, or `*` at the end: anything, also nothing.
    Rest,
    /// `{?name}`: a query, or nothing.
    Query,
}

impl UriPattern {
    /// Whether the text has variables or a `*`.
    pub(super) fn is_pattern(text: &str) -> bool {
        text.ends_with('*') || text.contains(['{', '}'])
    }

    /// Reads a pattern in [`normal_form`], or says what in it is not supported.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut rest, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let mut parts = Vec::new();
        while let Some((fixed, variable)) = rest.split_once('{') {
            let (expression, after) = variable.split_once('}').ok_or("`{` without `}`")?;
            parts.push(Part::Fixed(fixed.to_owned()));
            parts.push(Part::from_expression(expression)?);
            rest = after;
        }
        parts.push(Part::Fixed(rest.to_owned()));
        parts.extend(is_prefix.then_some(Part::Rest));
        if parts.iter().any(|part| matches!(part, Part::Fixed(text) if text.contains(['*', '}']))) {
            return Err("`*` may only be at the end, and `}` only after `{`");
        }
        parts.retain(|part| *part != Part::Fixed(String::new()));
        let length = |part: &Part| if let Part::Fixed(text) = part { text.len() } else { 0 };
        let fixed = parts.iter().map(length).sum();
        Ok(Self { parts, fixed })
    }

    /// Whether a URI in [`normal_form`] is meant; takes time in proportion to its length.
    pub(super) fn matches(&self, uri: &str) -> bool {
        // At which places of the URI the parts so far can end.
        let mut ends = vec![false; uri.len() + 1];
        ends[0] = true;
        for part in &self.parts {
            crate::steps::take(uri.len());
            ends = part.ends(uri.as_bytes(), &ends);
        }
        ends[uri.len()]
    }
}

impl Part {
    fn from_expression(expression: &str) -> Result<Self, &'static str> {
        let is_name = |name: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,".contains(&byte);
            !name.is_empty() && name.bytes().all(allowed)
        };
        let (part, name) = match expression.split_at_checked(1) {
            Some(("+", name)) => (Self::Rest, name),
            Some(("?", name)) => (Self::Query, name),
            _ => (Self::Segment, expression.trim_end_matches('*')),
        };
        let unsupported =
            "of the expressions of RFC 6570, {name}, {+name} and {?name} are supported";
        if is_name(name) { Ok(part) } else { Err(unsupported) }
    }

    /// Where this part can end, if it begins at one of these places.
    fn ends(&self, uri: &[u8], starts: &[bool]) -> Vec<bool> {
        let mut ends = vec![false; starts.len()];
        // Whether a part that takes any number of characters has begun.
        let mut is_open = false;
        for (at, starts_here) in starts.iter().copied().enumerate() {
            let next = uri.get(at).copied();
            match self {
                Self::Fixed(text) => {
                    crate::steps::take(if starts_here { text.len() } else { 0 });
                    if starts_here && uri[at..].starts_with(text.as_bytes()) {
                        ends[at + text.len()] = true;
                    }
                }
                Self::Segment => {
                    ends[at] = is_open;
                    is_open = (is_open || starts_here)
                        && next.is_some_and(|byte| !b"/?#".contains(&byte));
                }
                Self::Rest => {
                    is_open |= starts_here;
                    ends[at] = is_open;
                }
                Self::Query => {
                    is_open |= starts_here && next == Some(b'?');
                    ends[at] = starts_here || is_open;
                }
            }
        }
        ends
    }
}

/// The one form of a URI (RFC 3986 §6.2.2): scheme, host and the digits of escapes have one case,
/// what is not ASCII is escaped. How many slashes come before the host of a scheme without rules of
/// its own makes no difference.
pub(super) fn normal_form(uri: &str) -> String {
    crate::steps::take(uri.len());
    let scheme = scheme_of(uri);
    let rest = uri.get(scheme.len()..).unwrap_or_default();
    let slashes =
        rest.strip_prefix(':').map_or(0, |rest| rest.len() - rest.trim_start_matches('/').len());
    let is_plain = !SPECIAL_SCHEMES.contains(&&*scheme);
    let (slashes, path) = match rest.strip_prefix(':').filter(|_| slashes > 2 && is_plain) {
        Some(rest) => ("://", rest.trim_start_matches('/')),
        None => ("", rest),
    };
    let rest = format!("{slashes}{path}");
    let host_end = match rest.strip_prefix("://") {
        Some(after) => after.find(['/', '?', '#']).map_or(rest.len(), |at| at + 3),
        None => 0,
    };
    let (host, path) = rest.split_at(host_end);
    scheme + &escaped(&host.to_ascii_lowercase()) + &escaped(path)
}

/// Escapes what is not ASCII, and writes every escape with upper-case digits.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => {
                escaped.push('%');
                let digits = characters.by_ref().take(2);
                escaped.extend(digits.map(|digit| digit.to_ascii_uppercase()));
            }
            _ if character.is_ascii() => escaped.push(character),
            _ => {
                let mut utf8 = [0; 4];
                let escape = |byte: u8| format!("%{byte:02X}");
                escaped.extend(character.encode_utf8(&mut utf8).bytes().map(escape));
            }
        }
    }
    escaped
}

/// The scheme in lower case; empty when there is none.
pub(super) fn scheme_of(uri: &str) -> String {
    uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default()
}

/// Schemes of which the URL standard (WHATWG) reads many spellings as one.
const SPECIAL_SCHEMES: [&str; 6] = ["http", "https", "ws", "wss", "ftp", "file"];

/// Whether a URI in [`normal_form`] can be read in more than one way: as it stands, and as a server
/// reads it that decodes it, resolves its dots (RFC 3986 §6.2.2.2 and §6.2.2.3), or parses it as a
/// browser does.
pub(super) fn is_ambiguous(uri: &str) -> bool {
    /// Longer than any URI that a rule is about.
    const LONGEST: usize = 8192;
    crate::steps::take(uri.len());
    let scheme = scheme_of(uri);
    let rest = uri.get(scheme.len() + 1..).unwrap_or_default();
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path = path.split('?').next().unwrap_or_default();
    let mut segments = path.trim_start_matches('/').split('/').peekable();
    let mut has_odd_segment = path.starts_with("//");
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        has_odd_segment |= matches!(segment, "." | "..") || (segment.is_empty() && !is_last);
    }
    uri.len() > LONGEST
        || uri.contains(|c: char| c.is_control() || matches!(c, '\\' | ' ' | '#'))
        || has_odd_segment
        || matches!(authority, "." | "..")
        || uri.match_indices('%').any(|(at, _)| !is_needed_escape(&uri[at..]))
        || (SPECIAL_SCHEMES.contains(&&*scheme) && !is_plain_authority(&scheme, rest, authority))
}

/// Whether the authority of a special scheme is written as the URL standard writes it.
fn is_plain_authority(scheme: &str, rest: &str, authority: &str) -> bool {
    if scheme == "file" {
        return rest.starts_with("///") && authority.is_empty();
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
    let default = match scheme {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => "21",
    };
    let is_label =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._{}".contains(&byte);
    // What ends in a number would be an IPv4 address in one of many spellings.
    let is_address = host.split('.').count() == 4
        && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let ends_in_number =
        host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    rest.starts_with("//")
        && !host.is_empty()
        && !host.ends_with('.')
        && host.bytes().all(is_label)
        && (!ends_in_number || is_address)
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && !port.starts_with('0')
        && port != default
}

/// Whether these three characters stand for one that cannot stand for itself, and do not hide a
/// delimiter.
fn is_needed_escape(escape: &str) -> bool {
    let digits = escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    digits.is_some_and(|byte| {
        // RFC 3986 §3.3: what a path segment may have as it is.
        let stands_for_itself =
            byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        !stands_for_itself && !byte.is_ascii_control() && !b"/\\%?#".contains(&byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        let rows = [
            ("notes://{id}", "notes://7", true),
            ("notes://{id}", "notes://", false),
            ("notes://{id}", "notes://7/8", false),
            ("notes://{id}", "NOTES://7", true),
            ("notes://{id}", "notes:///7", true),
            ("notes://team/{id}.md", "notes://team/a.b.md", true),
            ("notes://team/{id}.md", "notes://team/a.txt", false),
            ("file:///{+path}", "file:///a/b/c", true),
            ("notes://team/*", "notes://team/", true),
            ("notes://team/*", "notes://teams/7", false),
            ("notes://{id}{?page,size}", "notes://7?page=2&size=3", true),
            ("notes://{id}{?page,size}", "notes://7", true),
            ("notes://{id}{?page,size}", "notes://7#x", false),
            ("notes://{a}-{b}", "notes://x-y-z", true),
            ("notes://{a}-{b}", "notes://-y", false),
            ("notes://{a}", "notes://é", true),
            ("notes://x/é/*", "notes://x/%c3%a9/1", true),
        ];
        for (pattern, uri, expected) in rows {
            let pattern = UriPattern::parse(&normal_form(pattern)).unwrap();
            assert_eq!(pattern.matches(&normal_form(uri)), expected, "{pattern:?} {uri}");
        }
    }

    #[test]
    fn matching_takes_time_in_proportion() {
        let pattern = UriPattern::parse("notes://{a}-{b}-{c}.{d}").unwrap();
        assert!(!pattern.matches(&format!("notes://{}", "-".repeat(1_000_000))));
    }

    #[test]
    fn other_patterns_are_faults() {
        for text in ["notes://*/x", "notes://{", "notes://}", "notes://{}", "notes://{#x}", "a{/b}"]
        {
            assert!(UriPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ambiguous_uris_are_told_from_plain_ones() {
        let plain = [
            "notes://a/b?x=/../y",
            "file:///a%20b/c.txt",
            "urn:a:b",
            "notes://a/..b/c.",
            "notes://a/",
            "notes://é/caf%c3%a9",
            "https://h.example/a?b",
            "https://h.example:8443/",
            "https://10.0.0.1/x",
            "file:///data/{name}",
        ];
        for uri in plain {
            assert!(!is_ambiguous(&normal_form(uri)), "{uri}");
        }
        let ambiguous = [
            "notes://public/../private/1",
            "notes://public/..",
            "notes://public/./1",
            "notes://public/%2e%2e/private",
            "notes://public/..%2fprivate",
            "notes://public\\..\\private",
            "notes://pri%76ate/1",
            "notes://a/b%40c",
            "notes://a%5cb",
            "notes://a%zz",
            "notes://a%",
            "notes://a%00",
            "notes://a%252e",
            "notes://a\nb",
            "notes://a#b",
            "notes://a//b",
            "notes://a/%3fb",
            "file:///data//private",
            "file:////data/private",
            "file://localhost/data",
            "file:/data",
            "file:data",
            "https:/h.example/x",
            "https:h.example/x",
            "https:///h.example/x",
            "https://h.example:443/x",
            "https://h.example:/x",
            "https://u@h.example/x",
            "https://ｈ.example/x",
            "https://h.example./x",
            "https://0x7f.1/x",
            "https://127.1/x",
        ];
        for uri in ambiguous {
            assert!(is_ambiguous(&normal_form(uri)), "{uri:?}");
        }
    }
}
