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
pub(super) struct CompletedTemplate<'m, 'v> {
    pub(super) template: Cow<'m, str>,
    /// Values that the client has chosen already.
    pub(super) chosen: &'v HashMap<String, Cow<'m, str>>,
    /// The variable that is completed.
    pub(super) name: Cow<'m, str>,
    /// What the client has written of its value.
    pub(super) begun: Cow<'m, str>,
}

impl<'m> CompletedTemplate<'m, '_> {
    /// What the template may be for a server that puts values into it; each is judged like the template itself.
    ///
    /// # Errors
    ///
    /// It is too large.
    pub(super) fn with_all_values(&self) -> Result<Vec<Cow<'m, str>>, MessageFault> {
        if self.template.len() > MAX_TEMPLATE {
            return Err(MessageFault::TooLarge);
        }
        if self.chosen.is_empty() && self.begun.is_empty() {
            return Ok(Vec::new());
        }
        let variables = variables_of(&self.template);
        let chosen = self.with_values(Begun::LeftOut)?;
        let whole = self.with_values(Begun::Whole)?;
        let mut values: Vec<(&str, &str)> =
            self.chosen.iter().map(|(name, value)| (&**name, &**value)).collect();
        if !self.begun.is_empty() {
            values.push((&self.name, &self.begun));
        }
        // Where the template does not have it, a server may take it for any of its variables.
        let is_elsewhere = !variables.contains_key(&*self.name) && !is_segment(&self.begun);
        let leads_elsewhere = is_elsewhere
            || values.iter().any(|(name, value)| {
                // Of `{name:3}` some readers take three characters, and others all of them.
                variables.get(name) == Some(&Length::Cut) || leads_up(value)
            })
            || !leads_up(&self.template) && (leads_up(&chosen) || leads_up(&whole));
        if leads_elsewhere {
            // With a fragment it can be read in two ways, whatever else it says.
            return Ok(vec![format!("{}#", self.template).into()]);
        }
        let mut all = vec![chosen];
        if !self.begun.is_empty() {
            all.extend([whole, self.with_values(Begun::Beginning)?]);
        }
        all.retain(|filled| **filled != *self.template);
        all.dedup();
        Ok(all.into_iter().map(Cow::Owned).collect())
    }

    /// The template with values in place of its variables, as RFC 6570 puts them in, but without escapes. What is put
    /// in is not looked at again: a value that holds braces would make expansion grow without bound.
    fn with_values(&self, begun: Begun) -> Result<String, MessageFault> {
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
        begun: Begun,
        most: usize,
    ) -> Result<(), MessageFault> {
        crate::steps::take(expression.len() + 2);
        let (operator, names) = operator_and_names(expression);
        let form = Form::of(operator);
        let mut before = form.first;
        let mut goes_on = true;
        for written in names.split(',') {
            let name = name_and_length(written).0;
            let is_begun = *name == *self.name
                && match begun {
                    Begun::LeftOut => false,
                    Begun::Whole => true,
                    // More parameters may follow, for which the template stands as it is written.
                    Begun::Beginning => !form.is_named,
                };
            let value = match is_begun {
                true => Some(&self.begun),
                false => self.chosen.get(name),
            };
            let Some(value) = value else { continue };
            filled.push_str(before);
            if form.is_named {
                filled.extend([name, "="]);
            }
            push_value(filled, value);
            if filled.len() > most {
                return Err(MessageFault::TooLarge);
            }
            before = form.separator;
            goes_on = is_begun && begun == Begun::Beginning;
        }
        if goes_on {
            filled.extend(["{", expression, "}"]);
        }
        Ok(())
    }
}

/// What becomes of the value that is begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// Its variable is left as it is.
    LeftOut,
    /// It is the whole value.
    Whole,
    /// The value goes on.
    Beginning,
}

/// How much of a value an expression takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Whole,
    /// The first characters: `{name:3}`.
    Cut,
}

/// The variables of a template, without what an expression says of them besides.
fn variables_of(template: &str) -> HashMap<&str, Length> {
    let mut variables = HashMap::new();
    for piece in Pieces(template) {
        let Piece::Expression(expression) = piece else { continue };
        for written in operator_and_names(expression).1.split(',') {
            crate::steps::take(written.len() + 1);
            let (name, length) = name_and_length(written);
            let known = variables.entry(name).or_insert(length);
            if length == Length::Cut {
                *known = length;
            }
        }
    }
    variables
}

/// Without spaces, which some readers leave out.
fn name_and_length(written: &str) -> (&str, Length) {
    let trimmed = written.trim().trim_end_matches('*');
    match trimmed.split_once(':') {
        Some((name, length)) if length.contains(|digit: char| digit.is_ascii_digit()) => {
            (name, Length::Cut)
        }
        // Other frameworks write a type there.
        Some((name, _)) => (name, Length::Whole),
        None => (trimmed, Length::Whole),
    }
}

/// The operator of RFC 6570, or one that it reserves; empty where there is none.
fn operator_and_names(expression: &str) -> (&str, &str) {
    const OPERATORS: &[char] = &['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|'];
    let names = expression.strip_prefix(OPERATORS).unwrap_or(expression);
    (&expression[..expression.len() - names.len()], names)
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
    let mut rest = text.as_bytes();
    let (mut dots, mut has_others) = (0_usize, false);
    while let Some((first, after)) = rest.split_first() {
        let (byte, behind) = if *first == b'%' { escaped(after) } else { (*first, after) };
        rest = behind;
        match byte {
            b'.' => dots += 1,
            // Braces: a variable stands for a character at least.
            b'{' | b'}' => has_others = true,
            _ if is_of_names(byte) => has_others = true,
            _ if dots == 2 && !has_others => return true,
            _ => (dots, has_others) = (0, false),
        }
    }
    dots == 2 && !has_others
}

/// Whether no reader takes a character of names for what is between two of them.
fn is_of_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_~".contains(&byte)
}

/// Whether a text is a name, for any reader.
fn is_segment(text: &str) -> bool {
    text.bytes().all(|byte| is_of_names(byte) || b". ".contains(&byte))
}

/// What an escape stands for, `2e` or `252e` and so on being a dot, and what follows it. Anything else but a dot counts as
/// a slash.
fn escaped(after_sign: &[u8]) -> (u8, &[u8]) {
    let mut digits = after_sign;
    while let Some(more) = digits.strip_prefix(b"25") {
        digits = more;
    }
    match digits.split_at_checked(2) {
        Some((pair, behind)) if pair.eq_ignore_ascii_case(b"2e") => (b'.', behind),
        Some((pair, behind)) if pair.iter().all(u8::is_ascii_hexdigit) => (b'/', behind),
        _ => (b'/', digits),
    }
}
