//! What is known of the arguments that clients repeat in headers, for the tools of one resource.
//!
//! It comes from the configuration, from code that knows the tools, and from the lists that the server itself gives. What a
//! client sends adds nothing and takes nothing away. A list in which a tool is missing says nothing about the tool, because
//! it may be another caller's; a list in which the tool stands takes the place of what was known of it.
//!
//! Tested in `authorize::policy::mirrored`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::annotations::{MirroredArgument, mirrored_arguments};

/// Bytes of what is learnt: names of tools, headers and arguments.
const MAX_BYTES: usize = 1024 * 1024;
/// What a tool or an argument takes besides its names.
const OVERHEAD: usize = 128;

type OfTool = Arc<[MirroredArgument]>;

/// The arguments that clients repeat in headers, by tool.
#[derive(Debug, Default)]
pub(crate) struct MirroredArguments {
    configured: HashMap<String, OfTool>,
    /// Shared by all configurations of the resource.
    learnt: Arc<RwLock<Learnt>>,
}

#[derive(Debug, Default)]
struct Learnt {
    /// A tool with none is one that is invalid.
    tools: HashMap<String, OfTool>,
    bytes: usize,
}

impl MirroredArguments {
    /// What is configured, which was checked.
    pub(super) fn new(configured: &BTreeMap<String, BTreeMap<String, String>>) -> Self {
        let mut tools = HashMap::new();
        for (tool, headers) in configured {
            let arguments = headers
                .iter()
                .filter_map(|(header, argument)| MirroredArgument::new(header, argument.clone()));
            tools.insert(tool.clone(), arguments.collect());
        }
        Self { configured: tools, learnt: Arc::default() }
    }

    /// The same, with what the other one has learnt and will learn.
    pub(super) fn learning_with(self, other: &Self) -> Self {
        Self { learnt: other.learnt.clone(), ..self }
    }

    /// Those of this tool, as far as they are known.
    pub(super) fn of_tool(&self, tool: &str) -> Option<OfTool> {
        if let Some(configured) = self.configured.get(tool) {
            return Some(configured.clone());
        }
        let learnt = self.learnt.read().unwrap_or_else(PoisonError::into_inner);
        learnt.tools.get(tool).cloned()
    }

    /// Whether nothing was learnt yet.
    pub(super) fn has_learnt_nothing(&self) -> bool {
        self.learnt.read().unwrap_or_else(PoisonError::into_inner).tools.is_empty()
    }

    /// Learns what the `inputSchema` of a tool says.
    pub(crate) fn learn(&self, tool: &str, schema: &Map<String, Value>) {
        if self.configured.contains_key(tool) {
            return;
        }
        let known = self.of_tool(tool);
        let (said, fault) = match mirrored_arguments(schema) {
            Ok(arguments) => (arguments, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        let is_known = match &known {
            Some(arguments) => **arguments == *said,
            None => said.is_empty() && fault.is_none(),
        };
        if is_known {
            return;
        }
        if let Some(fault) = fault {
            tracing::warn!(tool, reason = %fault, "clients of 2026-07-28 leave this tool out, and its headers are not compared");
        }
        let is_kept = fault.is_some() || !said.is_empty();
        let mut learnt = self.learnt.write().unwrap_or_else(PoisonError::into_inner);
        if !learnt.replace(tool, is_kept.then(|| said.into())) {
            tracing::warn!(
                tool,
                "too many arguments are repeated in headers: those of this tool are not compared"
            );
        }
    }
}

impl Learnt {
    /// Puts this in the place of what was known of the tool; whether there is room for it.
    fn replace(&mut self, tool: &str, arguments: Option<OfTool>) -> bool {
        if let Some(before) = self.tools.remove(tool) {
            self.bytes -= size(tool, &before);
        }
        let Some(arguments) = arguments else { return true };
        let bytes = size(tool, &arguments);
        if self.bytes + bytes > MAX_BYTES {
            return false;
        }
        self.bytes += bytes;
        self.tools.insert(tool.to_owned(), arguments);
        true
    }
}

/// About how many bytes it takes to know this.
fn size(tool: &str, arguments: &[MirroredArgument]) -> usize {
    let mut bytes = tool.len() + OVERHEAD;
    for one in arguments {
        bytes += one.header.as_str().len() + one.argument.len() + OVERHEAD;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn learn(known: &MirroredArguments, tool: &str, argument: &str) {
        let schema =
            json!({ "properties": { argument: { "type": "string", "x-mcp-header": "A" } } });
        known.learn(tool, schema.as_object().unwrap());
    }

    #[test]
    fn what_is_learnt_is_bounded_and_what_is_configured_stays() {
        let headers = BTreeMap::from([("Region".to_owned(), "region".to_owned())]);
        let known = MirroredArguments::new(&BTreeMap::from([("pinned".to_owned(), headers)]));
        learn(&known, "pinned", "other");
        assert_eq!(known.of_tool("pinned").unwrap()[0].argument, "region");
        assert!(known.has_learnt_nothing());
        let long = "x".repeat(10_000);
        for number in 0..200 {
            learn(&known, &format!("tool-{number}"), &long);
        }
        assert!(known.learnt.read().unwrap().bytes <= MAX_BYTES);
        assert!(known.of_tool("tool-0").is_some() && known.of_tool("tool-199").is_none());
        // Room that a tool gives up is there for others.
        known.learn("tool-0", &Map::new());
        learn(&known, "tool-199", &long);
        assert!(known.of_tool("tool-0").is_none() && known.of_tool("tool-199").is_some());
    }

    #[test]
    fn a_tool_that_becomes_invalid_asks_for_no_header() {
        let known = MirroredArguments::default();
        learn(&known, "tool", "a");
        assert_eq!(known.of_tool("tool").unwrap().len(), 1);
        let invalid = json!({ "x-mcp-header": "root" });
        known.learn("tool", invalid.as_object().unwrap());
        assert_eq!(known.of_tool("tool").map(|arguments| arguments.len()), Some(0));
        learn(&known, "tool", "b");
        assert_eq!(known.of_tool("tool").unwrap()[0].argument, "/b");
    }
}
