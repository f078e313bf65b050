//! Shim until the branch about URIs is here.
use super::uri_pattern::{is_ambiguous, normal_form};

pub(super) struct NormalUri(String);

impl NormalUri {
    pub(super) fn read(uri: &str) -> Result<Self, &'static str> {
        if uri.trim() != uri || uri.contains(char::is_control) {
            return Err("white space");
        }
        let normal = normal_form(uri);
        if is_ambiguous(&normal) { Err("ambiguous") } else { Ok(Self(normal)) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn normal_pattern(pattern: &str) -> Result<String, &'static str> {
    let normal = normal_form(pattern);
    if is_ambiguous(&normal) { Err("a URI that can be read in two ways") } else { Ok(normal) }
}
