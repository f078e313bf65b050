//! What a message names.

use serde_json::{Map, Value};

use super::completed::completed;

/// What a message names.
pub(super) enum What<'m> {
    Tool(&'m str),
    Prompt(&'m str),
    Uri(&'m str),
    Template(String),
}

impl<'m> What<'m> {
    /// `None`: what the method needs is not there, or is no text.
    pub(super) fn all(message: &'m Value) -> Option<Vec<Self>> {
        let params = &message["params"];
        Some(match message["method"].as_str()? {
            "tools/call" => vec![Self::Tool(params["name"].as_str()?)],
            "prompts/get" => vec![Self::Prompt(params["name"].as_str()?)],
            "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "resources/directory/read" => vec![Self::Uri(params["uri"].as_str()?)],
            "completion/complete" => {
                let reference = &params["ref"];
                let chosen = &params["context"]["arguments"];
                let nothing = Map::new();
                let chosen = chosen.as_object().unwrap_or(&nothing);
                if !chosen.values().all(Value::is_string) {
                    return None;
                }
                match reference["type"].as_str()? {
                    "ref/prompt" => vec![Self::Prompt(reference["name"].as_str()?)],
                    "ref/resource" => {
                        let template = reference["uri"].as_str()?;
                        let argument = &params["argument"];
                        let begun = (argument["name"].as_str()?, argument["value"].as_str()?);
                        let all = completed(template, chosen, begun);
                        all.into_iter().map(Self::Template).collect()
                    }
                    _ => return None,
                }
            }
            "subscriptions/listen" => match &params["notifications"]["resourceSubscriptions"] {
                Value::Null => Vec::new(),
                uris => {
                    let uris = uris.as_array()?.iter();
                    uris.map(|uri| Some(Self::Uri(uri.as_str()?))).collect::<Option<_>>()?
                }
            },
            _ => Vec::new(),
        })
    }
}
