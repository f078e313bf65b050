//! The pages where users connect their accounts at other providers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method};

use super::McpAuth;
use crate::downstream::{
    BrowserRequest, CALLBACK, ConnectPage, Connection, Page, SIGNED_IN, page_paths,
};
use crate::serve::Reply;

/// A page has a text alone, and is part of no other.
const PAGE_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where our pages are, and the APIs that have some.
#[derive(Default)]
pub(crate) struct ConnectPages {
    /// The path, without a slash at its end; empty where there are none.
    path: String,
    /// Whether browsers reach us by HTTPS.
    is_secure: bool,
    connections: Vec<(String, Arc<Connection>)>,
}

/// A page that was asked for.
pub(super) struct AskedPage {
    connection: Arc<Connection>,
    page: ConnectPage,
    is_secure: bool,
}

impl ConnectPages {
    /// Pages at this path.
    pub(crate) fn new(url: &str, path: &str, connections: Vec<(String, Arc<Connection>)>) -> Self {
        Self { path: path.to_owned(), is_secure: url.starts_with("https:"), connections }
    }

    /// The page at this path.
    fn page_at(&self, path: &str) -> Option<AskedPage> {
        if self.connections.is_empty() {
            return None;
        }
        let below = path.strip_prefix(self.path.as_str())?.strip_prefix('/')?;
        let (name, page) = match below.split_once('/') {
            None => (below, ConnectPage::Link),
            Some((name, SIGNED_IN)) => (name, ConnectPage::SignedIn),
            Some((name, CALLBACK)) => (name, ConnectPage::Callback),
            Some(_) => return None,
        };
        let (_, connection) = self.connections.iter().find(|(known, _)| known == name)?;
        Some(AskedPage { connection: connection.clone(), page, is_secure: self.is_secure })
    }

    /// Whether there is a page at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.page_at(path).is_some()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        let names = self.connections.iter().map(|(name, _)| name);
        names.flat_map(|name| page_paths(&self.path, name)).collect()
    }
}

impl McpAuth {
    /// The paths of the pages where users connect their accounts at other providers, for routers that need every path. Each
    /// GET there is for [`McpAuth::decide`], which answers it.
    pub fn connect_paths(&self) -> Vec<String> {
        self.0.serving.load().connect_pages.paths()
    }

    pub(super) fn page_at(&self, path: &str) -> Option<AskedPage> {
        self.0.serving.load().connect_pages.page_at(path)
    }
}

impl AskedPage {
    pub(super) async fn answer(self, request: &Parts) -> Reply {
        if request.method != Method::GET {
            return Reply::method_not_allowed("GET");
        }
        // A link without a query has no state, and is refused for that.
        let query = request.uri.query().unwrap_or_default();
        let page = match BrowserRequest::read(query, &request.headers, self.cookie_name()) {
            Ok(asked) => self.connection.answer(self.page, asked).await,
            Err(reason) => Page::unreadable(reason),
        };
        self.reply(&page)
    }

    fn reply(&self, page: &Page) -> Reply {
        let mut reply = Reply::empty(page.status);
        let fixed = [
            (CACHE_CONTROL, "no-store"),
            // The state must not be told to where a page leads.
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, PAGE_POLICY),
            (X_FRAME_OPTIONS, "DENY"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        for (name, value) in fixed {
            reply.headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(location) = &page.location {
            // It was put together from configured URLs and encoded values.
            let Ok(value) = HeaderValue::from_str(location) else { return Reply::not_found() };
            reply.headers.insert(LOCATION, value);
        } else {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            reply.headers.insert(CONTENT_TYPE, html);
            reply.body = Bytes::from(page.html());
        }
        let cookie = page.browser.as_ref().map(|secret| self.cookie(secret));
        if let Some(Ok(mut value)) = cookie.map(|text| HeaderValue::from_str(&text)) {
            value.set_sensitive(true);
            reply.headers.insert(SET_COOKIE, value);
        }
        reply
    }

    fn cookie(&self, secret: &str) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}", self.cookie_name())
    }

    /// RFC 6265bis §4.1.3: no other host, and nobody who speaks plain HTTP, can set one with the prefix.
    fn cookie_name(&self) -> &'static str {
        if self.is_secure { "__Host-mcp-connect" } else { "mcp-connect" }
    }
}
