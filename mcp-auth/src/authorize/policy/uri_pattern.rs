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

    /// Reads a pattern in its normal form, or says what in it is not supported.
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

    /// Whether a URI in its normal form is meant; takes time in proportion to its length.
    pub(super) fn matches(&self, uri: &str) -> bool {
        // At which places of the URI the parts so far can end.
        let mut ends = vec![false; uri.len() + 1];
        ends[0] = true;
        for part in &self.parts {
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

#[cfg(test)]
mod tests {
    use super::super::uri::normal_form;
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
}
