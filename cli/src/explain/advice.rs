//! What to do about a token that is refused, where the token shows it.

use mcp_auth::presets::KnownProvider;
use serde_json::Value;

use super::shown::Shown;

/// Sentences for people; none where nothing is known.
pub(super) fn for_refusal(code: &str, shown: &Shown) -> Vec<String> {
    if !matches!(code, "missing_claim" | "wrong_audience") {
        return Vec::new();
    }
    let issuer = shown.issuer().unwrap_or_default();
    let client = ["client_id", "azp", "cid", "appid"].into_iter().find_map(|name| shown.text(name));
    let has_audience = shown.claims.contains_key("aud");
    let is_cognito = issuer.contains("cognito-idp.");
    let is_keycloak = issuer.contains("/realms/");
    let mut advice = Vec::new();
    if is_cognito {
        advice.push(
            "Amazon Cognito binds a token to a resource only when the client asks for one (`resource`), and in the \
             Essentials and Plus plans: define the server as a resource server of the user pool, with its URL as \
             identifier. That is the better way."
                .to_owned(),
        );
    } else if is_keycloak || names_account(shown) {
        advice.push(
            "Keycloak puts `account` there by default: add an Audience mapper with the URL of this server to a client \
             scope, and make it a default of the client. That is the better way. `audiences = [\"account\"]` would \
             accept nearly every token of the realm."
                .to_owned(),
        );
    } else if !has_audience {
        advice.push(
            "The provider binds the token to no resource: set the server up as a resource (an API) there, so that its URL \
             is in `aud`. That is the better way."
                .to_owned(),
        );
    }
    let known = KnownProvider::recognise(issuer, "");
    let has_own_preset = known.as_ref().is_some_and(KnownProvider::accepts_clients);
    let binds_none = is_cognito || is_keycloak || !has_audience || has_own_preset;
    if let Some(client) = client.filter(|_| binds_none) {
        let setting = setting_for(known.as_ref(), client);
        advice.push(format!(
            "Where that cannot be had: {setting} accepts the tokens of this client whatever their audience. It gives up \
             that a token which the client got for another server is refused here."
        ));
    }
    advice
}

/// The setting that accepts this client, or the preset that has it.
fn setting_for(known: Option<&KnownProvider>, client: &str) -> String {
    let setting = format!("`dangerous_accept_clients = [{client:?}]`");
    let Some(provider) = known else { return setting };
    let mut arguments = Vec::new();
    for argument in &provider.arguments {
        let shown = if argument == "<client>" { client } else { argument };
        arguments.push(format!("{shown:?}"));
    }
    let preset = format!("`Provider::{}({})`", provider.preset, arguments.join(", "));
    match provider.accepts_clients() {
        true => format!("the preset {preset}, which sets {setting},"),
        false => format!("{setting} beside what the preset {preset} sets"),
    }
}

fn names_account(shown: &Shown) -> bool {
    match shown.claims.get("aud") {
        Some(Value::String(text)) => text == "account",
        Some(Value::Array(items)) => items.iter().any(|one| one == "account"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn advice(code: &str, claims: &Value) -> String {
        let claims = claims.as_object().cloned().unwrap_or_default();
        let shown = Shown { form: "JWT", header: serde_json::Map::new(), claims };
        for_refusal(code, &shown).join(" ")
    }

    #[test]
    fn a_provider_that_binds_no_audience_gets_its_setting_its_better_way_and_the_price() {
        let cognito = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x";
        let rows = [
            ("missing_claim", json!({ "iss": cognito, "client_id": "c1" }), "user pool", "c1"),
            (
                "wrong_audience",
                json!({ "iss": "https://k.example/realms/r", "aud": "account", "azp": "c2" }),
                "Audience mapper",
                "c2",
            ),
            (
                "missing_claim",
                json!({ "iss": "https://as.example", "cid": "c3" }),
                "resource",
                "c3",
            ),
        ];
        for (code, claims, better, client) in rows {
            let text = advice(code, &claims);
            for part in [better, "better way", "It gives up", &format!("clients = [\"{client}\"]")]
            {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }

    #[test]
    fn the_preset_of_the_provider_is_named_where_there_is_one() {
        let rows = [
            (
                json!({ "iss": "https://p1.supabase.co/auth/v1", "aud": "authenticated", "client_id": "c1" }),
                "the preset `Provider::supabase(\"p1\", \"c1\")`, which sets `dangerous_accept_clients = [\"c1\"]`,",
            ),
            (
                json!({ "iss": "https://n.onelogin.com/oidc/2", "aud": "c2", "azp": "c2" }),
                "the preset `Provider::onelogin(\"n\", \"c2\")`",
            ),
            (
                json!({ "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", "client_id": "c3" }),
                "beside what the preset `Provider::cognito(\"eu-west-1\", \"eu-west-1_x\")` sets",
            ),
        ];
        for (claims, expected) in rows {
            let text = advice("wrong_audience", &claims);
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let unknown = json!({ "iss": "https://as.example", "client_id": "c" });
        assert!(!advice("missing_claim", &unknown).contains("preset"));
    }

    #[test]
    fn another_resource_and_other_refusals_have_no_such_advice() {
        let elsewhere =
            json!({ "iss": "https://as.example", "aud": "https://o.example", "azp": "c" });
        assert_eq!(advice("wrong_audience", &elsewhere), "");
        assert_eq!(advice("expired", &json!({ "client_id": "c" })), "");
    }
}
