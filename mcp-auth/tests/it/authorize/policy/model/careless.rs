//! What careless servers make of a template and of values for its variables.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What values consist of: everything that leads out of a directory for somebody, and hides it.
pub(super) const VALUES: &str = r"([./%?#{}:;*\\a]|\.\.|/|%2[eEfF]|%252e|%5c){0,7}";

/// The variable `c` was chosen, and `b` is begun.
pub(super) const TEMPLATES: [&str; 13] = [
    "n://a/{b}",
    "n://a/{c}/{b}",
    "n://a/{c}{b}",
    "n://a/{c}.{b}",
    "n://a/.{c}{+b}",
    "n://a/x{/b}",
    "n://a/{c}{.b}",
    "n://a/{c}{;b}",
    "n://a/{b*}/{c}",
    "n://a/{c}{?b}",
    "n://a/{c:3}/{b}",
    "n://a/{ c }{b,c}",
    "n://a/x",
];

/// Whether a server that decodes, cuts off or repairs what it likes leaves `n://a/`.
pub(super) fn leaves(template: &str, chosen: &str, begun: &str) -> bool {
    let filled = filled(template, chosen, begun);
    let mut readings = vec![filled, format!("n://a/{begun}"), format!("n://a/{chosen}")];
    for _ in 0..3 {
        readings.extend(readings.iter().map(|one| decoded(one)).collect::<Vec<_>>());
    }
    let cut = |text: &str, sign| text.split(sign).next().unwrap().to_owned();
    readings.extend(readings.iter().map(|one| cut(one, '?')).collect::<Vec<_>>());
    readings.extend(readings.iter().map(|one| cut(one, '#')).collect::<Vec<_>>());
    readings.iter().any(|one| is_outside(one) || is_outside(&without_parameters(one)))
}

/// With raw values, as many of them as the template has places for.
fn filled(template: &str, chosen: &str, begun: &str) -> String {
    let mut filled = String::new();
    for piece in template.split_inclusive('}') {
        let Some((fixed, expression)) = piece.split_once('{') else {
            filled += piece;
            continue;
        };
        filled += fixed;
        let (operator, names) = match &expression[..1] {
            sign @ ("/" | "." | ";" | "?") => (sign, &expression[1..]),
            _ => ("", expression),
        };
        filled += operator;
        filled += if names.contains('b') { begun } else { chosen };
    }
    filled
}

fn decoded(text: &str) -> String {
    let decoded: Cow<'_, str> = percent_decode_str(text).decode_utf8_lossy();
    decoded.into_owned()
}

fn without_parameters(text: &str) -> String {
    let segments = text.split('/').map(|segment| segment.split(';').next().unwrap());
    segments.collect::<Vec<_>>().join("/")
}

fn is_outside(text: &str) -> bool {
    let path = text.replace('\\', "/");
    let mut open: Vec<&str> = Vec::new();
    for segment in path.strip_prefix("n://").unwrap().split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(open.pop()),
            name => open.push(name),
        }
        if open.first() != Some(&"a") {
            return true;
        }
    }
    false
}
