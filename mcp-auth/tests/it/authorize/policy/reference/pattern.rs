//! What the pattern of a rule is about.

use super::uri::{Uri, fill, normal, normal_query};

/// The pattern of a rule.
pub(super) struct Pattern {
    /// Whether its rule asks for nothing.
    pub(super) is_open: bool,
    path: String,
    /// The same without a slash at its end, if it is written with one.
    shorter: Option<String>,
    query: Option<Vec<Parameter>>,
    /// The number of fixed characters in its path.
    fixed: usize,
    has_variables: bool,
}

impl Pattern {
    pub(super) fn read(text: &str, is_open: bool) -> Self {
        let (path, query) = split_query(text);
        let query = query.map(|query| query.split('&').map(Parameter::read).collect());
        let path = normal(path);
        let shorter = path.strip_suffix('/').filter(|path| !path.ends_with(['/', '}']));
        let shorter = shorter.map(str::to_owned);
        let has_variables = path.contains(['{', '*']);
        let fixed = fill(&path, |_| Some(String::new())).replace('*', "").len();
        Self { is_open, path, shorter, query, fixed, has_variables }
    }

    /// Whether its rule is about this URI.
    pub(super) fn is_about(&self, uri: &Uri) -> bool {
        // One that asks for something is for the URI without a slash at the end, too.
        let shorter = self.shorter.as_deref().filter(|_| !self.is_open);
        if !fits(&self.path, &uri.path) && !shorter.is_some_and(|path| fits(path, &uri.path)) {
            return false;
        }
        let Some(wanted) = &self.query else { return true };
        let given = parameters(uri);
        let has = |wanted: &Parameter| given.iter().any(|given| given.is_for(wanted));
        let has_all = wanted.iter().all(|wanted| wanted.may_be_absent || has(wanted));
        has_all && (!self.is_open || self.speaks_of_all(uri))
    }

    /// Whether the query of this URI has nothing but what the pattern's has.
    fn speaks_of_all(&self, uri: &Uri) -> bool {
        let Some(wanted) = &self.query else { return true };
        let is_wanted = |given: &Parameter| wanted.iter().any(|wanted| given.is_for(wanted));
        parameters(uri).iter().all(is_wanted)
    }

    /// Whether it is one URI, with a slash at its end.
    pub(super) fn is_written_with_slash(&self) -> bool {
        self.shorter.is_some() && !self.has_variables && self.query.is_none()
    }

    /// Whether its rule takes the place of the other's where both are about this URI.
    pub(super) fn replaces(&self, other: &Self, uri: &Uri) -> bool {
        let exactness = |one: &Self| (one.fixed, !one.has_variables);
        let says_more = exactness(self) > exactness(other);
        let says_as_much = exactness(self) >= exactness(other);
        if !self.speaks_of_all(uri) {
            return false;
        }
        // In a URI without a query, `{?name}` says nothing.
        match (&self.query, &other.query) {
            (None, Some(_)) => uri.query.is_empty() && says_as_much,
            (Some(_), None) => says_more || says_as_much && !uri.query.is_empty(),
            (None, None) => says_more,
            (Some(own), Some(asked)) => {
                let asks_for = |asked: &Parameter| {
                    own.iter().any(|own| !own.may_be_absent && own.is_for(asked))
                };
                says_more && asked.iter().all(|asked| asked.may_be_absent || asks_for(asked))
            }
        }
    }

    /// Whether its rule is about URIs of this one's scheme.
    pub(super) fn has_scheme_of(&self, uri: &str) -> bool {
        let scheme = |text: &str| {
            let scheme = text.split_once(':')?.0.to_lowercase();
            scheme.chars().all(|one| one.is_ascii_alphanumeric()).then_some(scheme)
        };
        match (scheme(&self.path), scheme(uri)) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        }
    }
}

struct Parameter {
    name: String,
    /// Of `{?name}`.
    may_be_absent: bool,
    /// `None` for a variable.
    value: Option<String>,
}

impl Parameter {
    fn read(text: &str) -> Self {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let may_be_absent = value.starts_with("{?");
        let value = (!value.starts_with('{')).then(|| normal_query(value));
        Self { name: normal_query(name), may_be_absent, value }
    }

    fn is_for(&self, wanted: &Self) -> bool {
        self.name == wanted.name && (wanted.value.is_none() || self.value == wanted.value)
    }
}

fn parameters(uri: &Uri) -> Vec<Parameter> {
    uri.query.split('&').filter(|one| !one.is_empty()).map(Parameter::read).collect()
}

/// Splits at the query, which `{?name}` begins as well.
fn split_query(text: &str) -> (&str, Option<String>) {
    match (text.split_once("{?"), text.split_once('?')) {
        (Some((path, name)), _) => {
            let name = name.trim_end_matches('}');
            (path, Some(format!("{name}={{?{name}}}")))
        }
        (None, Some((path, query))) => (path, Some(query.to_owned())),
        (None, None) => (text, None),
    }
}

/// Whether this path is one that the pattern is about.
fn fits(pattern: &str, path: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return path.starts_with(prefix);
    }
    let Some((before, rest)) = pattern.split_once('{') else { return pattern == path };
    let (name, after) = rest.split_once('}').unwrap();
    let Some(rest) = path.strip_prefix(before) else { return false };
    let is_anything = name.starts_with('+');
    let ends = rest.char_indices().map(|(end, _)| end).chain([rest.len()]);
    ends.into_iter().any(|end| {
        let (value, left) = rest.split_at(end);
        (is_anything || !value.is_empty() && !value.contains('/')) && fits(after, left)
    })
}
