//! The JSON-RPC messages of a request's body, read at least as strictly as by the server behind.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Operation;
use super::OperationKind::{Other, Prompt, Resource, Tool};
use crate::error::MessageFault;
use crate::text::Text;

/// Messages that a batch may have, and resources that a subscription may be for.
const MAX_BATCH: usize = 100;

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
        crate::steps::take(body.len());
        let text = std::str::from_utf8(body).map_err(|_| MessageFault::NotJson)?;
        if text.trim_ascii_start().starts_with('[') {
            return Self::parse_batch(text);
        }
        let mut only = Self { operations: Vec::new(), is_batch: false, id: None, revision: None };
        let message = Message::parse(text)?;
        let meta = message.params.as_ref().and_then(|params| params.0.meta.as_ref());
        let revision = meta.and_then(|meta| meta.0.revision);
        (only.id, only.revision) = (message.id, revision.map(self::text).transpose()?);
        message.add_operations(text, &mut only.operations)?;
        Ok(only)
    }

    fn parse_batch(text: &'m str) -> Result<Self, MessageFault> {
        let messages: Vec<&'m RawValue> = serde_json::from_str(text).map_err(fault)?;
        if messages.is_empty() {
            return Err(MessageFault::Invalid);
        }
        if messages.len() > MAX_BATCH {
            return Err(MessageFault::TooLarge);
        }
        let mut all = Self { operations: Vec::new(), is_batch: true, id: None, revision: None };
        for message in messages.into_iter().map(RawValue::get) {
            Message::parse(message)?.add_operations(message, &mut all.operations)?;
        }
        Ok(all)
    }
}

/// JSON-RPC 2.0, with members that occur at most once.
#[derive(serde::Deserialize)]
struct Message<'m> {
    #[serde(borrow)]
    jsonrpc: Option<Text<'m>>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    id: Option<&'m RawValue>,
    #[serde(borrow)]
    method: Option<Text<'m>>,
    #[serde(borrow)]
    params: Option<Object<Params<'m>>>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl<'m> Message<'m> {
    fn parse(text: &'m str) -> Result<Self, MessageFault> {
        crate::steps::take(text.len());
        let Object(message): Object<Self> = serde_json::from_str(text).map_err(fault)?;
        match message.id {
            Some(id) if !is_id(id) => Err(MessageFault::Invalid),
            _ => Ok(message),
        }
    }

    /// What it asks for; `text` is the message as it was written.
    fn add_operations(
        self,
        text: &'m str,
        operations: &mut Vec<Operation<'m>>,
    ) -> Result<(), MessageFault> {
        let (calls, answers) =
            (self.method.is_some(), self.result.is_some() || self.error.is_some());
        let is = |text: &Option<Text<'_>>, wanted| text.as_ref().is_some_and(|one| one.0 == wanted);
        if !is(&self.jsonrpc, "2.0") || answers == calls || is(&self.method, "") {
            return Err(MessageFault::Invalid);
        }
        let Some(method) = self.method else {
            operations.push(Operation::nothing());
            return Ok(());
        };
        let params = self.params.map(|params| params.0).unwrap_or_default();
        let operation = || Operation::new(method.0.clone()).notifying(self.id.is_none());
        match &*method.0 {
            "completion/complete" => {
                let reference = Reference::read(params.reference)?;
                let template = reference.expanded(params.context)?;
                operations.extend(template.map(|uri| operation().naming(Resource, uri)));
                operations.push(reference.naming(operation())?);
            }
            "subscriptions/listen" => {
                let uris = subscribed(params.notifications)?;
                operations.push(operation());
                operations.extend(uris.into_iter().map(|uri| operation().naming(Resource, uri.0)));
            }
            _ => {
                let operation = named(operation(), &params)?;
                operations.push(match params.arguments {
                    Some(arguments) if arguments.is_object => operation.with_arguments_in(text),
                    _ => operation,
                });
            }
        }
        Ok(())
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
    #[serde(borrow)]
    context: Option<&'m RawValue>,
    #[serde(borrow)]
    notifications: Option<&'m RawValue>,
    arguments: Option<Distinct>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Object<Meta<'m>>>,
}

#[derive(serde::Deserialize)]
struct Meta<'m> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    revision: Option<&'m RawValue>,
}

