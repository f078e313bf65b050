//! A template whose variable is completed, with the values that a client chose, and has begun to write.
//!
//! A server gets these values, and may do with them what it likes. So the template is judged with each of them, and a
//! value with which some reader would leave the template can be read in two ways.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::MessageFault;

/// Bytes of a template with its variables filled in; no rule is about a URI that is longer.
pub(super) const MAX_TEMPLATE: usize = 8192;

/// The completion of a variable of a template, as a client asks for it.
pub(super) struct CompletedTemplate<'m> {
    template: Cow<'m, str>,
    /// Values that the client has chosen already, by the [`key`] of their variable.
    chosen: HashMap<String, Cow<'m, str>>,
    /// The key of the variable that is completed.
    name: String,
    /// What the client has written of its value.
    begun: Cow<'m, str>,
    /// Whether two values were chosen for what some reader takes for one variable.
    has_rivals: bool,
}

impl<'m> CompletedTemplate<'m> {
    /// An empty value is none: many clients send every field of a form.
    pub(super) fn new(
        template: Cow<'m, str>,
        chosen: HashMap<String, Cow<'m, str>>,
        (name, begun): (&str, Cow<'m, str>),
    ) -> Self {
        let mut by_key = HashMap::new();
        let mut has_rivals = false;
        for (variable, value) in chosen {
            if !value.is_empty() {
                has_rivals |= by_key.insert(key(&variable), value).is_some();
            }
        }
        Self { template, chosen: by_key, name: key(name), begun, has_rivals }
    }

    /// The template as it is written, and what it may be for a server that puts values into it: each is judged.
    ///
    /// # Errors
    ///
    /// It is too large.
    pub(super) fn with_all_values(self) -> Result<(Cow<'m, str>, Vec<String>), MessageFault> {
        if self.template.len() > MAX_TEMPLATE {
            return Err(MessageFault::TooLarge);
        }
        if self.chosen.is_empty() && self.begun.is_empty() {
            return Ok((self.template, Vec::new()));
        }
        let chosen = self.filled(None)?;
        if self.leads_elsewhere(&chosen)? {
            // With a fragment it can be read in two ways, whatever else it says.
            let ambiguous = format!("{}#", self.template);
            return Ok((self.template, vec![ambiguous]));
        }
        let mut all = vec![chosen];
        if !self.begun.is_empty() {
            all.push(self.filled(Some(Begun { value: &self.begun, goes_on: true }))?);
        }
        let whole = without_loose_end(&self.begun);
        if !whole.is_empty() {
            all.push(self.filled(Some(Begun { value: whole, goes_on: false }))?);
        }
        all.retain(|filled| **filled != *self.template);
        all.dedup();
        Ok((self.template, all))
    }

    /// Whether some reader of the values would leave the template, or take another value than is judged.
    fn leads_elsewhere(&self, chosen: &str) -> Result<bool, MessageFault> {
        let variables = variables_of(&self.template);
        // Where the template does not have it, a server may take it for any of its variables.
        let is_elsewhere = !variables.contains_key(&self.name) && !is_segment(&self.begun);
        if self.has_rivals || is_elsewhere || leads_up(&self.begun) {
            return Ok(true);
        }
        if !self.begun.is_empty() && variables.get(&self.name) == Some(&Length::Cut) {
            return Ok(true);
        }
        for (name, value) in &self.chosen {
            if leads_up(value) || variables.get(name) == Some(&Length::Cut) {
                return Ok(true);
            }
        }
        // Values may lead up together, or with what is beside them; a variable without a value may be nothing.
        let whole = self.filled(Some(Begun { value: &self.begun, goes_on: false }))?;
        let template = &*self.template;
        Ok(values_lead_up(template, chosen) || values_lead_up(template, &whole))
    }

    /// The template with values in place of its variables, as RFC 6570 puts them in, but without escapes. What is put
    /// in is not looked at again: a value that holds braces would make expansion grow without bound.
    fn filled(&self, begun: Option<Begun<'_>>) -> Result<String, MessageFault> {
        let most = self.most();
        let mut filled = String::with_capacity(self.template.len());
        for piece in Pieces(&self.template) {
            match piece {
                Piece::Fixed(text) => {
                    crate::steps::take(text.len());
                    filled.push_str(text);
                }
                Piece::Expression(expression) => {
                    self.push_expanded(&mut filled, expression, begun, most)?;
                }
            }
            if filled.len() > most {
                return Err(MessageFault::TooLarge);
            }
        }
        Ok(filled)
    }

    /// The most bytes that the template may become. Nobody writes a variable into many places, and what is read must stay
    /// in proportion to what was sent.
    fn most(&self) -> usize {
        let values = self.chosen.values().chain([&self.begun]);
        let all_values: usize = values.map(|value| value.len()).sum();
        MAX_TEMPLATE.min(self.template.len() + 4 * all_values)
    }

    /// Writes an expression with its values, or as it is where it has none. Variables without a value are left out: the
    /// template as it is written is judged too, and stands for them.
    fn push_expanded(
        &self,
        filled: &mut String,
        expression: &str,
        begun: Option<Begun<'_>>,
        most: usize,
    ) -> Result<(), MessageFault> {
        crate::steps::take(expression.len() + 2);
        let (operator, names) = operator_and_names(expression);
        let form = Form::of(operator);
        // A parameter that is begun may go on with others, for which the template stands as it is written.
        let begun = begun.filter(|begun| !begun.goes_on || !form.is_named);
        let mut before = form.first;
        let mut goes_on = true;
        for written in names.split(',') {
            let name = key(written);
            let begun_here = begun.filter(|_| name == self.name);
            let value = match begun_here {
                Some(begun) => Some(begun.value),
                None => self.chosen.get(&name).map(|value| &**value),
            };
            let Some(value) = value else { continue };
            filled.push_str(before);
            if form.is_named {
                filled.extend([name_of(written), "="]);
            }
            push_value(filled, value);
            if filled.len() > most {
                return Err(MessageFault::TooLarge);
            }
            before = form.separator;
            goes_on = begun_here.is_some_and(|begun| begun.goes_on);
        }
        if goes_on {
            filled.extend(["{", expression, "}"]);
        }
        Ok(())
    }
}

/// What is written of a value, and whether it goes on.
#[derive(Clone, Copy)]
struct Begun<'v> {
    value: &'v str,
    goes_on: bool,
}

