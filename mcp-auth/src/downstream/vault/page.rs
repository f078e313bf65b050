//! What a browser sees on the way to a grant.

use http::StatusCode;

/// An answer to a browser. All its texts are fixed: nothing that anybody sent is in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    /// Where to go on.
    pub(crate) location: Option<String>,
    /// The secret of this browser, to be kept in its cookie.
    pub(crate) browser: Option<String>,
    pub(crate) text: &'static str,
}

impl Page {
    pub(super) fn redirect(location: String, browser: Option<String>) -> Self {
        Self { status: StatusCode::FOUND, location: Some(location), browser, text: "" }
    }

    pub(super) fn connected() -> Self {
        Self::of(StatusCode::OK, "Your account is connected. You can close this page.")
    }

    /// A link or an answer that is not the browser's, has ended, or was used.
    pub(super) fn unknown_link() -> Self {
        let text = "This link is not for this browser, was used, or has ended. Ask for a new one.";
        Self::of(StatusCode::BAD_REQUEST, text)
    }

    /// A request that cannot be read, for this reason.
    pub(crate) fn unreadable(reason: &'static str) -> Self {
        tracing::debug!(reason, "a request for a page where users connect their accounts");
        Self::unknown_link()
    }

    pub(super) fn other_user() -> Self {
        let text =
            "This link is for another user. Nothing was connected. Did somebody send it to you?";
        Self::of(StatusCode::FORBIDDEN, text)
    }

    pub(super) fn denied() -> Self {
        Self::of(StatusCode::FORBIDDEN, "Nothing was connected: it was not allowed there.")
    }

    pub(super) fn unusable() -> Self {
        Self::of(StatusCode::BAD_GATEWAY, "Nothing was connected: the answer cannot be used.")
    }

    pub(super) fn unavailable() -> Self {
        let text = "Nothing was connected: that cannot be done right now. Try again later.";
        Self::of(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    pub(super) fn too_often() -> Self {
        let text = "Nothing was connected: this was tried too often. Wait ten minutes.";
        Self::of(StatusCode::TOO_MANY_REQUESTS, text)
    }

    fn of(status: StatusCode, text: &'static str) -> Self {
        Self { status, location: None, browser: None, text }
    }

    /// The page as HTML.
    pub(crate) fn html(&self) -> String {
        format!("<!doctype html><meta charset=\"utf-8\"><title>Connect</title><p>{}</p>", self.text)
    }
}
