//! Which resources a rule is about: one URI, a URI template (RFC 6570), or a prefix.
//!
//! A pattern has two halves. Its path must be matched in full. Its query, if it has one, is a set of
//! parameters, whose order says nothing to a server.
//!
//! What is asked for is a pattern too: a URI, which has no variables, or a template, which stands for
//! many URIs. So there are two questions about a rule: is it about some URI that the template stands
//! for ([`ResourcePattern::meets`]), and is it about all of them ([`ResourcePattern::covers`])? For a
//! URI both have one answer.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::pieces::{Class, Piece, Question, pieces_answer};
use super::uri::{NormalUri, is_special, normal_pattern, normal_template};

/// The URIs that a rule is about, or that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ResourcePattern {
    path: Vec<Piece>,
    /// `None`: nothing is said about the query.
    query: Option<Query>,
    precision: Precision,
}

/// The query of a pattern: a set of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Query {
    /// Each of these parameters is there.
    required: Vec<Vec<Piece>>,
    /// Parameters of these names can be there: `{?name}`.
    optional: Vec<String>,
}

impl Query {
    /// Whether each parameter that is asked for is one of these.
    fn has_all_of(&self, asked: &Self, question: Question) -> bool {
        let has_optional = question == Question::Meets
            || asked.optional.iter().all(|name| self.optional.contains(name));
        has_optional && asked.required.iter().all(|given| self.has_parameter(given, question))
    }

    fn has_parameter(&self, given: &[Piece], question: Question) -> bool {
        self.required.iter().any(|required| pieces_answer(required, given, question))
            || self.optional.iter().any(|name| is_parameter_named(given, name))
    }
}

/// How exactly a rule says what it is about; of two, the greater one says more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Precision {
    fixed_characters: usize,
    has_no_variables: bool,
}

impl Precision {
    fn of(path: &[Piece]) -> Self {
        let fixed_characters = path.iter().filter_map(Piece::fixed_byte).count();
        Self { fixed_characters, has_no_variables: fixed_characters == path.len() }
    }
}

