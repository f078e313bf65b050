//! What the library reports, on standard error.

use std::sync::Once;

use tracing_subscriber::EnvFilter;

static START: Once = Once::new();

/// Writes warnings, and what `MCP_AUTH_LOG` asks for besides, such as `mcp_auth=info`.
pub(crate) fn start() {
    START.call_once(|| {
        let wanted =
            std::env::var("MCP_AUTH_LOG").unwrap_or_else(|_| "warn,dev_issuer=error".to_owned());
        let filter = EnvFilter::builder().parse_lossy(wanted);
        // Whoever was first keeps the log.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .try_init();
    });
}
