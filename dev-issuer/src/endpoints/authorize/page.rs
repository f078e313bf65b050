//! The two pages a person sees. No scripts; every value is escaped.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::grants::AuthorizationRequest;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::user::User;

const STYLE: &str = include_str!("page.css");

/// No `form-action`: browsers would apply it to the redirect that follows the decision, and so
/// keep the user from an application's own scheme.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// Who signs in, and what the client may do.
pub(super) fn consent(
    issuer: &Issuer,
    request: &AuthorizationRequest,
    id: &str,
    suggested: &User,
) -> Response {
    let client = request.client.name.as_deref().unwrap_or(&request.client.id);
    let users: String =
        issuer.settings.users.iter().map(|user| radio(user, user == suggested)).collect();
    let checkboxes: String = request.scopes.iter().map(|scope| checkbox(scope)).collect();
    let scopes = match checkboxes.as_str() {
        "" => String::new(),
        _ => format!("<fieldset><legend>It may use</legend>{checkboxes}</fieldset>"),
    };
    let resources: String = request
        .resources
        .iter()
        .map(|resource| format!("<li><code>{}</code></li>", shown(resource)))
        .collect();
    let body = format!(
        r#"<h1><bdi>{client}</bdi> asks for access</h1>
<dl>
<dt>to</dt><dd><ul>{resources}</ul></dd>
<dt>client</dt><dd><code>{client_id}</code></dd>
<dt>then back to</dt><dd><code>{redirect_uri}</code></dd>
</dl>
<form method="post" action="{action}">
<input type="hidden" name="request" value="{id}">
<fieldset><legend>Sign in as</legend>{users}</fieldset>
{scopes}
<p class="buttons">
<button name="decision" value="approve">Approve</button>
<button name="decision" value="deny" class="quiet">Deny</button>
</p>
</form>"#,
        client = shown(client),
        client_id = shown(&request.client.id),
        redirect_uri = shown(&request.redirect_uri),
        action = escape(&issuer.url("/authorize")),
        id = escape(id),
    );
    page(StatusCode::OK, "Approve access", &body)
}

/// The error page for a request whose redirect URI is not known to be the client's.
pub(super) fn error(error: &OAuthError) -> Response {
    let body = format!(
        "<h1>This request cannot be answered</h1>\n<p>{}</p>\n<p><code>{}</code></p>\n\
         <p>Nothing was sent to the application.</p>",
        shown(&error.description),
        shown(error.error),
    );
    page(StatusCode::BAD_REQUEST, "Request refused", &body)
}

fn radio(user: &User, is_checked: bool) -> String {
    let about: String = [&user.name, &user.email]
        .into_iter()
        .flatten()
        .map(|about| format!(" <small><bdi>{}</bdi></small>", shown(about)))
        .collect();
    format!(
        r#"<label><input type="radio" name="user" value="{subject}" required{checked}> {name}{about}</label>"#,
        subject = escape(&user.subject),
        name = shown(&user.subject),
        checked = if is_checked { " checked" } else { "" },
    )
}

fn checkbox(scope: &str) -> String {
    format!(
        r#"<label><input type="checkbox" name="scope" value="{}" checked> {}</label>"#,
        escape(scope),
        shown(scope)
    )
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · dev-issuer</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
<footer>Development issuer: no passwords, nothing is stored.</footer>
</body>
</html>
"#
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.as_str()),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(html)).into_response()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Text for people: one line that cannot turn its surroundings around, hide, or go on for pages.
/// What is not visible as itself (control, bidirectional, zero-width and unassigned characters) is
/// written out, as `\u{202e}`.
fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut line = String::new();
    for character in text.chars().take(LONGEST) {
        match character {
            // Not in need of it; other characters that are visible are not escaped.
            '\\' | '"' | '\'' => line.push(character),
            _ => line.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    escape(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_visible_and_bounded() {
        assert_eq!(shown("Zoë's \"app\" \\ 1"), "Zoë&#39;s &quot;app&quot; \\ 1");
        assert_eq!(shown("a\u{202e}b\nc\u{9b}d\u{200b}e"), r"a\u{202e}b\nc\u{9b}d\u{200b}e");
        assert_eq!(shown(&"x".repeat(9_000)).chars().count(), 201);
    }
}