impl ResourcePattern {
    /// Reads a rule's URI, template or prefix; the fault says what to write instead.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let normal = normal_pattern(written)?;
        let (text, is_prefix) = match normal.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (&*normal, false),
        };
        Self::read(text, is_prefix)
    }

    /// What a URI asks for.
    pub(super) fn of_uri(uri: &NormalUri) -> Result<Self, String> {
        // No URI in normal form has braces, so nothing in it is taken for a variable.
        Self::read(&uri.as_pattern(), false)
    }

    /// What a template of a client or of a list stands for, in any form of RFC 6570. An expression that
    /// rules do not have stands for anything.
    pub(super) fn of_template(template: &str) -> Result<Self, String> {
        let simplified = simplified(template)?;
        let normal = normal_template(&simplified)?;
        Self::read(&normal, false)
    }

    /// Reads text in normal form.
    fn read(text: &str, is_prefix: bool) -> Result<Self, String> {
        let (path_text, query_text) = text.split_at(query_start(text));
        let mut path = read_pieces(path_text, Segment::OfPath)?;
        let mut query = read_query(query_text, is_prefix)?;
        if is_prefix {
            let anything = Piece { class: Class::Any, repeats: true };
            match &mut query {
                None => path.push(anything),
                Some(query) => match query.required.last_mut() {
                    Some(last) => last.push(anything),
                    None => query.required.push(vec![anything]),
                },
            }
        }
        let precision = Precision::of(&path);
        Ok(Self { path, query, precision })
    }

    /// The path without variables, by which such a rule is found.
    pub(super) fn plain_path(&self) -> Option<String> {
        let bytes: Option<Vec<u8>> = self.path.iter().map(Piece::fixed_byte).collect();
        String::from_utf8(bytes?).ok()
    }

    /// Whether it is one URI with any query.
    pub(super) fn is_plain(&self) -> bool {
        !self.has_query() && self.precision.has_no_variables
    }

    /// Whether its path may end with anything, also with a slash.
    pub(super) fn ends_open(&self) -> bool {
        self.path.last().is_some_and(|last| last.class == Class::Any)
    }

    pub(super) fn has_query(&self) -> bool {
        self.query.is_some()
    }

    pub(super) fn path(&self) -> &[Piece] {
        &self.path
    }

    pub(super) fn with_path(&self, path: Vec<Piece>) -> Self {
        let precision = Precision::of(&path);
        Self { path, precision, query: self.query.clone() }
    }

    /// The parameters that are written in its query.
    pub(super) fn parameters(&self) -> &[Vec<Piece>] {
        self.query.as_ref().map_or(&[], |query| &query.required)
    }

    pub(super) fn with_parameters(&self, required: Vec<Vec<Piece>>) -> Self {
        let optional = self.query.iter().flat_map(|query| query.optional.clone()).collect();
        Self { query: Some(Query { required, optional }), ..self.clone() }
    }

    /// With `{?any}`, which may stand for any parameters, beside those of its query.
    pub(super) fn with_any_query(&self) -> Self {
        let mut query = match &self.query {
            Some(query) => query.clone(),
            None => Query::default(),
        };
        query.optional.push("any".to_owned());
        Self { query: Some(query), ..self.clone() }
    }

    /// Whether it is `https://host/` or the like, with or without variables.
    pub(super) fn is_root_of_site(&self) -> bool {
        let slash = Piece::byte(b'/');
        let fixed_start = self.path.iter().map_while(Piece::fixed_byte);
        let scheme: Vec<u8> = fixed_start.take_while(|byte| *byte != b':').collect();
        is_special(&scheme)
            && self.path.iter().filter(|piece| **piece == slash).count() == 3
            && self.path.last() == Some(&slash)
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether what it stands for has a query: always or never, or both where the query may be left out.
    pub(super) fn may_have_query(&self) -> &'static [bool] {
        match &self.query {
            Some(query) if !query.optional.is_empty() => &[true, false],
            Some(_) => &[true],
            None if self.stands_for_anything() => &[true, false],
            None => &[false],
        }
    }

    /// Whether this rule is about some of what is asked for. A rule that asks for something counts also
    /// where there are more parameters than its own; an open rule does not.
    pub(super) fn meets(&self, asked: &Self, is_open: bool) -> bool {
        self.answers(asked, is_open, Question::Meets)
    }

    /// Whether this rule is about all that is asked for.
    pub(super) fn covers(&self, asked: &Self, is_open: bool) -> bool {
        self.answers(asked, is_open, Question::Covers)
    }

    fn answers(&self, asked: &Self, is_open: bool, question: Question) -> bool {
        pieces_answer(&self.path, &asked.path, question)
            && self.query_answers(asked, is_open, question)
    }

    fn query_answers(&self, asked: &Self, is_open: bool, question: Question) -> bool {
        let Some(own) = &self.query else { return true };
        let nothing = Query::default();
        let asked_query = asked.query.as_ref().unwrap_or(&nothing);
        // What stands for anything may also stand for parameters: `{+rest}` for `?admin=1`.
        let stands_for_anything = asked.stands_for_anything();
        if question == Question::Covers && is_open && stands_for_anything {
            return false;
        }
        let may_have_any_parameter = question == Question::Meets
            && (stands_for_anything || !asked_query.optional.is_empty());
        let has_required = may_have_any_parameter
            || has_each_parameter(&asked_query.required, &own.required, question);
        has_required && (!is_open || own.has_all_of(asked_query, question))
    }

    /// Whether this rule speaks of each parameter that is asked for. Only then it takes the place of other rules: they
    /// may be there for the parameters that it does not speak of, which anybody may add to a URI.
    pub(super) fn speaks_of_all(&self, asked: &Self) -> bool {
        let Some(own) = &self.query else { return true };
        let Some(asked_query) = &asked.query else { return true };
        !asked.stands_for_anything() && own.has_all_of(asked_query, Question::Covers)
    }

    /// Whether a URI that this stands for may have parameters that are not written here.
    fn stands_for_anything(&self) -> bool {
        let queries = self.query.iter().flat_map(|query| query.required.iter().flatten());
        self.path.iter().chain(queries).any(|piece| piece.class == Class::Any)
    }

    /// Whether a URI with the parameters of this has those of the other as well.
    fn has_parameters_of(&self, other: &Self) -> bool {
        has_each_parameter(self.parameters(), other.parameters(), Question::Covers)
    }

    /// Whether this rule takes the place of the other one where both match: it says more exactly what it is
    /// about. A rule that speaks of the query is never replaced by one that does not. A rule for some
    /// parameters is replaced only by one for these parameters as well, because anybody may add others.
    pub(super) fn replaces(&self, other: &Self, asked_has_query: bool) -> bool {
        let order = self.precision().cmp(&other.precision());
        match (self.speaks_of_query(asked_has_query), other.speaks_of_query(asked_has_query)) {
            (true, false) => order != Ordering::Less,
            (false, true) => false,
            (true, true) => order == Ordering::Greater && self.has_parameters_of(other),
            // Where there is no query, a rule that might have one says less exactly what it is about.
            (false, false) => {
                let has_less = self.query.is_none() && other.query.is_some();
                order == Ordering::Greater || (order == Ordering::Equal && has_less)
            }
        }
    }

    /// Whether what it says about the query matters for what is asked for. Optional parameters alone do not matter where
    /// there is no query.
    fn speaks_of_query(&self, asked_has_query: bool) -> bool {
        match &self.query {
            Some(query) => asked_has_query || !query.required.is_empty(),
            None => false,
        }
    }
}

