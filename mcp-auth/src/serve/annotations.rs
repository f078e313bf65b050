//! Which arguments of a tool clients repeat in headers: `x-mcp-header` in its `inputSchema`
//! (MCP 2026-07-28, "Custom Headers from Tool Parameters").
//!
//! An annotation that breaks one of the rules there makes the tool invalid: clients leave the tool out, so that nobody
//! sends its headers.

use std::fmt;

use http::HeaderName;
use serde_json::{Map, Value};

const ANNOTATION: &str = "x-mcp-header";
/// More of them are in no tool: requests have fewer headers.
const MAX_ANNOTATIONS: usize = 64;

/// An argument that clients repeat in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MirroredArgument {
    /// `Mcp-Param-…`.
    pub(super) header: HeaderName,
    /// The name of the argument, or a JSON Pointer.
    pub(super) argument: String,
}

impl MirroredArgument {
    /// For what follows `Mcp-Param-`; `None` when no header can have that name.
    pub(super) fn new(name: &str, argument: String) -> Option<Self> {
        let written = format!("mcp-param-{name}");
        let header =
            HeaderName::from_bytes(written.as_bytes()).ok().filter(|_| !name.is_empty())?;
        Some(Self { header, argument })
    }
}

/// Why no client calls a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnnotationFault {
    /// It is not on a property that `properties` alone lead to.
    Place,
    /// It is no text of which the name of a header can be made.
    Name,
    /// Another one has the same name.
    Twice,
    /// The argument is no text, integer or boolean.
    Type,
    /// There are more than a request has headers.
    TooMany,
}

impl fmt::Display for AnnotationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Place => "an x-mcp-header is not on a property that `properties` alone lead to",
            Self::Name => "an x-mcp-header is not the name of a header",
            Self::Twice => "two arguments have the same x-mcp-header",
            Self::TooMany => "too many arguments have an x-mcp-header",
            Self::Type => "an x-mcp-header is on an argument that is no string, integer or boolean",
        })
    }
}

/// The annotations of an `inputSchema`, which was read strictly.
///
/// # Errors
/// What makes the tool invalid.
pub(super) fn mirrored_arguments(
    schema: &Map<String, Value>,
) -> Result<Vec<MirroredArgument>, AnnotationFault> {
    let mut found = Vec::new();
    read_schema(schema, Place::Root, &mut found)?;
    Ok(found)
}

/// Where the value of a schema is in the arguments.
#[derive(Clone, Copy)]
enum Place<'p> {
    /// They are that value.
    Root,
    /// A member of another value.
    Property { parent: &'p Place<'p>, name: &'p str },
    /// More than `properties` lead to it, so that it may be anywhere.
    Elsewhere,
}

impl Place<'_> {
    /// The JSON Pointer of a property (RFC 6901).
    fn pointer(&self) -> Option<String> {
        let Self::Property { parent, name } = self else { return None };
        crate::steps::take(name.len());
        let mut pointer = match parent {
            Self::Root => String::new(),
            property => property.pointer()?,
        };
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        Some(pointer)
    }
}

/// Reads one schema.
fn read_schema(
    schema: &Map<String, Value>,
    place: Place<'_>,
    found: &mut Vec<MirroredArgument>,
) -> Result<(), AnnotationFault> {
    crate::steps::take(schema.len());
    if let Some(annotation) = schema.get(ANNOTATION) {
        add(annotation, place, schema, found)?;
    }
    for (keyword, value) in schema {
        match keyword.as_str() {
            ANNOTATION => {}
            "properties" => read_properties(value, Some(place), found)?,
            "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties" => {
                read_properties(value, None, found)?;
            }
            // They hold values and names, and no schemas.
            "const" | "default" | "dependentRequired" | "enum" | "examples" | "required" => {}
            _ => read_elsewhere(value, found)?,
        }
    }
    Ok(())
}

/// Reads an object whose members are schemas: of the properties of the value at this place, if it is one.
fn read_properties(
    properties: &Value,
    parent: Option<Place<'_>>,
    found: &mut Vec<MirroredArgument>,
) -> Result<(), AnnotationFault> {
    let Some(schemas) = properties.as_object() else { return Ok(()) };
    for (name, value) in schemas {
        let Some(schema) = value.as_object() else { continue };
        let place = match &parent {
            Some(Place::Elsewhere) | None => Place::Elsewhere,
            Some(parent) => Place::Property { parent, name },
        };
        read_schema(schema, place, found)?;
    }
    Ok(())
}

