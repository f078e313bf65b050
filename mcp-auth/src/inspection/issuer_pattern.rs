//! Patterns that issuers of a provider match: `https://{domain=*.auth0.com}/`.
//!
//! `*` stands for any characters but a slash, `**` for any; what is in braces has a name.

/// One piece of a pattern.
enum Piece<'p> {
    Literal(&'p str),
    Any { slashes: bool },
    Begin(&'p str),
    End,
}

/// The named parts of an issuer, if it matches. A slash at the end of either does not count.
pub(super) fn captures(pattern: &str, issuer: &str) -> Option<Vec<(String, String)>> {
    let pieces = pieces(pattern.trim_end_matches('/'));
    let issuer = issuer.trim_end_matches('/');
    let mut named = Vec::new();
    matches(&pieces, issuer, issuer, &mut named).then_some(named)
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}', '*']) {
        let (literal, special) = rest.split_at(at);
        pieces.push(Piece::Literal(literal));
        rest = if let Some(after) = special.strip_prefix('{') {
            let (name, after) = after.split_once('=').unwrap_or((after, ""));
            pieces.push(Piece::Begin(name));
            after
        } else if let Some(after) = special.strip_prefix('}') {
            pieces.push(Piece::End);
            after
        } else {
            let after = special.trim_start_matches('*');
            pieces.push(Piece::Any { slashes: special.len() - after.len() > 1 });
            after
        };
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// `part`: what is left of the issuer since the last name began.
fn matches(
    pieces: &[Piece<'_>],
    rest: &str,
    part: &str,
    named: &mut Vec<(String, String)>,
) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else { return rest.is_empty() };
    match piece {
        Piece::Literal(literal) => {
            rest.strip_prefix(literal).is_some_and(|rest| matches(pieces, rest, part, named))
        }
        Piece::Begin(name) => {
            named.push(((*name).to_owned(), String::new()));
            let found = matches(pieces, rest, rest, named);
            if !found {
                named.pop();
            }
            found
        }
        Piece::End => {
            let value = part[..part.len() - rest.len()].to_owned();
            if let Some((_, last)) = named.last_mut() {
                *last = value;
            }
            matches(pieces, rest, rest, named)
        }
        Piece::Any { slashes } => {
            let end = if *slashes { None } else { rest.find('/') }.unwrap_or(rest.len());
            let mut ends = rest.char_indices().map(|(at, char)| at + char.len_utf8());
            ends.by_ref()
                .take_while(|at| *at <= end)
                .any(|at| matches(pieces, &rest[at..], part, named))
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
            let found = captures(pattern, issuer).map(|named| {
                let parts: Vec<_> = named.iter().map(|(a, b)| format!("{a}={b}")).collect();
                parts.join(" ")
            });
            assert_eq!(found.as_deref().unwrap_or("no"), expected, "{pattern} {issuer}");
        }
    }
}