/// `ref` of `completion/complete`: completing an argument of a prompt or a template tells what is
/// behind it.
#[derive(serde::Deserialize)]
struct Reference {
    r#type: String,
    name: Option<String>,
    uri: Option<String>,
}

impl Reference {
    fn read(written: Option<&RawValue>) -> Result<Self, MessageFault> {
        let written = written.ok_or(MessageFault::Invalid)?;
        serde_json::from_str(written.get()).map(|Object(reference)| reference).map_err(fault)
    }

    /// The template with the variables that the client has chosen already.
    fn expanded(&self, context: Option<&RawValue>) -> Result<Option<String>, MessageFault> {
        #[derive(serde::Deserialize)]
        struct Context {
            arguments: Option<BTreeMap<String, String>>,
        }
        let (Some(uri), Some(context)) = (&self.uri, context) else { return Ok(None) };
        let Object(context): Object<Context> =
            serde_json::from_str(context.get()).map_err(fault)?;
        let chosen = context.arguments.unwrap_or_default();
        let expand = |uri: String, (name, value): (&String, &String)| {
            crate::steps::take(uri.len() + name.len() + value.len());
            uri.replace(&format!("{{{name}}}"), value).replace(&format!("{{+{name}}}"), value)
        };
        Ok(Some(chosen.iter().fold(uri.clone(), expand)))
    }

    fn naming(self, operation: Operation<'_>) -> Result<Operation<'_>, MessageFault> {
        match (&*self.r#type, self.name, self.uri) {
            ("ref/prompt", Some(name), _) => Ok(operation.naming(Prompt, name)),
            ("ref/resource", _, Some(uri)) => Ok(operation.naming(Resource, uri)),
            _ => Err(MessageFault::Invalid),
        }
    }
}

/// The resources that `subscriptions/listen` is for (2026-07-28).
fn subscribed(notifications: Option<&RawValue>) -> Result<Vec<Text<'_>>, MessageFault> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Notifications<'m> {
        #[serde(borrow)]
        resource_subscriptions: Option<Vec<Text<'m>>>,
    }
    let Some(notifications) = notifications else { return Ok(Vec::new()) };
    let Object(notifications): Object<Notifications<'_>> =
        serde_json::from_str(notifications.get()).map_err(fault)?;
    let uris = notifications.resource_subscriptions.unwrap_or_default();
    if uris.len() > MAX_BATCH { Err(MessageFault::TooLarge) } else { Ok(uris) }
}

/// A member that counts as there when it is `null`.
fn even_null<'de, D: Deserializer<'de>>(d: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// JSON-RPC 2.0 §4, as MCP narrows it: a text or a number.
fn is_id(id: &RawValue) -> bool {
    let is_text = || serde_json::from_str::<Text<'_>>(id.get()).is_ok();
    is_text() || serde_json::from_str::<f64>(id.get()).is_ok()
}

/// The operation with what it names. Whatever has a `uri` is about a resource.
fn named<'m>(operation: Operation<'m>, params: &Params<'m>) -> Result<Operation<'m>, MessageFault> {
    let (kind, name) = match operation.method() {
        "tools/call" => (Tool, params.name),
        "prompts/get" => (Prompt, params.name),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            (Resource, params.uri)
        }
        tasks if tasks.starts_with("tasks/") && params.task_id.is_some() => (Other, params.task_id),
        _ if params.uri.is_some() => (Resource, params.uri),
        _ => return Ok(operation),
    };
    let has_arguments = params.arguments.as_ref().is_none_or(|arguments| arguments.is_object);
    let name = name.filter(|_| has_arguments).ok_or(MessageFault::Invalid)?;
    Ok(operation.naming(kind, text(name)?))
}

fn text(written: &RawValue) -> Result<Cow<'_, str>, MessageFault> {
    serde_json::from_str::<Text<'_>>(written.get()).map(|text| text.0).map_err(fault)
}

fn fault(error: serde_json::Error) -> MessageFault {
    if error.is_data() { MessageFault::Invalid } else { MessageFault::NotJson }
}

/// A struct that is written as an object: serde would take an array of its fields as well.
pub(super) struct Object<T>(pub(super) T);

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
        crate::steps::take(self.few.len());
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