/// What a value is for as long as nobody knows how it goes on: `New ` is on the way to `New York`, and `.` to
/// `.gitignore`.
fn without_loose_end(begun: &str) -> &str {
    let trimmed = begun.trim_end();
    trimmed.strip_suffix('.').unwrap_or(trimmed)
}

/// How much of a value an expression takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Whole,
    /// The first characters: `{name:3}`.
    Cut,
}

/// The variables of a template, by their [`key`].
fn variables_of(template: &str) -> HashMap<String, Length> {
    let mut variables = HashMap::new();
    for piece in Pieces(template) {
        let Piece::Expression(expression) = piece else { continue };
        for written in operator_and_names(expression).1.split(',') {
            let known = variables.entry(key(written)).or_insert(Length::Whole);
            if is_cut(written) {
                *known = Length::Cut;
            }
        }
    }
    variables
}

/// What readers take for one variable has one key: they leave out spaces, look at no letter case, or give the name as it
/// is written in its expression.
fn key(written: &str) -> String {
    crate::steps::take(written.len() + 1);
    name_of(operator_and_names(written.trim()).1).to_lowercase()
}

/// The name of a variable without what an expression says of it besides.
fn name_of(written: &str) -> &str {
    let name = match written.split_once(':') {
        Some((name, _)) => name,
        None => written,
    };
    name.trim().trim_end_matches('*').trim_end()
}

/// Whether some readers take only the first characters of its value, and others all of it. Other frameworks write a
/// type behind the colon, which begins with a letter.
fn is_cut(written: &str) -> bool {
    match written.split_once(':') {
        Some((_, length)) => !length.trim_start().starts_with(|first: char| first.is_alphabetic()),
        None => false,
    }
}

/// The operator of RFC 6570, or one that it reserves; empty where there is none.
fn operator_and_names(expression: &str) -> (&str, &str) {
    const OPERATORS: &[char] = &['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|'];
    let names = expression.strip_prefix(OPERATORS).unwrap_or(expression);
    (&expression[..expression.len() - names.len()], names)
}

/// Whether a template leads up with values in it, and does not by itself.
fn values_lead_up(template: &str, filled: &str) -> bool {
    if !leads_up(template) && leads_up(filled) {
        return true;
    }
    !leads_up(&without_expressions(template)) && leads_up(&without_expressions(filled))
}

