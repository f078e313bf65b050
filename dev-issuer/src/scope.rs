use crate::builder::Settings;

/// The default `scopes_supported`.
pub(crate) const DEFAULT: [&str; 5] = ["mcp", "openid", "profile", "email", "offline_access"];

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
pub(crate) fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

/// The distinct scopes of a `scope` parameter in order, or the one that cannot be granted.
/// Absent means every supported scope but those of OpenID Connect.
pub(crate) fn requested(settings: &Settings, scope: Option<&str>) -> Result<Vec<String>, String> {
    let supported = &settings.scopes;
    let Some(scope) = scope else {
        let plain = |scope: &&String| !DEFAULT[1..].contains(&scope.as_str());
        return Ok(supported.iter().filter(plain).cloned().collect());
    };
    let mut scopes = Vec::new();
    for scope in scope.split(' ').filter(|scope| !scope.is_empty()) {
        let known = settings.any_scope || supported.iter().any(|supported| supported == scope);
        if !is_scope_token(scope) || !known {
            return Err(scope.to_owned());
        }
        if !scopes.iter().any(|seen| seen == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_distinct_and_in_order() {
        let scopes = requested(&Settings::default(), Some("b a  b"));
        assert_eq!(scopes, Ok(vec!["b".to_owned(), "a".to_owned()]));
    }

    #[test]
    fn unknown_scopes_are_refused_when_configured_so() {
        let settings = Settings { any_scope: false, ..Settings::default() };
        assert_eq!(requested(&settings, Some("mcp other")), Err("other".to_owned()));
        assert_eq!(requested(&settings, Some("a\"b")), Err("a\"b".to_owned()));
    }

    #[test]
    fn absent_scope_means_the_supported_ones_without_openid() {
        assert_eq!(requested(&Settings::default(), None), Ok(vec!["mcp".to_owned()]));
    }
}
