//! `WWW-Authenticate` as a client reads it (RFC 9110 §11.6.1).

/// One challenge of a header.
#[derive(Debug, PartialEq)]
pub(crate) struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Every challenge in the values of the headers.
    ///
    /// # Errors
    /// What is wrong with the syntax.
    pub(crate) fn parse_all<'a>(
        values: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Self>, &'static str> {
        let mut challenges = Vec::new();
        for value in values {
            Reader { rest: value }.read_challenges(&mut challenges)?;
        }
        Ok(challenges)
    }

    pub(crate) fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("bearer")
    }

    pub(crate) fn has_parameters(&self) -> bool {
        !self.parameters.is_empty()
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn read_challenges(&mut self, challenges: &mut Vec<Challenge>) -> Result<(), &'static str> {
        let first = challenges.len();
        loop {
            self.rest = self.rest.trim_start_matches([',', ' ', '\t']);
            if self.rest.is_empty() {
                return Ok(());
            }
            let word = self.read_token()?;
            let after = self.rest.trim_start_matches([' ', '\t']);
            let Some(after_equals) = after.strip_prefix('=') else {
                challenges.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
                continue;
            };
            self.rest = after_equals.trim_start_matches([' ', '\t']);
            let value = self.read_value()?;
            let Some(challenge) = challenges.get_mut(first..).and_then(<[_]>::last_mut) else {
                return Err("a parameter stands before any scheme");
            };
            if challenge.parameter(word).is_some() {
                return Err("a parameter is there twice");
            }
            challenge.parameters.push((word.to_owned(), value));
            if !self.rest.trim_start().is_empty() && !self.rest.trim_start().starts_with(',') {
                return Err("parameters are not separated by commas");
            }
        }
    }

    fn read_token(&mut self) -> Result<&'a str, &'static str> {
        let end = self.rest.find(|one| !is_token_character(one)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if token.is_empty() { Err("a name is missing, or a quote is wrong") } else { Ok(token) }
    }

    fn read_value(&mut self) -> Result<String, &'static str> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self
                .read_token()
                .map(str::to_owned)
                .map_err(|_| "a value is missing, or needs quotes");
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Ok(value);
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => value.push(character),
            }
        }
        Err("a quote is not closed")
    }
}

/// Whether it may be in a token (RFC 9110 §5.6.2), or is a slash.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&str]) -> Result<Vec<Challenge>, &'static str> {
        Challenge::parse_all(values.iter().copied())
    }

    #[test]
    fn challenges_are_told_apart() {
        let found = parse(&[
            r#"Basic realm="a, \"b\"", bearer error=invalid_token , scope="x y""#,
            "DPoP algs=\"ES256\"",
        ])
        .unwrap();
        let schemes: Vec<_> = found.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(schemes, ["Basic", "bearer", "DPoP"]);
        assert_eq!(found[0].parameter("realm"), Some(r#"a, "b""#));
        assert!(found[1].is_bearer());
        assert_eq!(found[1].parameter("Error"), Some("invalid_token"));
        assert_eq!(found[1].parameter("scope"), Some("x y"));
        assert_eq!(found[1].parameter("realm"), None);
        assert_eq!(parse(&["Bearer"]).unwrap()[0].parameters, []);
    }

    #[test]
    fn broken_syntax_is_named() {
        for text in [
            r#"Bearer realm="a"#,
            "error=invalid_token",
            "Bearer scope=a scope=b",
            r#"Bearer realm="a" scope="b""#,
            r#"Bearer realm="a", realm="b""#,
            r#"Bearer scope=, realm="b""#,
        ] {
            assert!(parse(&[text]).is_err(), "{text}");
        }
    }
}
