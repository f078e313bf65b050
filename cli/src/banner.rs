//! What a newcomer needs to see first.

use dev_issuer::DevIssuer;
use mcp_auth::ResourceIdentifier;
use serde_json::json;

use crate::dev::Options;
use crate::output::{show, show_json};

/// The protected server and how to try it.
pub(crate) fn server(resource: &ResourceIdentifier, issuer: &DevIssuer, options: &Options) {
    let (user, scopes) = (options.first_user(), &options.scopes);
    let issuer_url = issuer.issuer();
    if options.json {
        let urls = json!({ "resource": resource.as_str(), "issuer": issuer_url });
        return show_json(&urls.to_string());
    }
    show(&format!(
        r#"mcp-auth dev: for development only. Everything is in memory, on this machine alone.

  MCP server      {resource}
  its metadata    {metadata}
  issuer          {issuer_url}

Sign in with MCP Inspector, which needs Node 22.19 or later (any user, no password):

  npx @modelcontextprotocol/inspector@latest --transport http --server-url {resource}

See the challenge that tells a client where to sign in:

  curl -i -X POST {resource}

Mint a token and call the tool:

  TOKEN=$(curl -s {issuer_url}/dev/mint -d user={user} -d scope='{scopes}' -d resource={resource})
  curl -s {resource} -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
    -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: whoami' \
    -d '{call}'

Ctrl-C stops it."#,
        metadata = resource.metadata_url(),
        call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "whoami", "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            } },
        }),
    ));
}

/// The issuer alone.
pub(crate) fn issuer_only(issuer: &DevIssuer, options: &Options) {
    let (url, user, scopes) = (issuer.issuer(), options.first_user(), &options.scopes);
    if options.json {
        return show_json(&json!({ "issuer": url }).to_string());
    }
    show(&format!(
        r#"mcp-auth dev: a development issuer. Everything is in memory, on this machine alone.

  issuer          {url}
  its keys        {keys}

Mint a token for a server of yours, here at http://127.0.0.1:3000/mcp:

  curl -s {url}/dev/mint -d user={user} -d scope='{scopes}' -d resource=http://127.0.0.1:3000/mcp

Ctrl-C stops it."#,
        keys = issuer.jwks_uri(),
    ));
}
