//! What is judged is what a tool gets: our reader beside those of Node, Python and rmcp, over generated documents. Ours
//! may refuse what they read; what it reads, they read alike or refuse.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mcp_auth::AuthInfo;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};
use serde_json::{Map, Value};

const DOCUMENTS: usize = 6_000;

/// Each reads a document in base64 from every line, and writes what it is in one form on one line.
const NODE: &str = r#"
const { readFileSync } = require('node:fs');
const text = (value) => '"' + Array.from({ length: value.length }, (_, i) => value.charCodeAt(i).toString(16)).join(' ') + '"';
const number = (value) => {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value === 0 ? 0 : value);
  return 'd' + bits.getBigUint64(0).toString(16);
};
const form = (value) => {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return number(value);
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return '[' + value.map(form).join(',') + ']';
  return '{' + Object.keys(value).map((name) => text(name) + ':' + form(value[name])).sort().join(',') + '}';
};
const lines = readFileSync(0, 'latin1').trim().split('\n');
const read = (line) => {
  try {
    return form(JSON.parse(Buffer.from(line, 'base64').toString('utf8')));
  } catch {
    return 'refused';
  }
};
process.stdout.write(lines.map(read).join('\n'));
"#;

const PYTHON: &str = r#"
import base64, json, struct, sys

def text(value):
    units = value.encode("utf-16-be", "surrogatepass")
    return '"' + " ".join(format(units[i] * 256 + units[i + 1], "x") for i in range(0, len(units), 2)) + '"'

def form(value):
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return "i" + str(value)
    if isinstance(value, float):
        if value == 0:
            return "i0"
        return "d" + format(struct.unpack(">Q", struct.pack(">d", value))[0], "x")
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(form, value)) + "]"
    return "{" + ",".join(sorted(text(name) + ":" + form(one) for name, one in value.items())) + "}"

def read(line):
    try:
        return form(json.loads(base64.b64decode(line).decode("utf-8")))
    except (ValueError, RecursionError):
        return "refused"

sys.stdout.write("\n".join(map(read, sys.stdin.read().split())))
"#;

/// How a language writes numbers in that form.
type Number = fn(&serde_json::Number) -> String;

fn as_double(number: &serde_json::Number) -> String {
    // Zero has one form: who compares numbers does not see its sign.
    let value = number.as_f64().unwrap() + 0.0;
    format!("d{:x}", value.to_bits())
}

fn as_integer_or_double(number: &serde_json::Number) -> String {
    if number.as_f64() == Some(0.0) {
        "i0".to_owned()
    } else if number.is_f64() {
        as_double(number)
    } else {
        format!("i{number}")
    }
}

fn form(value: &Value, number: Number) -> String {
    match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(one) => number(one),
        Value::String(text) => text_form(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| form(item, number)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}:{}", text_form(name), form(value, number))
            };
            let mut members: Vec<_> = members.iter().map(member).collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn text_form(text: &str) -> String {
    let units: Vec<_> = text.encode_utf16().map(|unit| format!("{unit:x}")).collect();
    format!("\"{}\"", units.join(" "))
}

/// Documents by chance, always the same ones.
struct Generator(u64);

impl Generator {
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.number() >> 11) % limit
    }

    fn one<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn document(&mut self) -> String {
        let mut text = String::from("{");
        for index in 0..=self.below(4) {
            if index > 0 {
                text.push(',');
            }
            self.member(&mut text, 4);
        }
        text.push('}');
        if self.below(8) == 0 {
            self.damage(&mut text);
        }
        text
    }

    fn member(&mut self, text: &mut String, depth: u64) {
        let name = self.one(&NAMES);
        // Registered claims have types of their own: none of them is here.
        let name = if self.below(3) == 0 { self.escaped(name) } else { name.to_owned() };
        let space = self.one(&SPACES);
        write!(text, "\"{name}\"{space}:{space}").unwrap();
        self.value(text, depth);
    }

    /// The same text with some characters written as escapes.
    fn escaped(&mut self, text: &str) -> String {
        let mut all = String::new();
        for letter in text.chars() {
            if letter.is_ascii_alphanumeric() && self.below(2) == 0 {
                write!(all, "\\u{:04x}", letter as u32).unwrap();
            } else {
                all.push(letter);
            }
        }
        all
    }

    fn value(&mut self, text: &mut String, depth: u64) {
        match self.below(if depth == 0 { 7 } else { 12 }) {
            0 => text.push_str(self.one(&["null", "true", "false"])),
            1 | 2 => text.push_str(self.one(&NUMBERS)),
            3 => {
                let (whole, part) = (self.number() >> self.below(63), self.number() >> 30);
                let exponent = self.below(640) as i64 - 320;
                let sign = self.one(&["", "-"]);
                match self.below(3) {
                    0 => write!(text, "{sign}{whole}"),
                    1 => write!(text, "{sign}{whole}.{part}"),
                    _ => write!(text, "{sign}{}.{part}e{exponent}", whole % 10),
                }
                .unwrap();
            }
            4..=6 => write!(text, "\"{}{}\"", self.one(&TEXTS), self.one(&TEXTS)).unwrap(),
            7 if self.below(12) == 0 => {
                let levels = 110 + self.below(30) as usize;
                let inner = self.one(&["", "1", "{}"]);
                write!(text, "{}{inner}{}", "[".repeat(levels), "]".repeat(levels)).unwrap();
            }
            7..=9 => {
                text.push('{');
                for index in 0..self.below(4) {
                    if index > 0 {
                        text.push(',');
                    }
                    self.member(text, depth - 1);
                }
                text.push('}');
            }
            _ => {
                text.push('[');
                for index in 0..self.below(4) {
                    if index > 0 {
                        text.push(',');
                    }
                    self.value(text, depth - 1);
                }
                text.push(']');
            }
        }
    }

    /// Puts something in, or takes it away, at some place.
    fn damage(&mut self, text: &mut String) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[self.below(places.len() as u64) as usize];
        if self.below(2) == 0 {
            text.insert_str(at, self.one(&DAMAGES));
        } else {
            text.remove(at);
        }
    }
}

