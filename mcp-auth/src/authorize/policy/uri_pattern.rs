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

    /// Reads a pattern, or says what in it is not supported.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = normal_case(text);
        let (mut rest, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (&*text, false),
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

    /// Whether a URI in [`normal_case`] is meant.
    pub(super) fn matches(&self, uri: &str) -> bool {
        let mut ends = vec![0];
        for part in &self.parts {
            let next = ends.iter().flat_map(|start| part.ends(uri, *start));
            ends = next.collect();
            ends.sort_unstable();
            ends.dedup();
        }
        ends.contains(&uri.len())
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

    /// Where in the URI a part that starts here may end.
    fn ends(&self, uri: &str, start: usize) -> Vec<usize> {
        let rest = &uri[start..];
        let until = |limit: &[char]| rest.find(limit).unwrap_or(rest.len());
        let any_up_to = |length: usize, least: usize| {
            let boundaries = (least..=length).filter(|at| rest.is_char_boundary(*at));
            boundaries.map(|at| start + at).collect()
        };
        match self {
            Self::Fixed(text) if rest.starts_with(text.as_str()) => vec![start + text.len()],
            Self::Fixed(_) => Vec::new(),
            Self::Segment => any_up_to(until(&['/', '?', '#']), 1),
            Self::Rest => any_up_to(rest.len(), 0),
            Self::Query if rest.starts_with('?') => any_up_to(until(&['#']), 0),
            Self::Query => vec![start],
        }
    }
}

/// RFC 3986 §6.2.2.1: scheme and host are the same in either case.
pub(super) fn normal_case(uri: &str) -> String {
    let scheme = uri.find(':').unwrap_or(0);
    let end = match uri[scheme..].strip_prefix("://") {
        Some(rest) => rest.find(['/', '?', '#']).map_or(uri.len(), |at| scheme + 3 + at),
        None => scheme,
    };
    let (front, path) = uri.split_at(end);
    front.to_ascii_lowercase() + path
}

/// Whether a URI can be read in more than one way: as it stands, and as a server reads it that
/// decodes it or resolves its dots (RFC 3986 §6.2.2.2 and §6.2.2.3).
pub(super) fn is_ambiguous(uri: &str) -> bool {
    /// Longer than any URI that a rule is about; matching takes time in proportion.
    const LONGEST: usize = 8192;
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    uri.len() > LONGEST
        || uri.contains(|c: char| c.is_control() || c == '\\' || c == ' ')
        || path.split('/').any(|segment| segment == "." || segment == "..")
        || uri.match_indices('%').any(|(at, _)| !is_needed_escape(&uri[at..]))
}

/// Whether these three characters stand for one that cannot stand for itself, and do not hide a
/// delimiter of the path.
fn is_needed_escape(escape: &str) -> bool {
    let digits = escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    digits.is_some_and(|byte| {
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !unreserved && !byte.is_ascii_control() && !b"/\\%".contains(&byte)
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
            ("notes://team/{id}.md", "notes://team/a.b.md", true),
            ("notes://team/{id}.md", "notes://team/a.txt", false),
            ("file:///{+path}", "file:///a/b/c", true),
            ("notes://team/*", "notes://team/", true),
            ("notes://team/*", "notes://teams/7", false),
            ("notes://{id}{?page,size}", "notes://7?page=2&size=3", true),
            ("notes://{id}{?page,size}", "notes://7", true),
            ("notes://{id}{?page,size}", "notes://7#x", false),
            ("notes://{a}-{b}", "notes://x-y-z", true),
            ("notes://{a}", "notes://é", true),
        ];
        for (pattern, uri, expected) in rows {
            let found = UriPattern::parse(pattern).unwrap().matches(&normal_case(uri));
            assert_eq!(found, expected, "{pattern} {uri}");
        }
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
        for uri in ["notes://a/b?x=/../y", "file:///a%20b/c.txt", "urn:a:b", "notes://a/..b/c."] {
            assert!(!is_ambiguous(uri), "{uri}");
        }
        let ambiguous = [
            "notes://public/../private/1",
            "notes://public/..",
            "notes://public/./1",
            "notes://public/%2e%2e/private",
            "notes://public/..%2fprivate",
            "notes://public\\..\\private",
            "notes://pri%76ate/1",
            "notes://a%5cb",
            "notes://a%zz",
            "notes://a%",
            "notes://a%00",
            "notes://a%252e",
            "notes://a\nb",
        ];
        for uri in ambiguous {
            assert!(is_ambiguous(uri), "{uri:?}");
        }
    }
}
