//! The pages where users connect their accounts at other providers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use super::McpAuth;
use crate::downstream::{BrowserRequest, CALLBACK, ConnectPage, Connection, Page, SIGNED_IN};
use crate::serve::Reply;

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

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for (name, _) in &self.connections {
            let link = format!("{}/{name}", self.path);
            paths.push(format!("{link}/{SIGNED_IN}"));
            paths.push(format!("{link}/{CALLBACK}"));
            paths.push(link);
        }
        paths
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
        let query = request.uri.query().map(str::to_owned);
        let cookie = read_cookie(&request.headers, self.cookie_name());
        let asked = BrowserRequest { query: query.unwrap_or_default(), cookie };
        let page = self.connection.answer(self.page, asked).await;
        self.reply(&page)
    }

    fn reply(&self, page: &Page) -> Reply {
        let mut reply = Reply::empty(page.status);
        let fixed = [
            (CACHE_CONTROL, "no-store"),
            // The state must not be told to where a page leads.
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
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

/// The value of this cookie; `None` where it is there twice, too.
fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = None;
    for line in headers.get_all(COOKIE) {
        crate::steps::take(line.len());
        for pair in line.to_str().ok()?.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if key == name && found.replace(value.to_owned()).is_some() {
                return None;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_is_there_twice_is_none() {
        let read = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_static(line));
            }
            read_cookie(&headers, "c")
        };
        assert_eq!(read(&["a=1; c=2; cc=3"]).as_deref(), Some("2"));
        assert_eq!(read(&["a=1", "c=2=3"]).as_deref(), Some("2=3"));
        assert_eq!(read(&["c=1; c=2"]), None);
        assert_eq!(read(&["c=1", "c=1"]), None);
        assert_eq!(read(&["cc=1; xc=2"]), None);
    }
}
