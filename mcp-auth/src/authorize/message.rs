//! The JSON-RPC messages of a request's body, read at least as strictly as by the server behind.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Operation, OperationKind};
use crate::error::MessageFault;
use crate::text::Text;

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
        let text = std::str::from_utf8(body).map_err(|_| MessageFault::NotJson)?;
        let is_batch = text.trim_ascii_start().starts_with('[');
        let messages: Vec<Object<Message<'m>>> = match is_batch {
            true => serde_json::from_str(text).map_err(fault)?,
            false => vec![serde_json::from_str(text).map_err(fault)?],
        };
        let mut all = Self { operations: Vec::new(), is_batch, id: None, revision: None };
        for (index, Object(message)) in messages.into_iter().enumerate() {
            if !is_batch {
                let meta = message.params.as_ref().and_then(|params| params.0.meta.as_ref());
                let revision = meta.and_then(|meta| meta.0.revision);
                (all.id, all.revision) = (message.id, revision.map(self::text).transpose()?);
            }
            all.operations.push(message.operation(text, index)?);
        }
        if all.operations.is_empty() { Err(MessageFault::Invalid) } else { Ok(all) }
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
    params: Option<Object<Params<'m>>>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl<'m> Message<'m> {
    /// What it asks for; it is at this place in the body.
    fn operation(self, body: &'m str, index: usize) -> Result<Operation<'m>, MessageFault> {
        let (calls, answers) =
            (self.method.is_some(), self.result.is_some() || self.error.is_some());
        let is = |text: &Option<Text<'_>>, wanted| text.as_ref().is_some_and(|one| one.0 == wanted);
        if !is(&self.jsonrpc, "2.0") || answers == calls || is(&self.method, "") {
            return Err(MessageFault::Invalid);
        }
        let Some(method) = self.method else { return Ok(Operation::nothing()) };
        let params = self.params.map(|params| params.0).unwrap_or_default();
        let operation = named(Operation::new(method.0), &params)?;
        Ok(match params.arguments {
            Some(arguments) if arguments.is_object => operation.with_arguments_in(body, index),
            _ => operation,
        })
    }
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
    arguments: Option<Distinct>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Object<Meta<'m>>>,
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

/// The operation with what it names.
fn named<'m>(operation: Operation<'m>, params: &Params<'m>) -> Result<Operation<'m>, MessageFault> {
    let (kind, name) = match operation.method() {
        "tools/call" => (OperationKind::Tool, params.name),
        "prompts/get" => (OperationKind::Prompt, params.name),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            (OperationKind::Resource, params.uri)
        }
        "completion/complete" => return completed(operation, params.reference),
        tasks if tasks.starts_with("tasks/") && params.task_id.is_some() => {
            (OperationKind::Other, params.task_id)
        }
        _ => return Ok(operation),
    };
    let has_arguments = params.arguments.as_ref().is_none_or(|arguments| arguments.is_object);
    let name = name.filter(|_| has_arguments).ok_or(MessageFault::Invalid)?;
    Ok(operation.naming(kind, text(name)?))
}

/// Completing an argument of a prompt or a template tells what is behind it.
fn completed<'m>(
    operation: Operation<'m>,
    reference: Option<&'m RawValue>,
) -> Result<Operation<'m>, MessageFault> {
    let reference = reference.ok_or(MessageFault::Invalid)?;
    let Object(reference): Object<Reference> =
        serde_json::from_str(reference.get()).map_err(fault)?;
    match (&*reference.r#type, reference.name, reference.uri) {
        ("ref/prompt", Some(name), _) => Ok(operation.naming(OperationKind::Prompt, name)),
        ("ref/resource", _, Some(uri)) => Ok(operation.naming(OperationKind::Resource, uri)),
        _ => Err(MessageFault::Invalid),
    }
}

fn text(written: &RawValue) -> Result<Cow<'_, str>, MessageFault> {
    serde_json::from_str::<Text<'_>>(written.get()).map(|text| text.0).map_err(fault)
}

fn fault(error: serde_json::Error) -> MessageFault {
    if error.is_data() { MessageFault::Invalid } else { MessageFault::NotJson }
}

/// A struct that is written as an object: serde would take an array of its fields as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// Any JSON value whose objects have distinct members: readers disagree which of two counts.
struct Distinct {
    is_object: bool,
}

impl Distinct {
    const SCALAR: Self = Self { is_object: false };
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self::SCALAR)
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
        Ok(Self { is_object: true })
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
