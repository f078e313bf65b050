//! An endpoint that answers as a test says, and remembers what it was asked: for what no real
//! provider would say.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request that was received.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) parts: Parts,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A member of the form.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()?;
        Some(percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
    }
}

type Answer = Arc<Mutex<(StatusCode, HeaderMap, String)>>;

/// A server on loopback.
pub(crate) struct Scripted {
    pub(crate) url: String,
    answer: Answer,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Answers every request with this JSON.
    pub(crate) async fn start(json: impl ToString) -> Self {
        let answer: Answer =
            Arc::new(Mutex::new((StatusCode::OK, of_type(JSON), json.to_string())));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (says, seen) = (answer.clone(), asked.clone());
        let app = Router::new().fallback(async move |parts: Parts, body: Bytes| -> Response {
            let body = String::from_utf8(body.to_vec()).unwrap();
            seen.lock().unwrap().push(Asked { parts, body });
            let (status, headers, body) = says.lock().unwrap().clone();
            (status, headers, body).into_response()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ask", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, answer, asked, task }
    }

    /// Answers this from now on.
    pub(crate) fn says(&self, status: u16, media_type: &'static str, body: impl ToString) {
        let status = StatusCode::from_u16(status).unwrap();
        *self.answer.lock().unwrap() = (status, of_type(media_type), body.to_string());
    }

    /// Answers this status with this header from now on.
    pub(crate) fn says_with(&self, status: u16, name: HeaderName, value: &'static str) {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        *self.answer.lock().unwrap() =
            (StatusCode::from_u16(status).unwrap(), headers, String::new());
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn of_type(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))])
}

pub(crate) const JSON: &str = "application/json";