/// Whether each required parameter is among the given ones.
fn has_each_parameter(
    given_ones: &[Vec<Piece>],
    required_ones: &[Vec<Piece>],
    question: Question,
) -> bool {
    required_ones
        .iter()
        .all(|required| given_ones.iter().any(|given| pieces_answer(required, given, question)))
}

/// Whether the parameter has this name.
fn is_parameter_named(parameter: &[Piece], name: &str) -> bool {
    let Some((start, rest)) = parameter.split_at_checked(name.len()) else { return false };
    let has_name =
        start.iter().zip(name.bytes()).all(|(piece, byte)| piece.class == Class::Byte(byte));
    has_name && matches!(rest.first().map(|piece| piece.class), None | Some(Class::Byte(b'=')))
}

/// The query of a text in normal form: `?…`, `{?name}` or nothing.
fn read_query(text: &str, is_prefix: bool) -> Result<Option<Query>, String> {
    if let Some(parameters) = text.strip_prefix('?') {
        let mut query = Query::default();
        let mut written = parameters_of(parameters).filter(|one| !one.is_empty()).peekable();
        while let Some(parameter) = written.next() {
            let complete = match is_prefix && written.peek().is_none() {
                // The prefix may end within a name.
                true => parameter.into(),
                false => with_value(parameter),
            };
            query.required.push(read_pieces(&complete, Segment::OfQuery)?);
        }
        return Ok(Some(query));
    }
    let Some(expression) = text.strip_prefix("{?") else { return Ok(None) };
    match expression.strip_suffix('}') {
        Some(names) if !names.contains('}') => {
            let optional = names.split(',').map(str::to_owned).collect();
            Ok(Some(Query { optional, ..Query::default() }))
        }
        _ => Err("nothing may follow `{?name}`".to_owned()),
    }
}

/// One character of a segment, and any number of further ones.
const SOME_OF_A_SEGMENT: [Piece; 2] = [
    Piece { class: Class::Segment, repeats: false },
    Piece { class: Class::Segment, repeats: true },
];

fn bytes_of(text: &str) -> impl Iterator<Item = Piece> {
    text.bytes().map(Piece::byte)
}

/// The parameter with an equals sign at its end, if it has none: `?draft` and `?draft=` mean the same.
fn with_value(parameter: &str) -> Cow<'_, str> {
    if parameter.contains(['=', '{']) { parameter.into() } else { format!("{parameter}=").into() }
}

