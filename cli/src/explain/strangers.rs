//! How issuers are asked that a server has named, and not the operator.

use std::pin::Pin;

use axum::body::Bytes;
use axum::http::{Request, Response};
use mcp_auth::http_client::{HttpClient, HttpError};
use reqwest::Url;

use crate::check::{Reach, Target};
use crate::network_fault::NetworkFault;

/// A longer document is not read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;
/// Within an origin, as the library does.
const MOST_REDIRECTS: usize = 3;

/// Asks issuers at public addresses only, unless the server itself is within a network: to the library
/// they are configured, and would be asked wherever they are.
#[derive(Clone)]
pub(super) struct NamedByServer {
    pub(super) reach: Reach,
    pub(super) target: Target,
}

impl HttpClient for NamedByServer {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + '_>> {
        Box::pin(self.ask(request))
    }
}

impl NamedByServer {
    async fn ask(&self, wanted: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = wanted.into_parts();
        let mut url =
            Url::parse(&head.uri.to_string()).map_err(|error| HttpError::new(error.to_string()))?;
        for _ in 0..=MOST_REDIRECTS {
            if !self.reach.may_follow(&url, &self.target).await {
                return Err(HttpError::new("not followed: an address within a network"));
            }
            let client = self.reach.client(&url, &self.target);
            let request = client
                .request(head.method.clone(), url.clone())
                .headers(head.headers.clone())
                .body(body.clone());
            let answer = request.send().await.map_err(|error| fault_of(&error))?;
            match redirect(&url, &answer) {
                Some(next) => url = next,
                None => return read_bounded(answer).await,
            }
        }
        Err(HttpError::new("too many redirects"))
    }
}

/// Where an answer leads within its origin; elsewhere it is an answer like any other.
fn redirect(url: &Url, answer: &reqwest::Response) -> Option<Url> {
    let location = answer.headers().get("location")?.to_str().ok()?;
    let next = url.join(location).ok()?;
    (answer.status().is_redirection() && next.origin() == url.origin()).then_some(next)
}

/// The library names the URL.
fn fault_of(error: &reqwest::Error) -> HttpError {
    HttpError::new(format!("no answer: {}", NetworkFault::of(error).words))
}

async fn read_bounded(mut answer: reqwest::Response) -> Result<Response<Bytes>, HttpError> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| fault_of(&error))? {
        if body.len() + chunk.len() > MAX_DOCUMENT {
            return Err(HttpError::new(format!("larger than {MAX_DOCUMENT} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;
    use reqwest::Client;
    use reqwest::redirect::Policy;
    use tokio::net::TcpListener;

    use super::*;

    fn named_by(server: &str) -> NamedByServer {
        let target = Target::parse(server).unwrap();
        let builder = || Client::builder().no_proxy().redirect(Policy::none());
        NamedByServer { reach: Reach::new(&target, builder).unwrap(), target }
    }

    async fn ask(client: &NamedByServer, url: &str) -> Result<(u16, Bytes), String> {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        let answer = client.send(request).await.map_err(|error| error.to_string())?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }

    #[tokio::test]
    async fn a_server_elsewhere_leads_to_no_address_of_this_network() {
        let client = named_by("https://mcp.example.com/mcp");
        for url in [
            "https://localhost:9/",
            "https://127.0.0.1:9/",
            "http://as.example/",
            "https://10.0.0.1/",
        ] {
            assert!(ask(&client, url).await.unwrap_err().starts_with("not followed"), "{url}");
        }
    }

    #[tokio::test]
    async fn redirects_are_followed_within_the_origin_and_not_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/near", get(|| async { Redirect::to("/here") }))
            .route("/here", get(|| async { "here" }))
            .route("/far", get(|| async { Redirect::to("https://other.example/") }))
            .route("/round", get(|| async { Redirect::to("/round") }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = named_by(&origin);
        assert_eq!(ask(&client, &format!("{origin}/near")).await.unwrap(), (200, "here".into()));
        assert_eq!(ask(&client, &format!("{origin}/far")).await.unwrap().0, 303);
        assert!(ask(&client, &format!("{origin}/round")).await.is_err());
    }
}
