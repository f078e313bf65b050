//! The JSON-RPC messages of a request's body, read at least as strictly as by the server behind.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Operation, OperationKind};
use crate::error::MessageFault;
use crate::jose::Text;

/// What a request's body asks for.
pub(crate) struct Messages<'m> {
    /// Every call in it, of which an answer to the server is [`Operation::nothing`].
    pub(crate) operations: Vec<Operation<'m>>,
    pub(crate) is_batch: bool,
    /// The `id` of a single request, as it was written.
    pub(crate) id: Option<&'m RawValue>,
    /// The revision that a single message says it follows.
    pub(crate) revision: Option<Cow<'m, str>>,
}

impl<'m> Messages<'m> {
    /// Reads a body: one message, or a batch of them.
    pub(crate) fn parse(body: &'m [u8]) -> Result<Self, MessageFault> {
        if !body.trim_ascii_start().starts_with(b"[") {
            return Self::parse_one(serde_json::from_slice(body).map_err(fault)?);
        }
        let batch: Vec<Message<'m>> = serde_json::from_slice(body).map_err(fault)?;
        if batch.is_empty() {
            return Err(MessageFault::Invalid);
        }
        let mut all = Self { operations: Vec::new(), is_batch: true, id: None, revision: None };
        for message in batch {
            all.operations.extend(Self::parse_one(message)?.operations);
        }
        Ok(all)
    }

    fn parse_one(message: Message<'m>) -> Result<Self, MessageFault> {
        let answers = message.result.is_some() || message.error.is_some();
        let calls = message.method.is_some();
        let is = |text: &Option<Text<'_>>, wanted| text.as_ref().is_some_and(|one| one.0 == wanted);
        if !is(&message.jsonrpc, "2.0") || answers == calls || is(&message.method, "") {
            return Err(MessageFault::Invalid);
        }
        let params: Params<'m> = match message.params {
            Some(params) => serde_json::from_str(params.get()).map_err(fault)?,
            None => Params::default(),
        };
        let revision = params.meta.as_ref().and_then(|meta| meta.revision);
        let revision = revision.map(text).transpose()?;
        let operation = match message.method {
            Some(method) => operation(method.0, &params)?,
            None => Operation::nothing(),
        };
        Ok(Self { operations: vec![operation], is_batch: false, id: message.id, revision })
    }
}

/// JSON-RPC 2.0, with members that occur at most once.
#[derive(serde::Deserialize)]
struct Message<'m> {
    #[serde(borrow)]
    jsonrpc: Option<Text<'m>>,
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    #[serde(borrow)]
    method: Option<Text<'m>>,
    #[serde(borrow)]
    params: Option<&'m RawValue>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// The members of `params` that say what is called, whatever the method; unread until it is known
/// that they matter.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params<'m> {
    #[serde(borrow)]
    name: Option<&'m RawValue>,
    #[serde(borrow)]
    uri: Option<&'m RawValue>,
    #[serde(borrow)]
    task_id: Option<&'m RawValue>,
    #[serde(borrow, rename = "ref")]
    reference: Option<&'m RawValue>,
    #[serde(borrow)]
    arguments: Option<&'m RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'m>>,
}

#[derive(serde::Deserialize)]
struct Meta<'m> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    revision: Option<&'m RawValue>,
}

/// `ref` of `completion/complete`.
#[derive(serde::Deserialize)]
struct Reference {
    r#type: String,
    name: Option<String>,
    uri: Option<String>,
}

fn operation<'m>(method: Cow<'m, str>, params: &Params<'m>) -> Result<Operation<'m>, MessageFault> {
    use OperationKind::{Other, Prompt, Resource, Tool};
    let named = |operation: Operation<'m>, kind, name: Option<&'m RawValue>| {
        let name = text(name.ok_or(MessageFault::Invalid)?)?;
        Ok(operation.naming(kind, name))
    };
    let operation = Operation::new(method);
    match operation.method() {
        "tools/call" => Ok(named(operation, Tool, params.name)?
            .with_written_arguments(distinct_arguments(params.arguments)?)),
        "prompts/get" => Ok(named(operation, Prompt, params.name)?
            .with_written_arguments(distinct_arguments(params.arguments)?)),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            named(operation, Resource, params.uri)
        }
        "completion/complete" => completed(operation, params.reference),
        tasks if tasks.starts_with("tasks/") && params.task_id.is_some() => {
            named(operation, Other, params.task_id)
        }
        _ => Ok(operation),
    }
}

/// Completing an argument of a prompt or a template tells what is behind it.
fn completed<'m>(
    operation: Operation<'m>,
    reference: Option<&'m RawValue>,
) -> Result<Operation<'m>, MessageFault> {
    let reference = reference.ok_or(MessageFault::Invalid)?;
    let reference: Reference = serde_json::from_str(reference.get()).map_err(fault)?;
    match (&*reference.r#type, reference.name, reference.uri) {
        ("ref/prompt", Some(name), _) => Ok(operation.naming(OperationKind::Prompt, name)),
        ("ref/resource", _, Some(uri)) => Ok(operation.naming(OperationKind::Resource, uri)),
        _ => Err(MessageFault::Invalid),
    }
}

fn text(written: &RawValue) -> Result<Cow<'_, str>, MessageFault> {
    serde_json::from_str::<Text<'_>>(written.get()).map(|text| text.0).map_err(fault)
}

/// An object without two members of one name at any depth: readers disagree which of them counts.
fn distinct_arguments(written: Option<&RawValue>) -> Result<Option<&RawValue>, MessageFault> {
    if let Some(arguments) = written {
        if !arguments.get().starts_with('{') {
            return Err(MessageFault::Invalid);
        }
        let _: Distinct = serde_json::from_str(arguments.get()).map_err(fault)?;
    }
    Ok(written)
}

fn fault(error: serde_json::Error) -> MessageFault {
    if error.is_data() { MessageFault::Invalid } else { MessageFault::NotJson }
}

/// Any JSON value whose objects have distinct members.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = Names::default();
        while let Some(name) = members.next_key::<Text<'de>>()? {
            if !names.is_new(name.0) {
                return Err(de::Error::custom("duplicate member"));
            }
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

/// The member names of one object.
#[derive(Default)]
struct Names<'de> {
    /// Compared one by one, which is quicker while there are few.
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    fn is_new(&mut self, name: Cow<'de, str>) -> bool {
        const FEW: usize = 16;
        if self.few.contains(&name) || self.many.contains(&name) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(name);
            true
        } else {
            self.many.insert(name)
        }
    }
}
