//! The sentences of specifications that make a rule a MUST. A rule without one is a SHOULD at most.

/// Where a MUST is written, and how; `None` for rules that are none.
pub(super) fn quote_of(id: &str) -> Option<&'static str> {
    let sentence = match id {
        "R1.accepts-token" => {
            "OAuth 2.1 §5.2: \"the resource server MUST check that the access token is not yet expired, is authorized to \
             access the requested resource, was issued with the appropriate scope, and meets other policy requirements\""
        }
        "R1.unauthenticated" | "R7.missing-scope" | "R7.malformed-header" | "R7.basic-scheme" => {
            STATUS
        }
        "R1.challenge" | "R7.challenge" => CHALLENGE,
        "R3.challenge-url" => {
            "MCP 2025-06-18, authorization: \"MCP servers MUST use the HTTP header WWW-Authenticate when returning a \
             401 Unauthorized to indicate the location of the resource server metadata URL\""
        }
        "R2.document" => {
            "MCP, authorization: \"MCP servers MUST implement OAuth 2.0 Protected Resource Metadata (RFC9728).\""
        }
        "R3.challenge-document" => {
            "MCP, discovery: clients \"MUST support both discovery mechanisms and use the resource metadata URL from the \
             parsed WWW-Authenticate headers when present\""
        }
        "R2.media-type" => {
            "RFC 9728 §3.2: \"A successful response MUST use the 200 OK HTTP status code and return a JSON object using \
             the application/json content type\""
        }
        "R2.resource" => {
            "RFC 9728 §3.3: \"If these values are not identical, the data contained in the response MUST NOT be used.\""
        }
        "R2.authorization-servers" => {
            "MCP, discovery: the document \"MUST include the authorization_servers field containing at least one \
             authorization server\""
        }
        "R12.bearer-methods" | "R12.query-token" => {
            "MCP, access token usage: \"Access tokens MUST NOT be included in the URI query string\""
        }
        "R15.https" | "R15.redirect" => {
            "MCP, communication security: \"Implementations MUST follow OAuth 2.1 Section 1.5\", by which URLs of the \
             resource server use https"
        }
        "R20.unknown-issuer" => {
            "MCP, token handling: \"MCP servers MUST NOT accept or transit any other tokens.\""
        }
        "R21.issuer" => {
            "MCP, discovery: \"the issuer value in the document MUST be identical to the issuer identifier used to \
             construct the well-known metadata URL\""
        }
        "R22.metadata" => {
            "MCP, authorization: \"MCP authorization servers MUST provide at least one of the following discovery \
             mechanisms\""
        }
        "R22.rfc8414" => {
            "MCP 2025-06-18: \"Authorization servers MUST provide OAuth 2.0 Authorization Server Metadata (RFC8414).\""
        }
        "2025-03-26.endpoints" => {
            "MCP 2025-03-26: \"Servers that do not support Authorization Server Metadata MUST follow the default URI \
             schema.\""
        }
        "2025-06-18.batch" => {
            "MCP 2025-06-18, transports: \"The body of the POST request MUST be a single JSON-RPC request, notification, or \
             response.\""
        }
        "R6.pass-through" => {
            "MCP, security: \"The MCP server MUST NOT pass through the token it received from the MCP client.\""
        }
        "R10.hierarchy" => "MCP, errors: \"Servers MUST account for scope hierarchies\"",
        "R18.request-state" => {
            "MCP, multi round-trip requests: \"servers MUST treat requestState as an attacker-controlled input\""
        }
        "R13.session" => {
            "MCP, security: \"MCP servers MUST NOT treat possession of a state handle as authentication.\""
        }
        _ => return quote_of_group(id).or_else(|| quote_of_issuer(id)),
    };
    Some(sentence)
}

/// The rules of `check issuer`.
fn quote_of_issuer(id: &str) -> Option<&'static str> {
    let sentence = match id {
        "issuer" => {
            "RFC 8414 §3.3: \"The 'issuer' value returned MUST be identical to the authorization server's issuer \
             identifier value into which the well-known URI string was inserted to create the URL used to retrieve the \
             metadata.\""
        }
        "keys" => {
            "MCP, token handling: \"MCP servers, acting in their role as an OAuth 2.1 resource server, MUST validate access \
             tokens as described in OAuth 2.1 Section 5.2.\", which they cannot do without keys"
        }
        "metadata" => {
            "MCP, authorization: \"MCP authorization servers MUST provide at least one of the following discovery \
             mechanisms\"; in 2025-06-18: \"Authorization servers MUST provide OAuth 2.0 Authorization Server Metadata \
             (RFC8414).\""
        }
        "endpoints" => {
            "RFC 8414 §2, `token_endpoint`: \"This is REQUIRED unless only the implicit grant type is supported.\"; \
             `authorization_endpoint`: \"This is REQUIRED unless no grant types are supported that use the authorization \
             endpoint.\""
        }
        "https" => {
            "MCP, communication security: \"All authorization server endpoints MUST be served over HTTPS.\""
        }
        "pkce_s256" => {
            "MCP, authorization code protection: \"If code_challenge_methods_supported is absent, the authorization server \
             does not support PKCE and MCP clients MUST refuse to proceed.\""
        }
        "resource_indicators" => {
            "MCP, token handling: \"MCP servers MUST validate that access tokens were issued specifically for them as the \
             intended audience, according to RFC 8707 Section 2.\""
        }
        _ => return None,
    };
    Some(sentence)
}

/// One sentence for several rules that begin alike.
fn quote_of_group(id: &str) -> Option<&'static str> {
    let (group, _) = id.split_once('.')?;
    match group {
        "R5" | "R7" => Some(
            "MCP, token handling: \"Invalid or expired tokens MUST receive a HTTP 401 response.\"",
        ),
        "R6" => Some(
            "MCP, token handling: \"MCP servers MUST validate that access tokens were issued specifically for them as \
             the intended audience\"",
        ),
        "R13" => Some(
            "MCP, security: \"MCP servers MUST validate access tokens before processing the request\", and \"ensure no data \
             is returned to unauthorized parties\"",
        ),
        "R16" => Some(
            "MCP, transports: \"If the Origin header is present and invalid, servers MUST respond with HTTP 403 \
             Forbidden.\"",
        ),
        "R19" => Some(
            "MCP 2026-07-28, transports: \"Servers that process the request body MUST reject requests where the values \
             specified in the headers do not match the corresponding values in the request body.\"",
        ),
        _ => None,
    }
}

const STATUS: &str = "MCP, errors: \"Servers MUST return appropriate HTTP status codes for authorization errors\": 401 where \
                      authorization is required or a token invalid, 403 for insufficient permissions";
const CHALLENGE: &str = "RFC 6750 §3: \"the resource server MUST include the HTTP 'WWW-Authenticate' response header field\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_must_of_an_issuer_has_its_sentence() {
        let musts = [
            "issuer",
            "keys",
            "metadata",
            "endpoints",
            "https",
            "pkce_s256",
            "resource_indicators",
        ];
        for id in musts {
            assert!(
                quote_of(id)
                    .is_some_and(|quote| quote.contains("MUST") || quote.contains("REQUIRED")),
                "{id}"
            );
        }
        for id in ["authorization_code", "public_clients", "unknown"] {
            assert_eq!(quote_of(id), None, "{id}");
        }
    }
}
