//! Credentials within URLs, where everybody who logs the URL reads them.

use reqwest::Url;

/// Members of a query that are secrets, in lower case and without what parts their words.
const SECRET_MEMBERS: [&str; 13] = [
    "accesstoken",
    "apikey",
    "authorization",
    "authtoken",
    "bearer",
    "bearertoken",
    "clientsecret",
    "idtoken",
    "jwt",
    "password",
    "refreshtoken",
    "secret",
    "token",
];

/// The user and password of a URL, what its query calls a token or a secret, and everything in it that looks like
/// a JWT. Empty where it has nothing of that.
pub(super) fn credentials_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some((_, rest)) = text.split_once("://") else { return found };
    let (before, after) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let authority = before.split('/').next().unwrap_or_default();
    if let Some((user_info, _)) = authority.rsplit_once('@') {
        found.extend(user_info.split(':').map(str::to_owned));
        found.push(user_info.to_owned());
    }
    for (name, value) in members(after) {
        let is_secret = SECRET_MEMBERS.contains(&&*plain_name(&name));
        if is_secret || is_jwt(&value) {
            found.push(value);
        } else if is_jwt(&name) {
            found.push(name);
        }
    }
    let parts = before.split(['/', ';', '=']);
    found.extend(parts.filter(|part| is_jwt(part)).map(str::to_owned));
    found.retain(|one| !one.is_empty());
    found
}

/// Those of its query and of its fragment, which may be written like one.
fn members(text: &str) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for part in text.split(['?', '#']) {
        let Ok(url) = Url::parse(&format!("http://h/?{part}")) else { continue };
        for (name, value) in url.query_pairs() {
            members.push((name.into_owned(), value.into_owned()));
        }
    }
    members
}

fn plain_name(name: &str) -> String {
    let letters = name.chars().filter(|one| !matches!(one, '_' | '-' | '.'));
    letters.collect::<String>().to_ascii_lowercase()
}

/// Whether a text is in three or five parts, the first of which is the beginning of a JSON object in base64.
fn is_jwt(text: &str) -> bool {
    let parts = text.split('.').count();
    text.starts_with("eyJ") && matches!(parts, 3 | 5)
}

#[cfg(test)]
mod tests {
    use super::credentials_in;

    #[test]
    fn what_is_secret_in_a_url_is_found_and_nothing_else() {
        let jwt = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2ln";
        let rows = [
            ("https://h.example/mcp?access_token=abc".to_owned(), vec!["abc"]),
            ("https://h.example/mcp?a=1&Access-Token=abc&b=2".to_owned(), vec!["abc"]),
            ("https://h.example/mcp?access%5Ftoken=a%62c".to_owned(), vec!["abc"]),
            ("https://h.example/mcp?token=t&apiKey=k".to_owned(), vec!["t", "k"]),
            ("https://h.example/mcp#access_token=abc".to_owned(), vec!["abc"]),
            (format!("https://h.example/mcp?x={jwt}"), vec![jwt]),
            (format!("https://h.example/mcp?{jwt}"), vec![jwt]),
            (format!("https://h.example/{jwt}/mcp"), vec![jwt]),
            ("https://u:p@h.example/".to_owned(), vec!["u", "p", "u:p"]),
            ("https://u@h example/".to_owned(), vec!["u", "u"]),
            ("https://h.example/mcp?tenant=a&tokens=2&token=".to_owned(), vec![]),
            ("https://h.example/token/@me?mail=a@b.c".to_owned(), vec![]),
            ("eyJh.eyJp.c2ln".to_owned(), vec![]),
        ];
        for (text, expected) in rows {
            assert_eq!(credentials_in(&text), expected, "{text}");
        }
    }
}
