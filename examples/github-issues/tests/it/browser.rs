//! The browser of a user who is signed in at the issuer, and at GitHub.

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::server::Server;

pub(crate) struct Browser {
    http: Client,
    /// Where our pages are.
    origin: String,
    issuer: String,
    user: String,
    /// What our server has set.
    cookie: Option<String>,
}

/// The page on which a browser ended.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn of(server: &Server, user: &str) -> Self {
        Self {
            http: Client::builder().redirect(Policy::none()).build().unwrap(),
            origin: server.origin(),
            issuer: server.issuer.issuer().to_owned(),
            user: user.to_owned(),
            cookie: None,
        }
    }

    /// Opens a link, and goes on until there is no redirect any more.
    pub(crate) async fn open(&mut self, link: &str) -> Page {
        let mut next = link.to_owned();
        for _ in 0..10 {
            let (location, page) = self.step(&next).await;
            match location {
                Some(place) => next = place,
                None => return page,
            }
        }
        panic!("it goes round in circles: {next}")
    }

    async fn step(&mut self, url: &str) -> (Option<String>, Page) {
        let is_ours = url.starts_with(&self.origin);
        let mut asked = url.to_owned();
        if url.starts_with(&self.issuer) {
            // Who is signed in there.
            asked += &format!("&login_hint={}", self.user);
        }
        let mut request = self.http.get(asked);
        if let Some(cookie) = self.cookie.as_ref().filter(|_| is_ours) {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie").filter(|_| is_ours) {
            self.cookie = set.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let location = response.headers().get("location");
        let place = location.map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (place, Page { status, text: response.text().await.unwrap() })
    }
}
