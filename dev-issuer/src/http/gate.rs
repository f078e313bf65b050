//! What every request passes before it reaches an endpoint, and what every response gets.
//!
//! This issuer lets anyone sign in as anyone. The gate keeps web pages from doing so through the developer's browser: it answers
//! to names of this machine only (against DNS rebinding), and keeps the control endpoints from pages altogether.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority};
use axum::response::{IntoResponse, Response};

use crate::endpoint::Endpoint;
use crate::issuer::Issuer;
use crate::loopback::is_loopback_host;
use crate::metadata_location::MetadataLocation;
use crate::mode::Mode;

/// Stands before the router: loopback only, counters, modes, CORS.
#[derive(Clone)]
pub(super) struct Gate {
    issuer: Arc<Issuer>,
}

/// What becomes of a request.
pub(super) enum Passage {
    Open,
    Answered(Response),
    Closed,
    Hanging,
}

impl Gate {
    pub(super) fn new(issuer: Arc<Issuer>) -> Self {
        Self { issuer }
    }

    pub(super) fn endpoint(&self, request: &Request) -> Endpoint {
        let path = request.uri().path();
        let base = self.issuer.base_path();
        if MetadataLocation::ALL.iter().any(|location| location.path(base) == path) {
            return Endpoint::Metadata;
        }
        match path.strip_prefix(base) {
            Some("/jwks") => Endpoint::Jwks,
            Some("/token") => Endpoint::Token,
            Some("/authorize") => Endpoint::Authorize,
            Some("/register") => Endpoint::Register,
            Some("/introspect") => Endpoint::Introspect,
            Some("/revoke") => Endpoint::Revoke,
            Some("/userinfo") => Endpoint::Userinfo,
            Some(path) if path.starts_with("/dev/") => Endpoint::Control,
            _ => Endpoint::Unknown,
        }
    }

    pub(super) fn passage(&self, request: &Request, endpoint: Endpoint) -> Passage {
        if !is_for_this_machine(request) {
            let refusal = "This development issuer answers to loopback names only.\n";
            return Passage::Answered((StatusCode::FORBIDDEN, refusal).into_response());
        }
        if endpoint == Endpoint::Control {
            // A page in the developer's browser must not be able to mint tokens.
            if request.headers().contains_key(header::ORIGIN) {
                let refusal = "Control endpoints do not answer to web pages.\n";
                return Passage::Answered((StatusCode::FORBIDDEN, refusal).into_response());
            }
            return Passage::Open;
        }
        if request.method() != Method::OPTIONS {
            self.issuer.counters.count(endpoint);
        }
        match self.issuer.mode() {
            Mode::Online | Mode::Token(_) => {}
            Mode::Offline => return Passage::Closed,
            Mode::Hang => return Passage::Hanging,
            Mode::Garbage => {
                let json = [(header::CONTENT_TYPE, "application/json")];
                return Passage::Answered((json, "<html>{\"keys\": [").into_response());
            }
            Mode::Status(number) => {
                let status = StatusCode::from_u16(number).unwrap_or(StatusCode::BAD_GATEWAY);
                return Passage::Answered(status.into_response());
            }
        }
        if request.method() == Method::OPTIONS && endpoint.is_open_to_browsers() {
            return Passage::Answered(StatusCode::NO_CONTENT.into_response());
        }
        Passage::Open
    }

    pub(super) fn finish(&self, mut response: Response, endpoint: Endpoint) -> Response {
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if endpoint.is_open_to_browsers() {
            open_to_browsers(headers);
        }
        response
    }
}

/// Against DNS rebinding: the name that the browser used must be one of this machine.
fn is_for_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let Some(Ok(host)) = host.map(str::parse::<Authority>) else { return false };
    let target = request.uri().host().unwrap_or(host.host());
    hosts.next().is_none() && is_loopback_host(host.host()) && is_loopback_host(target)
}

fn open_to_browsers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*, Authorization"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
