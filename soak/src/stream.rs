//! A stream that is followed to its end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Token;
use crate::world::{TOLERANCE, unix_seconds};

/// How much longer than its token a stream may live, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is sent last: clients connect again after that time.
const LAST: &str = "retry: 1000\n\n";

/// Opens a stream and reads it to its end, which must come with that of its token, or before when its user is revoked.
pub(crate) async fn follow(
    http: reqwest::Client,
    url: String,
    token: Token,
    subject: String,
) -> Result<(), String> {
    let request = http.get(url).bearer_auth(&token.text).header("accept", "text/event-stream");
    let mut response = request.send().await.map_err(|error| format!("no stream: {error:?}"))?;
    match response.status().as_u16() {
        200 => {}
        // The key may be new, the user just revoked.
        401 | 503 => return Ok(()),
        status => return Err(format!("{status} for a stream")),
    }
    let left = token.expires_at.saturating_sub(unix_seconds());
    let longest = Duration::from_secs(left) + TOLERANCE + PATIENCE;
    let mut text = String::new();
    let reading = async {
        while let Some(piece) = response.chunk().await.map_err(|error| format!("{error:?}"))? {
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        Ok::<_, String>(())
    };
    match tokio::time::timeout(longest, reading).await {
        Ok(ended) => ended?,
        Err(_) => return Err(format!("a stream of {subject} outlives its token")),
    }
    check_events(&text, &subject)
}

/// Whether these are whole events about one user, and the last says when to come back.
fn check_events(text: &str, subject: &str) -> Result<(), String> {
    let Some(events) = text.strip_suffix(LAST) else {
        return Err(format!("a stream ends otherwise: {text:?}"));
    };
    let expected = json!({ "sub": subject });
    for event in events.split_inclusive("\n\n") {
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let is_whole = event.ends_with("\n\n");
        let read = data.and_then(|written| serde_json::from_str::<Value>(written).ok());
        if !is_whole || read.as_ref() != Some(&expected) {
            return Err(format!("half an event, or another one's: {event:?}"));
        }
    }
    Ok(())
}
