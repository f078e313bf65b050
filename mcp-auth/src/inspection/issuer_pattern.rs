//! Patterns that issuers of a provider match: `https://{domain=*.auth0.com}/`.
//!
//! `*` stands for any characters but a slash, `**` for any; what is in braces has a name.

/// A part of an issuer that the pattern has a name for.
pub(super) struct NamedPart {
    pub(super) name: String,
    pub(super) value: String,
}

/// One piece of a pattern.
enum Piece<'p> {
    Literal(&'p str),
    Any { slashes: bool },
    Begin(&'p str),
    End,
}

/// The named parts of an issuer, if it matches. A slash at the end of either does not count.
pub(super) fn named_parts(pattern: &str, issuer: &str) -> Option<Vec<NamedPart>> {
    let pieces = pieces_of(pattern.trim_end_matches('/'));
    let text = issuer.trim_end_matches('/');
    let mut named = Vec::new();
    matches_pieces(&pieces, text, text, &mut named).then_some(named)
}

fn pieces_of(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(index) = rest.find(['{', '}', '*']) {
        let (literal, special) = rest.split_at(index);
        pieces.push(Piece::Literal(literal));
        if let Some(opened) = special.strip_prefix('{') {
            let (name, after_name) = opened.split_once('=').unwrap_or((opened, ""));
            pieces.push(Piece::Begin(name));
            rest = after_name;
        } else if let Some(after_name) = special.strip_prefix('}') {
            pieces.push(Piece::End);
            rest = after_name;
        } else {
            rest = special.trim_start_matches('*');
            pieces.push(Piece::Any { slashes: special.len() - rest.len() > 1 });
        }
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// Whether the pieces match what is left of an issuer; the parts with a name are added to `named`.
///
/// `since_name` is what was left of the issuer where the last named part began.
fn matches_pieces(
    pieces: &[Piece<'_>],
    rest: &str,
    since_name: &str,
    named: &mut Vec<NamedPart>,
) -> bool {
    let Some((piece, later_pieces)) = pieces.split_first() else { return rest.is_empty() };
    match piece {
        Piece::Literal(literal) => match rest.strip_prefix(literal) {
            Some(after_literal) => matches_pieces(later_pieces, after_literal, since_name, named),
            None => false,
        },
        Piece::Begin(name) => {
            named.push(NamedPart { name: (*name).to_owned(), value: String::new() });
            let found = matches_pieces(later_pieces, rest, rest, named);
            if !found {
                named.pop();
            }
            found
        }
        Piece::End => {
            if let Some(part) = named.last_mut() {
                part.value = since_name[..since_name.len() - rest.len()].to_owned();
            }
            matches_pieces(later_pieces, rest, rest, named)
        }
        Piece::Any { slashes } => {
            // It stands for one character at least; the shortest that fits is taken.
            let longest = if *slashes { None } else { rest.find('/') }.unwrap_or(rest.len());
            let mut ends = rest.char_indices().map(|(start, char)| start + char.len_utf8());
            ends.by_ref()
                .take_while(|end| *end <= longest)
                .any(|end| matches_pieces(later_pieces, &rest[end..], since_name, named))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_parts_are_found() {
        let rows = [
            ("https://{domain=*.auth0.com}/", "https://t.eu.auth0.com/", "domain=t.eu.auth0.com"),
            ("https://{domain=*.auth0.com}/", "https://t.auth0.com", "domain=t.auth0.com"),
            ("https://{domain=*.auth0.com}/", "https://auth0.com", "no"),
            ("https://{domain=*.auth0.com}/", "https://evil.example/t.auth0.com", "no"),
            ("https://{domain=*.auth0.com}/", "https://t.auth0.com.evil.example", "no"),
            ("{url=**}/realms/{realm=*}", "https://h/auth/realms/a", "url=https://h/auth realm=a"),
            ("{url=**}/realms/{realm=*}", "https://h/realms/a/b", "no"),
            ("https://{a=*}.x/{b=*}/y", "https://é.x/ü/y", "a=é b=ü"),
            ("https://fixed.example/", "https://fixed.example", ""),
        ];
        for (pattern, issuer, expected) in rows {
            let found = named_parts(pattern, issuer).map(|named| {
                let parts: Vec<_> =
                    named.iter().map(|part| format!("{}={}", part.name, part.value)).collect();
                parts.join(" ")
            });
            assert_eq!(found.as_deref().unwrap_or("no"), expected, "{pattern} {issuer}");
        }
    }
}
