//! The normal form of a resource URI, or why it has none.
//!
//! A server reads a URI with a reader of its own: one after the URL standard (WHATWG, so Node and Rust's `url`),
//! Python's `urllib` or `yarl`, or one that decodes escapes first. Where one of these takes two spellings for the same
//! URI, both have one normal form here, or one of them is refused. Otherwise a client could write a protected URI in a
//! spelling that no rule is about.

mod escapes;
mod host;

use std::borrow::Cow;
use std::ops::Range;

use self::escapes::{CONTROL, Place, folded};
use self::host::{check_host, check_special_host, has_other_forms};

/// The most bytes that a URI may have: no rule is about a longer one.
const LONGEST: usize = 8192;

/// Schemes of which the URL standard reads many spellings as one.
const SPECIAL_SCHEMES: [&str; 6] = ["http", "https", "ws", "wss", "ftp", "file"];

/// Whether the URL standard reads many spellings of this scheme as one.
pub(super) fn is_special(scheme: &[u8]) -> bool {
    SPECIAL_SCHEMES.iter().any(|special| special.as_bytes() == scheme)
}

/// A URI in normal form (RFC 3986 §6.2.2, and further): two spellings that mean the same are equal. Scheme, host and
/// the digits of escapes have one case, and each character is either always escaped or never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NormalUri {
    text: String,
    scheme_end: usize,
    query_start: usize,
}

/// A URI that some server may read as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous {
    /// What in it can be read in two ways, for the operator. It contains nothing of the URI itself.
    pub(crate) reason: &'static str,
}

impl NormalUri {
    /// Reads a URI that a client sent, or the exact URI of a rule; what comes without a scheme too.
    pub(crate) fn read(uri: &str) -> Result<Self, Ambiguous> {
        check_characters(uri).and_then(|()| normal(uri)).map_err(|reason| Ambiguous { reason })
    }

    /// The whole URI; reading it again changes nothing. In place of a host that other readers may
    /// write otherwise, it has a control character, see [`Self::as_pattern`].
    #[cfg(any(fuzzing, test))]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The URI, with `{host}` in place of a host that other readers may write otherwise.
    pub(crate) fn as_pattern(&self) -> Cow<'_, str> {
        match self.text.contains(HOST) {
            true => self.text.replace(HOST, "{host}").into(),
            false => Cow::Borrowed(&self.text),
        }
    }

    /// Whether its host is one that all readers write alike.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn has_known_host(&self) -> bool {
        !self.text.contains(HOST)
    }

    /// In lower case, and empty where the text has none.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn scheme(&self) -> &str {
        &self.text[..self.scheme_end]
    }

    /// What comes before the `?`.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn without_query(&self) -> &str {
        &self.text[..self.query_start]
    }
}

/// Writes the fixed parts of a rule's URI, template or prefix as [`NormalUri::read`] writes them, and
/// leaves `{name}`, `{+name}`, `{?name}` and the `*` at the end as they are.
///
/// # Errors
///
/// What is not supported, or could match no URI that is read, with what to write instead.
pub(crate) fn normal_pattern(rule: &str) -> Result<String, &'static str> {
    let (normal, variables) = normal_with_marks(rule)?;
    if normal.contains(HOST) {
        return Err("letters in the host that have another form (capitals, accents apart, wide \
                    letters, signs): write `{name}` for it, or such names into the path");
    }
    Ok(with_variables(&normal, rule, variables))
}

/// As [`normal_pattern`], for a template of a client: in place of a host that other readers may write otherwise, it has
/// `{host}`, see [`NormalUri::as_pattern`].
pub(super) fn normal_template(template: &str) -> Result<String, &'static str> {
    let (normal, mut variables) = normal_with_marks(template)?;
    let Some(place) = normal.find(HOST) else {
        return Ok(with_variables(&normal, template, variables));
    };
    // The variables of that host are gone.
    let before = normal[..place].matches([SEGMENT, REST, QUERY]).count();
    let after = normal[place..].matches([SEGMENT, REST, QUERY]).count();
    variables.drain(before..variables.len() - after);
    Ok(with_variables(&normal, template, variables).replace(HOST, "{host}"))
}

/// The normal form with marks, and where the variables are in what was written.
fn normal_with_marks(written: &str) -> Result<(String, Vec<Range<usize>>), &'static str> {
    if written.contains(char::is_control) {
        return Err(CONTROL);
    }
    let (marked, variables) = with_marks(written)?;
    check_characters(written)?;
    Ok((normal(&marked)?.text, variables))
}