/// What `{name}` stands for.
#[derive(Clone, Copy)]
enum Segment {
    /// One character or more, but no slash.
    OfPath,
    /// The rest of a parameter, also nothing.
    OfQuery,
}

/// Where the query begins: at a question mark, or at `{?`.
fn query_start(text: &str) -> usize {
    let mut is_expression = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text[position..].starts_with("{?") => return position,
            b'{' => is_expression = true,
            b'}' => is_expression = false,
            b'?' if !is_expression => return position,
            _ => {}
        }
    }
    text.len()
}

/// The parameters of a query, which `&` separates. An `&` inside an expression separates nothing.
fn parameters_of(query: &str) -> impl Iterator<Item = &str> {
    let mut is_expression = false;
    query.split(move |character| {
        match character {
            '{' => is_expression = true,
            '}' => is_expression = false,
            _ => {}
        }
        character == '&' && !is_expression
    })
}

/// The pieces of a text with `{name}` and `{+name}`.
fn read_pieces(text: &str, segment: Segment) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((fixed, variable)) = rest.split_once('{') {
        let (expression, after) = variable.split_once('}').ok_or("`{` without `}`")?;
        pieces.extend(bytes_of(fixed));
        match expression.strip_prefix('+') {
            Some(name) if is_name(name) => {
                pieces.push(Piece { class: Class::Any, repeats: true });
            }
            None if is_name(expression) => match segment {
                Segment::OfPath => pieces.extend(SOME_OF_A_SEGMENT),
                Segment::OfQuery => pieces.push(Piece { class: Class::Parameter, repeats: true }),
            },
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        rest = after;
    }
    pieces.extend(bytes_of(rest));
    if rest.contains('}') {
        return Err("`}` without `{`".to_owned());
    }
    Ok(pieces)
}

const UNSUPPORTED: &str =
    "of the expressions of RFC 6570, {name}, {+name} and, at the end, {?name} are supported";

/// Whether it can be the name of a variable.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
}

/// Expressions that a template may have: each may stand for anything, so that many are slow to compare, and
/// nobody writes so many.
const MAX_EXPRESSIONS: usize = 32;

/// The template with `{+any}` in place of the expressions that rules do not have.
fn simplified(template: &str) -> Result<String, String> {
    if template.matches('{').count() > MAX_EXPRESSIONS {
        return Err("too many expressions".to_owned());
    }
    let mut simplified = String::with_capacity(template.len());
    let mut query_names: Vec<&str> = Vec::new();
    let mut rest = template;
    while let Some((fixed, variable)) = rest.split_once('{') {
        let (expression, after) = variable.split_once('}').ok_or("`{` without `}`")?;
        if !query_names.is_empty() && !fixed.is_empty() {
            return Err("something follows a query".to_owned());
        }
        simplified.push_str(fixed);
        match expression.split_at_checked(1) {
            Some(("?" | "&", names)) if names.split(',').all(is_name) => query_names.push(names),
            _ if is_name(expression) || expression.strip_prefix('+').is_some_and(is_name) => {
                simplified.extend(["{", expression, "}"]);
            }
            _ => simplified.push_str("{+any}"),
        }
        rest = after;
    }
    if rest.contains('}') || (!query_names.is_empty() && !rest.is_empty()) {
        return Err("`}` without `{`, or something that follows a query".to_owned());
    }
    // An asterisk at the end is itself here, and no prefix as in a rule.
    match rest.strip_suffix('*') {
        Some(before) => simplified.extend([before, "%2A"]),
        None => simplified.push_str(rest),
    }
    if !query_names.is_empty() {
        // With `?a=1{&b}` anything may follow the parameters that are written.
        match query_start(&simplified) == simplified.len() {
            true => simplified.extend(["{?", &query_names.join(","), "}"]),
            false => simplified.push_str("&{+any}"),
        }
    }
    Ok(simplified)
}
