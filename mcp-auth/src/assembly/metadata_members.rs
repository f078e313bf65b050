//! What a resource says of itself, checked: members of RFC 9728 that are passed on as they are.

use crate::config::{Faults, ProtectedResource};
use crate::identifier::{PlainHttp, check_fetchable};

/// RFC 9728 §2.1: what may be said in several languages.
const IN_SEVERAL_LANGUAGES: [&str; 4] =
    ["resource_name", "resource_documentation", "resource_policy_uri", "resource_tos_uri"];

/// Adds a fault for each member that no client could use.
pub(super) fn check_metadata_members(config: &ProtectedResource, faults: &mut Faults<'_>) {
    check_pages(config, faults);
    check_keys(config, faults);
    for name in config.localized.keys().filter(|name| !is_localized_name(name)) {
        let reason = format!(
            "{name:?} is not the name of a member with a language, such as resource_name#de"
        );
        faults.add("localized", reason);
    }
    let lists = [
        ("resource_signing_alg_values_supported", &config.resource_signing_alg_values_supported),
        ("authorization_details_types_supported", &config.authorization_details_types_supported),
        ("dpop_signing_alg_values_supported", &config.dpop_signing_alg_values_supported),
    ];
    for (field, list) in lists {
        for value in list.iter().filter(|value| value.is_empty() || *value == "none") {
            // RFC 9728 §2: the algorithm none must not be used.
            faults.add(field, format!("{value:?} must not be there"));
        }
    }
    if config.signed_metadata.as_ref().is_some_and(|signed| !has_form_of_jwt(signed)) {
        faults.add("signed_metadata", "is not a signed JWT");
    }
}

/// Clients show these to people, who follow them.
fn check_pages(config: &ProtectedResource, faults: &mut Faults<'_>) {
    let pages = [
        ("resource_policy_uri", &config.resource_policy_uri),
        ("resource_tos_uri", &config.resource_tos_uri),
    ];
    for (field, page) in pages {
        if let Some(url) = page
            && !is_page(url)
        {
            faults.add(field, format!("{url:?} is not the URL of a page"));
        }
    }
    let names_of_pages = &IN_SEVERAL_LANGUAGES[2..];
    for (name, url) in &config.localized {
        let is_of_page = name.split('#').next().is_some_and(|base| names_of_pages.contains(&base));
        if is_of_page && !is_page(url) {
            faults.below("localized").add(name, format!("{url:?} is not the URL of a page"));
        }
    }
}

/// RFC 9728 §2: `jwks_uri` must use https.
fn check_keys(config: &ProtectedResource, faults: &mut Faults<'_>) {
    if let Some(url) = &config.jwks_uri
        && let Err(error) = check_fetchable(url, PlainHttp::Loopback)
    {
        faults.add("jwks_uri", format!("{url:?} {error}"));
    }
}

/// An absolute web URL, with or without a fragment.
fn is_page(url: &str) -> bool {
    let before_fragment = url
        .split('#')
        .next()
        .is_some_and(|fetched| check_fetchable(fetched, PlainHttp::Anywhere).is_ok());
    before_fragment && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The name of a member, `#`, and a language tag (RFC 5646): subtags of letters and digits.
fn is_localized_name(name: &str) -> bool {
    let Some((base, language)) = name.split_once('#') else { return false };
    IN_SEVERAL_LANGUAGES.contains(&base) && language.split('-').all(is_subtag)
}

fn is_subtag(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Three parts in the alphabet of base64url, none of them empty.
fn has_form_of_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(4, '.').collect();
    parts.len() == 3 && parts.iter().all(|part| is_base64url(part))
}

fn is_base64url(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config::Config;

    fn faults(member: &str, value: &Value) -> Vec<String> {
        let config = Config::from_json(
            &json!({
                "resource": "https://h.example/mcp",
                "authorization_servers": ["https://as.example"],
                (member): value,
            })
            .to_string(),
        )
        .unwrap();
        let error = config.check().err();
        error
            .map_or_else(Vec::new, |error| error.faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_clients_can_use_is_no_fault() {
        let rows = [
            ("resource_policy_uri", json!("https://h.example/policy?a=b#data")),
            ("resource_tos_uri", json!("http://h.example/terms")),
            ("jwks_uri", json!("https://h.example/keys")),
            ("jwks_uri", json!("http://localhost/keys")),
            ("resource_signing_alg_values_supported", json!(["ES256"])),
            ("authorization_details_types_supported", json!(["payment"])),
            ("tls_client_certificate_bound_access_tokens", json!(true)),
            ("dpop_signing_alg_values_supported", json!(["ES256"])),
            ("dpop_bound_access_tokens_required", json!(false)),
            ("signed_metadata", json!("e30.e30.c2ln")),
            (
                "localized",
                json!({ "resource_name#de": "Notizen", "resource_tos_uri#zh-Hans-CN": "https://h.example/t" }),
            ),
            ("localized", json!({ "resource_documentation#fr": "https://h.example/fr" })),
        ];
        for (member, value) in rows {
            assert_eq!(faults(member, &value), Vec::<String>::new(), "{member}: {value}");
        }
    }

    #[test]
    fn what_no_client_could_use_is_a_fault() {
        let rows = [
            ("resource_policy_uri", json!("policy"), "\"policy\" is not the URL of a page"),
            ("resource_tos_uri", json!("javascript:alert(1)"), "is not the URL of a page"),
            ("resource_tos_uri", json!("https://h.example/t#a\n"), "is not the URL of a page"),
            ("jwks_uri", json!("http://h.example/keys"), "must use https"),
            (
                "resource_signing_alg_values_supported",
                json!(["none"]),
                "\"none\" must not be there",
            ),
            ("dpop_signing_alg_values_supported", json!(["ES256", "none"]), "must not be there"),
            ("authorization_details_types_supported", json!([""]), "must not be there"),
            ("signed_metadata", json!("e30.e30."), "is not a signed JWT"),
            ("signed_metadata", json!("a.b.c.d"), "is not a signed JWT"),
            (
                "localized",
                json!({ "resource#de": "a" }),
                "is not the name of a member with a language",
            ),
            (
                "localized",
                json!({ "resource_name": "a" }),
                "is not the name of a member with a language",
            ),
            (
                "localized",
                json!({ "resource_name#": "a" }),
                "is not the name of a member with a language",
            ),
            (
                "localized",
                json!({ "resource_name#d e": "a" }),
                "is not the name of a member with a language",
            ),
            (
                "localized",
                json!({ "resource_policy_uri#de": "data:a" }),
                "is not the URL of a page",
            ),
        ];
        for (member, value, expected) in rows {
            let found = faults(member, &value);
            assert_eq!(found.len(), 1, "{member}: {value}: {found:?}");
            let place = format!("resources[0].{member}");
            assert!(found[0].starts_with(&place) && found[0].contains(expected), "{found:?}");
        }
    }
}