/// With variables in place of their marks.
fn with_variables(normal: &str, written: &str, variables: Vec<Range<usize>>) -> String {
    let mut pattern = String::with_capacity(written.len());
    let mut places = variables.into_iter();
    for character in normal.chars() {
        match character {
            SEGMENT | REST | QUERY => pattern.extend(places.next().map(|place| &written[place])),
            _ => pattern.push(character),
        }
    }
    pattern
}

// While a pattern is read, a control character, which no URI has, stands for each variable.

/// `{name}`: within a path segment.
const SEGMENT: char = '\u{1}';
/// `{+name}`, or `*` at the end: anything.
const REST: char = '\u{2}';
/// `{?name}`: a query, or nothing.
const QUERY: char = '\u{3}';
/// A host that other readers may write otherwise.
const HOST: char = '\u{4}';

/// The pattern with marks in place of its variables, and where the variables are.
fn with_marks(rule: &str) -> Result<(String, Vec<Range<usize>>), &'static str> {
    const SUPPORTED: &str = "of the expressions of RFC 6570, {name}, {+name} and {?name} are supported: write `{+name}` for \
         what may have slashes, and `%7B` for a brace that is no variable";
    let body = rule.strip_suffix('*').unwrap_or(rule);
    let (mut marked, mut variables) = (String::with_capacity(rule.len()), Vec::new());
    let mut position = 0;
    while let Some(length) = body[position..].find('{') {
        let start = position + length;
        let inside = &body[start + 1..];
        let end =
            inside.find('}').ok_or("`{` without `}`: write `{name}`, or `%7B` for a brace")?;
        let (mark, names) = match inside[..end].split_at_checked(1) {
            Some(("+", names)) => (REST, names),
            Some(("?", names)) => (QUERY, names),
            _ => (SEGMENT, inside[..end].trim_end_matches('*')),
        };
        if names.is_empty() || !names.bytes().all(is_byte_of_names) {
            return Err(SUPPORTED);
        }
        push_fixed(&mut marked, &body[position..start])?;
        marked.push(mark);
        position = start + 1 + end + 1;
        variables.push(start..position);
    }
    push_fixed(&mut marked, &body[position..])?;
    if body.len() < rule.len() {
        marked.push(REST);
        variables.push(body.len()..rule.len());
    }
    Ok((marked, variables))
}

/// Whether it may be in the name of a variable, or between two names.
fn is_byte_of_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.,".contains(&byte)
}

/// Adds the text between two variables.
fn push_fixed(marked: &mut String, fixed: &str) -> Result<(), &'static str> {
    if fixed.contains('*') {
        return Err(
            "`*` may only be at the end: write `{name}` for what is within a path segment, \
                    `{+name}` for anything, or `%2A` for an asterisk",
        );
    }
    if fixed.contains('}') {
        return Err("`}` may only come after `{`: write `%7D` for a brace");
    }
    marked.push_str(fixed);
    Ok(())
}

/// Refuses what other readers cut off, take out or exchange before they read.
fn check_characters(uri: &str) -> Result<(), &'static str> {
    crate::steps::take(uri.len());
    if uri.is_empty() {
        return Err("it is empty");
    }
    if uri.len() > LONGEST {
        return Err("it is longer than 8192 bytes");
    }
    if uri.starts_with(is_cut_off) || uri.ends_with(is_cut_off) || uri.contains(" ?") {
        return Err("white space at an end, which some readers cut off: write `%20`");
    }
    if uri.contains(char::is_control) {
        return Err(CONTROL);
    }
    if uri.contains('\\') {
        return Err("a backslash, which some readers take for a slash: write `/`");
    }
    if uri.contains('#') {
        return Err("a fragment: leave it out");
    }
    Ok(())
}

/// Whether some readers cut this character off at an end of a URI: white space, and the byte order mark.
fn is_cut_off(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

/// The normal form of a URI, or of a pattern with marks.
fn normal(uri: &str) -> Result<NormalUri, &'static str> {
    crate::steps::take(uri.len());
    let (hierarchy, query) = uri.split_at(uri.find(['?', QUERY]).unwrap_or(uri.len()));
    let mut text = String::with_capacity(uri.len() + 1);
    let starts_open = hierarchy
        .find([':', '/', SEGMENT, REST])
        .is_some_and(|first| !hierarchy[first..].starts_with([':', '/']));
    let end = scheme_end(hierarchy);
    if starts_open {
        push_open(&mut text, hierarchy)?;
    } else if let Some(end) = end {
        text.push_str(&hierarchy[..end].to_ascii_lowercase());
        push_after_scheme(&mut text, &hierarchy[end + 1..])?;
    } else {
        push_relative(&mut text, hierarchy)?;
    }
    let query_start = text.len();
    push_query(&mut text, query)?;
    Ok(NormalUri { text, scheme_end: end.unwrap_or_default(), query_start })
}