fn without_expressions(template: &str) -> String {
    let mut fixed = String::with_capacity(template.len());
    for piece in Pieces(template) {
        if let Piece::Fixed(text) = piece {
            fixed.push_str(text);
        }
    }
    fixed
}

/// How an expression is written out (RFC 6570, appendix A).
struct Form {
    first: &'static str,
    separator: &'static str,
    /// Whether each value has its name before it.
    is_named: bool,
}

impl Form {
    fn of(operator: &str) -> Self {
        let (first, separator, is_named) = match operator {
            "#" => ("#", ",", false),
            "." => (".", ".", false),
            "/" => ("/", "/", false),
            ";" => (";", ";", true),
            "?" => ("?", "&", true),
            "&" => ("&", "&", true),
            _ => ("", ",", false),
        };
        Self { first, separator, is_named }
    }
}

/// The parts of a template, in turn.
struct Pieces<'t>(&'t str);

enum Piece<'t> {
    Fixed(&'t str),
    /// Without its braces.
    Expression(&'t str),
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let rest = self.0;
        if let Some(inside) = rest.strip_prefix('{')
            && let Some((expression, after)) = inside.split_once('}')
        {
            self.0 = after;
            return Some(Piece::Expression(expression));
        }
        // A brace that nothing closes is no expression.
        let end = match rest.find('{') {
            Some(0) | None => rest.len(),
            Some(end) => end,
        };
        let (fixed, after) = rest.split_at(end);
        self.0 = after;
        (!fixed.is_empty()).then_some(Piece::Fixed(fixed))
    }
}

/// Adds a value. What would be taken for a part of a template, or for half an escape, is written as an escape.
fn push_value(filled: &mut String, value: &str) {
    crate::steps::take(value.len());
    let mut rest = value;
    while let Some(start) = rest.find(['{', '}', '*', '%']) {
        let (before, from_start) = rest.split_at(start);
        let (special, after) = from_start.split_at(1);
        filled.push_str(before);
        filled.push_str(match special {
            "{" => "%7B",
            "}" => "%7D",
            "*" => "%2A",
            _ if begins_with_hex_digits(after) => "%",
            _ => "%25",
        });
        rest = after;
    }
    filled.push_str(rest);
}

fn begins_with_hex_digits(text: &str) -> bool {
    text.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether a text has `..` where some reader could take it for the directory above: between two characters that no
/// name has, one of which may be an end. Dots may be escaped, however often.
fn leads_up(text: &str) -> bool {
    crate::steps::take(text.len());
    let (mut dots, mut has_others) = (0_usize, false);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        let (character, behind) = if first == '%' { escaped(after) } else { (first, after) };
        rest = behind;
        match character {
            // Some readers take them out.
            _ if character.is_control() => return true,
            '.' => dots += 1,
            // Braces: a variable stands for a character at least.
            '{' | '}' => has_others = true,
            _ if is_of_names(character) => has_others = true,
            _ if dots == 2 && !has_others => return true,
            _ => (dots, has_others) = (0, false),
        }
    }
    dots == 2 && !has_others
}

/// Whether no reader takes this character for what is between two names, or cuts it off.
fn is_of_names(character: char) -> bool {
    match character.is_ascii() {
        true => character.is_ascii_alphanumeric() || "-_~".contains(character),
        false => !character.is_whitespace() && character != '\u{feff}',
    }
}

/// Whether a text is a name, for any reader.
fn is_segment(text: &str) -> bool {
    text.chars().all(|character| is_of_names(character) || ['.', ' '].contains(&character))
}

/// What an escape stands for, `2e`, `252e` or `u002e` being a dot, and what follows it. Anything else but a dot counts as
/// a slash.
fn escaped(after_sign: &str) -> (char, &str) {
    let mut digits = after_sign;
    while let Some(more) = digits.strip_prefix("25") {
        digits = more;
    }
    let length = if digits.starts_with(['u', 'U']) { 5 } else { 2 };
    let Some((written, behind)) = digits.split_at_checked(length) else { return ('/', digits) };
    match written.to_ascii_lowercase().as_str() {
        "2e" | "u002e" => ('.', behind),
        _ if written.as_bytes()[length - 2..].iter().all(u8::is_ascii_hexdigit) => ('/', behind),
        _ => ('/', digits),
    }
}