const SPACES: [&str; 4] = ["", " ", "\n\t", "\r\n"];
const NAMES: [&str; 27] = [
    "a",
    "b",
    "mode",
    "",
    "A",
    "\u{e9}",
    "e\u{301}",
    "\u{1f600}",
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "toJSON",
    "__class__",
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
    "$serde_json::private",
    "$__toml_private_datetime",
    "$__serde_spanned_private_start",
    "$oid",
    "$numberLong",
    "$ref",
    "$type",
    "!tag",
    "<<",
    "@value",
];
const TEXTS: [&str; 22] = [
    "",
    "write",
    "true",
    "5",
    "\\\"admin\\\"",
    "\\n\\r\\t\\b\\f\\/\\\\",
    "\\u0000",
    "\\u00e9",
    "e\u{301}",
    "\\ud83d\\ude00",
    "\\uD83D\\uDE00",
    "\u{1f600}",
    "\\ud800",
    "\\udc00",
    "\\ud83d",
    "\\u2028",
    "\u{2028}\u{7f}\u{85}",
    "\\x41",
    "\\u00",
    "\n",
    "\u{0}",
    "\u{feff}",
];
const NUMBERS: [&str; 34] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "0e5",
    "1",
    "-1",
    "1.0",
    "1e2",
    "1E+2",
    "100e-2",
    "0.1",
    "0.30000000000000004",
    "5e-324",
    "2.2250738585072011e-308",
    "1e-400",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "1e308",
    "1e309",
    "-1e400",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "01",
    "1.",
];
const DAMAGES: [&str; 20] = [
    ",",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ":",
    "\\",
    "//",
    "/**/",
    "NaN",
    "Infinity",
    "-",
    "+",
    ".",
    "\u{feff}",
    "\u{a0}",
    "\u{b}",
    "undefined",
];

/// What another reader makes of every document; `None` where it is not installed.
fn read_with(program: &str, arguments: &[&str], documents: &[String]) -> Option<Vec<String>> {
    let child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let lines: Vec<_> = documents.iter().map(|text| BASE64_STANDARD.encode(text)).collect();
    // It reads all of it before it writes.
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// The arguments of a call, as rmcp hands them to a tool.
fn read_with_rmcp(document: &str) -> Option<Map<String, Value>> {
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{document}}}}}"#
    );
    let message: ClientJsonRpcMessage = serde_json::from_str(&message).ok()?;
    match message {
        JsonRpcMessage::Request(request) => match request.request {
            ClientRequest::CallToolRequest(call) => call.params.arguments,
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn every_reader_makes_the_same_of_what_is_accepted() {
    let mut generator = Generator(0x2545_f491_4f6c_dd1d);
    let documents: Vec<_> = (0..DOCUMENTS).map(|_| generator.document()).collect();
    let read =
        |text: &String| AuthInfo::from_verified_json(text).ok().map(|info| info.claims().clone());
    let ours: Vec<_> = documents.iter().map(read).collect();
    let accepted = ours.iter().flatten().count();
    assert!(accepted > DOCUMENTS / 5 && accepted < DOCUMENTS * 4 / 5, "{accepted}");

    let mut by_rmcp = 0;
    for (document, ours) in documents.iter().zip(&ours) {
        if let (Some(ours), Some(theirs)) = (ours, read_with_rmcp(document)) {
            assert_eq!(*ours, theirs, "rmcp: {document}");
            by_rmcp += 1;
        }
    }
    assert!(by_rmcp > accepted * 9 / 10, "{by_rmcp} of {accepted}");

    let others: [(&str, &[&str], Number); 2] =
        [("node", &["-e", NODE], as_double), ("python3", &["-c", PYTHON], as_integer_or_double)];
    for (program, arguments, number) in others {
        let Some(theirs) = read_with(program, arguments, &documents) else { continue };
        assert_eq!(theirs.len(), documents.len(), "{program}");
        for ((document, ours), theirs) in documents.iter().zip(&ours).zip(theirs) {
            let Some(ours) = ours else { continue };
            let ours = form(&Value::Object(ours.clone()), number);
            assert_eq!(ours, theirs, "{program}: {document}");
        }
    }
}