/// RFC 3986 §3.1: where the scheme ends, if there is one.
fn scheme_end(uri: &str) -> Option<usize> {
    let end = uri.find(':')?;
    is_scheme(&uri[..end]).then_some(end)
}

/// Whether the text can be a scheme (RFC 3986 §3.1).
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Adds a URI without a scheme.
fn push_relative(text: &mut String, path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is a query alone: write the resource before it");
    }
    if path.starts_with("//") {
        return Err("a host without a scheme: write the scheme before it");
    }
    let first = path.split('/').next().unwrap_or(path).to_ascii_lowercase();
    let path = folded(path, Place::Path)?;
    if first.contains("%3a") || scheme_end(&path).is_some() {
        return Err("an escape that hides the end of a scheme");
    }
    check_path(&path)?;
    text.push_str(&path);
    Ok(())
}

/// A pattern that has a variable where the scheme may be: some of its text may turn out to be a
/// scheme or host, or a path.
fn push_open(text: &mut String, hierarchy: &str) -> Result<(), &'static str> {
    let (head, tail) = hierarchy.split_at(hierarchy.find('/').unwrap_or(hierarchy.len()));
    if head.to_ascii_lowercase().contains("%3a") {
        return Err("an escape that hides the end of a scheme");
    }
    if let (Some(scheme), true) = (head.strip_suffix(':'), tail.starts_with("//")) {
        let authority_end = tail[2..].find('/').map_or(tail.len(), |at| at + 2);
        let unsure = if head.contains(REST) { &tail[..authority_end] } else { "" };
        check_open_scheme(scheme)?;
        check_lower_case(unsure)?;
        text.push_str(scheme);
        return push_hierarchy(text, "", tail);
    }
    check_lower_case(if head.contains(REST) { hierarchy } else { head })?;
    let path = folded(hierarchy, Place::Path)?;
    if !head.contains(REST) {
        check_path(&path)?;
    }
    text.push_str(&path);
    Ok(())
}

/// Refuses what is no scheme (RFC 3986 §3.1), whatever its variables stand for: the rule could match nothing.
fn check_open_scheme(scheme: &str) -> Result<(), &'static str> {
    let begins_wrong = scheme.starts_with(|first: char| "0123456789+-.".contains(first));
    let is_whole = scheme.chars().all(|character| {
        character.is_ascii_alphanumeric() || ['+', '-', '.', SEGMENT, REST].contains(&character)
    });
    if begins_wrong || !is_whole {
        return Err(
            "what comes before `://` is no scheme: write letters, digits, `+`, `-` and `.`",
        );
    }
    check_lower_case(scheme)
}

/// What comes after the scheme, which the text already has.
fn push_after_scheme(text: &mut String, rest: &str) -> Result<(), &'static str> {
    let scheme = text.clone();
    let after_slashes = rest.trim_start_matches('/');
    let slashes = rest.len() - after_slashes.len();
    let is_special = SPECIAL_SCHEMES.contains(&&*scheme);
    if rest.is_empty() {
        return Err("nothing comes after the scheme");
    }
    if scheme == "url" {
        return Err("the scheme `url`, which some readers leave out");
    }
    // What begins with anything may go on as host or path.
    let least = if scheme == "file" { 3 } else { 2 };
    if after_slashes.starts_with(REST) && slashes < least {
        check_lower_case(after_slashes)?;
        text.push(':');
        text.push_str(&folded(rest, Place::Path)?);
        return Ok(());
    }
    match slashes {
        0 if !is_special => {
            let path = if scheme == "urn" { with_urn_namespace(rest)? } else { rest.to_owned() };
            let path = folded(&path, Place::Path)?;
            check_path(&path)?;
            text.push(':');
            text.push_str(&path);
            Ok(())
        }
        0 | 1 => Err("a scheme that not two slashes follow: write `scheme://…`"),
        _ if scheme == "file" => push_file(text, rest),
        2 => push_hierarchy(text, &scheme, rest),
        _ if is_special => Err("more than two slashes before the host: write `scheme://host/…`"),
        // How many slashes come before the host of a scheme without rules of its own makes no
        // difference.
        _ => push_hierarchy(text, &scheme, &rest[slashes - 2..]),
    }
}

/// RFC 8141 §3.1: the namespace of a URN has no case.
fn with_urn_namespace(path: &str) -> Result<String, &'static str> {
    let (namespace, specific) = path.split_at(path.find(':').unwrap_or(path.len()));
    let (sure, unsure) = namespace.split_at(namespace.find(REST).unwrap_or(namespace.len()));
    check_lower_case(unsure)?;
    Ok(sure.to_ascii_lowercase() + unsure + specific)
}

