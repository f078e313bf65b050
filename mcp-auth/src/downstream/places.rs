//! Where the token of a downstream API may be sent.

use http::Uri;

/// The URLs of an API, each with what is below it.
#[derive(Debug)]
pub(crate) struct ApiPlaces(Vec<Place>);

#[derive(Debug)]
struct Place {
    scheme: String,
    host: String,
    port: u16,
    /// Without a slash at its end.
    path: String,
}

impl ApiPlaces {
    /// The places, of URLs that were checked; what is no URL leads nowhere.
    pub(crate) fn new(urls: &[String]) -> Self {
        let parsed = urls.iter().filter_map(|url| url.parse::<Uri>().ok());
        Self(parsed.filter_map(|uri| Place::of(&uri)).collect())
    }

    /// Whether a request for this URL goes to the API. A path that some server could understand in another way does not.
    pub(crate) fn contain(&self, uri: &Uri) -> bool {
        let Some(asked) = Place::of(uri) else { return false };
        let path = uri.path();
        let is_plain = !path.contains("//") && !path.contains('\\') && !has_dot_segment(path);
        is_plain && self.0.iter().any(|place| place.contains(&asked))
    }
}

/// Also where a dot, a slash or a backslash is written with a percent sign.
fn has_dot_segment(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    if ["%2f", "%5c", "%25"].iter().any(|hidden| lower.contains(hidden)) {
        return true;
    }
    let dots = lower.replace("%2e", ".");
    dots.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

impl Place {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self {
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(default_port),
            path: uri.path().trim_end_matches('/').to_owned(),
            scheme,
        })
    }

    fn contains(&self, asked: &Self) -> bool {
        let same_origin =
            (&self.scheme, &self.host, self.port) == (&asked.scheme, &asked.host, asked.port);
        let below = asked.path.strip_prefix(&*self.path);
        same_origin && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_the_api_and_nowhere_else() {
        let places = ApiPlaces::new(&[
            "https://api.example/v1/".to_owned(),
            "http://127.0.0.1:8".to_owned(),
        ]);
        for inside in [
            "https://api.example/v1",
            "https://API.example:443/v1/reports?x=/../",
            "https://api.example/v1/a.b/..c",
            "http://127.0.0.1:8/",
            "http://127.0.0.1:8/any",
        ] {
            assert!(places.contain(&inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "http://api.example/v1/x",
            "https://api.example/v10",
            "https://api.example/",
            "https://api.example:444/v1/x",
            "https://api.example.evil.example/v1/x",
            "https://evil.example/v1/x",
            "https://api.example@evil.example/v1/x",
            "https://user@api.example/v1/x",
            "https://api.example/v1/../admin",
            "https://api.example/v1/%2e%2E/admin",
            "https://api.example/v1/..;x/admin",
            "https://api.example/v1/%2f../admin",
            "https://api.example/v1/x%5c..%5cadmin",
            "https://api.example/v1//admin",
            "http://127.0.0.1:80/",
            "/v1/x",
            "ftp://api.example/v1",
        ] {
            assert!(!outside.parse().is_ok_and(|uri| places.contain(&uri)), "{outside}");
        }
    }
}
