//! What a template becomes with the values of a completion.

use serde_json::{Map, Value};

use super::uri::fill;

/// The template, and it with the values that were chosen, and with what is begun.
pub(super) fn completed(
    template: &str,
    chosen: &Map<String, Value>,
    (name, begun): (&str, &str),
) -> Vec<String> {
    // An empty value is none.
    let value_of =
        |variable: &str| chosen.get(variable)?.as_str().filter(|value| !value.is_empty());
    let with_begun =
        |variable: &str| if variable == name { Some(begun) } else { value_of(variable) };
    let filled = filled(template, value_of);
    let whole = self::filled(template, with_begun);
    // A dot at the end may be on the way to a name.
    let tight = begun.strip_suffix('.').unwrap_or(begun);
    let with_tight =
        |variable: &str| if variable == name { Some(tight) } else { value_of(variable) };
    let tight_whole = self::filled(template, with_tight);
    let beginning = fill(template, |expression| {
        if name_in(expression) != name || expression.starts_with(['?', '&', ';']) {
            return value_of(name_in(expression)).map(|value| expanded(expression, value));
        }
        Some(format!("{}{{{expression}}}", expanded(expression, begun)))
    });
    let mut values: Vec<(&str, &str)> =
        chosen.iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
    if !begun.is_empty() {
        values.push((name, begun));
    }
    let mut expressions = template.split('{').skip(1).map(|piece| piece.split('}').next().unwrap());
    let is_known = expressions.any(|expression| name_in(expression) == name);
    let is_elsewhere = !is_known && begun.contains(['/', '{', '&']);
    let mut all = vec![template.to_owned()];
    if values.is_empty() {
        return all;
    }
    let makes_way_up = |text: &str| {
        let without = |text: &str| fill(text, |_| Some(String::new()));
        !leads_up(template) && leads_up(text)
            || !leads_up(&without(template)) && leads_up(&without(text))
    };
    let makes_way_up = makes_way_up(&filled) || makes_way_up(&whole);
    if is_elsewhere || makes_way_up || values.iter().any(|(_, value)| leads_up(value)) {
        // What can be read in two ways.
        all.push(format!("{template}#"));
        return all;
    }
    all.push(filled);
    if !begun.is_empty() {
        all.push(beginning);
    }
    if !tight.is_empty() {
        all.push(tight_whole);
    }
    all
}

/// Whether a name that is `..` is between what separates names; variables do not. No generated value has escapes.
fn leads_up(text: &str) -> bool {
    let separates = |letter: char| {
        letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"-_~.{}".contains(letter)
    };
    text.split(separates).any(|name| name == "..")
}

/// A template with values in the place of its variables, once.
fn filled<'v>(template: &str, value_of: impl Fn(&str) -> Option<&'v str>) -> String {
    fill(template, |expression| {
        let value = value_of(name_in(expression))?;
        Some(expanded(expression, value))
    })
}

/// The name of the only variable of an expression.
fn name_in(expression: &str) -> &str {
    expression.trim_start_matches(['+', '?', '&', '/', '.', ';', '#']).trim_end_matches('*')
}

/// What an expression becomes with this value, whose braces are no expression.
fn expanded(expression: &str, value: &str) -> String {
    let value = value.replace('{', "%7B").replace('}', "%7D");
    let name = name_in(expression);
    match &expression[..1] {
        operator @ ("?" | "&" | ";") => format!("{operator}{name}={value}"),
        operator @ ("/" | "." | "#") => format!("{operator}{value}"),
        _ => value,
    }
}