/// Adds `//`, a host and a path. The scheme is empty where it is not known.
fn push_hierarchy(text: &mut String, scheme: &str, rest: &str) -> Result<(), &'static str> {
    let (authority, path) = rest[2..].split_at(rest[2..].find('/').unwrap_or(rest.len() - 2));
    let (sure, unsure) = authority.split_at(authority.find(REST).unwrap_or(authority.len()));
    check_lower_case(unsure)?;
    let host = sure.to_ascii_lowercase() + unsure;
    if host.contains("%3a") || host.contains("%40") {
        return Err("an escaped colon or at sign in the host: write such values into the path");
    }
    let host = folded(&host, Place::Path)?;
    let path = folded(path, Place::Path)?;
    let is_special = SPECIAL_SCHEMES.contains(&scheme);
    if is_special {
        check_special_host(scheme, &host)?;
    } else {
        check_host(&host)?;
    }
    check_path(&path)?;
    text.push_str("://");
    let is_any_host = !is_special && has_other_forms(&host)?;
    if is_any_host && !unsure.is_empty() {
        return Err("letters in the host that have another form, beside what may be anything");
    }
    match is_any_host {
        true => text.push(HOST),
        false => text.push_str(&host),
    }
    text.push_str(&path);
    // The URL standard gives such a URL the path that it means.
    if is_special && path.is_empty() && unsure.is_empty() {
        text.push('/');
    }
    Ok(())
}

/// Adds a file of this machine; its drive, if it has one, in upper case.
fn push_file(text: &mut String, rest: &str) -> Result<(), &'static str> {
    let path = rest.strip_prefix("//").filter(|path| path.starts_with('/'));
    let path = path.ok_or("a file on another host: write `file:///…`")?;
    let path = folded(path, Place::Path)?;
    check_path(&path)?;
    let first = path[1..].split('/').next().unwrap_or(&path[1..]);
    let (letter, after) = first.split_at_checked(1).unwrap_or_default();
    let is_letter = letter.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.push_str("://");
    match (is_letter, after) {
        (true, "%7C") => return Err("a drive with `|`: write `C:`"),
        (true, ":") => {
            text.push('/');
            text.push_str(&letter.to_ascii_uppercase());
            text.push_str(&path[2..]);
        }
        _ => text.push_str(&path),
    }
    Ok(())
}

fn push_query(text: &mut String, query: &str) -> Result<(), &'static str> {
    match query.strip_prefix('?') {
        Some(pairs) if pairs.contains(QUERY) => {
            Err("`{?name}` after a `?`: write all names in one, or `{name}` for a value")
        }
        None if query.len() <= 1 => {
            text.push_str(query);
            Ok(())
        }
        Some(pairs) => push_pairs(text, &folded(pairs, Place::Query)?),
        None => Err("nothing can come after `{?name}`: write all names in one"),
    }
}

/// Adds a query as pairs of a form: each name gets a value, if only an empty one, and empty pairs are left out. To
/// those who read forms, `?a` and `?a=` are the same, and `?a&&b` and `?a&b`.
fn push_pairs(text: &mut String, query: &str) -> Result<(), &'static str> {
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        text.push(separator);
        text.push_str(pair);
        separator = '&';
        if pair.ends_with([SEGMENT, REST]) || pair.contains('=') {
            continue;
        }
        if pair.contains([SEGMENT, REST]) {
            return Err("a variable in the name of a query: write `?name={value}`");
        }
        text.push('=');
    }
    Ok(())
}

/// Refuses segments that some readers resolve or leave out.
fn check_path(path: &str) -> Result<(), &'static str> {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        // Some servers cut off what comes after a semicolon first.
        let name = segment.split(';').next().unwrap_or(segment);
        if matches!(name, "." | "..") {
            return Err("`.` or `..` as a path segment: write the path that it means");
        }
        if name.is_empty() && segments.peek().is_some() {
            return Err("an empty path segment: write one slash");
        }
    }
    Ok(())
}

/// Refuses capitals in a text that may turn out to be a scheme or host, which have no case, or a path, which has.
fn check_lower_case(unsure: &str) -> Result<(), &'static str> {
    let mut bytes = unsure.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            // The digits of an escape.
            bytes.nth(1);
        } else if byte.is_ascii_uppercase() {
            return Err(
                "capitals where a scheme, a host or a path may be: write the scheme and the \
                        host before them, or small letters",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