/// Reads a schema or a list of them in which no annotation may be.
fn read_elsewhere(value: &Value, found: &mut Vec<MirroredArgument>) -> Result<(), AnnotationFault> {
    match value {
        Value::Object(schema) => read_schema(schema, Place::Elsewhere, found),
        Value::Array(items) => items.iter().try_for_each(|item| read_elsewhere(item, found)),
        _ => Ok(()),
    }
}

fn add(
    annotation: &Value,
    place: Place<'_>,
    schema: &Map<String, Value>,
    found: &mut Vec<MirroredArgument>,
) -> Result<(), AnnotationFault> {
    if found.len() == MAX_ANNOTATIONS {
        return Err(AnnotationFault::TooMany);
    }
    let argument = place.pointer().ok_or(AnnotationFault::Place)?;
    let name = annotation.as_str().ok_or(AnnotationFault::Name)?;
    let mirrored = MirroredArgument::new(name, argument).ok_or(AnnotationFault::Name)?;
    if found.iter().any(|other| other.header == mirrored.header) {
        return Err(AnnotationFault::Twice);
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if !matches!(kind, Some("string" | "integer" | "boolean")) {
        return Err(AnnotationFault::Type);
    }
    found.push(mirrored);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: Value) -> Result<Vec<(String, String)>, AnnotationFault> {
        let found = mirrored_arguments(schema.as_object().unwrap())?;
        Ok(found.into_iter().map(|one| (one.header.to_string(), one.argument)).collect())
    }

    fn annotated(name: &str) -> Value {
        json!({ "type": "string", "x-mcp-header": name })
    }

    #[test]
    fn annotations_on_a_chain_of_properties_are_found() {
        let schema = json!({
            "type": "object",
            "properties": {
                "region": annotated("Region"),
                "count": { "type": "integer", "x-mcp-header": "COUNT" },
                "dry/run~": { "type": "boolean", "x-mcp-header": "dry" },
                "options": { "type": "object", "properties": { "tenant": annotated("Tenant") } },
                // A property of this name is no annotation.
                "x-mcp-header": { "type": "string" },
                "other": { "type": "string", "default": { "x-mcp-header": "no" } },
            },
            "required": ["region"],
        });
        let mut found = read(schema).unwrap();
        found.sort();
        let expected = [
            ("mcp-param-count", "/count"),
            ("mcp-param-dry", "/dry~1run~0"),
            ("mcp-param-region", "/region"),
            ("mcp-param-tenant", "/options/tenant"),
        ];
        assert_eq!(found, expected.map(|(header, path)| (header.to_owned(), path.to_owned())));
        assert_eq!(read(json!({})), Ok(Vec::new()));
        assert_eq!(read(json!({ "properties": [], "items": 5 })), Ok(Vec::new()));
    }

    #[test]
    fn what_makes_a_tool_invalid_is_told() {
        let property = |schema: Value| json!({ "properties": { "a": schema } });
        let elsewhere = |keyword: &str, value: Value| property(json!({ keyword: value }));
        let rows = [
            (property(annotated("")), AnnotationFault::Name),
            (property(annotated("a b")), AnnotationFault::Name),
            (property(annotated("a\r\nb")), AnnotationFault::Name),
            (property(annotated("é")), AnnotationFault::Name),
            (property(json!({ "type": "string", "x-mcp-header": 5 })), AnnotationFault::Name),
            (property(json!({ "type": "number", "x-mcp-header": "a" })), AnnotationFault::Type),
            (property(json!({ "type": "object", "x-mcp-header": "a" })), AnnotationFault::Type),
            (property(json!({ "x-mcp-header": "a" })), AnnotationFault::Type),
            (
                json!({ "properties": { "a": annotated("Same"), "b": annotated("sAME") } }),
                AnnotationFault::Twice,
            ),
            (annotated("root"), AnnotationFault::Place),
            (elsewhere("items", annotated("a")), AnnotationFault::Place),
            (elsewhere("anyOf", json!([annotated("a")])), AnnotationFault::Place),
            (elsewhere("not", annotated("a")), AnnotationFault::Place),
            (json!({ "then": { "properties": { "a": annotated("a") } } }), AnnotationFault::Place),
            (json!({ "$defs": { "a": annotated("a") } }), AnnotationFault::Place),
            (
                json!({ "$defs": { "a": { "properties": { "b": annotated("a") } } } }),
                AnnotationFault::Place,
            ),
            (
                json!({ "properties": (0..65)
                    .map(|number| (format!("a{number}"), annotated(&format!("A{number}"))))
                    .collect::<Map<_, _>>() }),
                AnnotationFault::TooMany,
            ),
        ];
        for (schema, fault) in rows {
            assert_eq!(read(schema.clone()), Err(fault), "{schema}");
        }
    }
}
