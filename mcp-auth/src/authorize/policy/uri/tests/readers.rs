//! What others read: Rust's `url`, Node's `new URL`, Python's `urllib` and, where it is installed,
//! `yarl`. Two URIs that one of them reads as the same resource have one form here, or one of them
//! is refused; and two of one form have, to all of them, one scheme and one host.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::Url;

use super::{NormalUri, spellings};

const IN_NODE: &str = include_str!("../../../../../tests/fixtures/uris/read.mjs");
const IN_PYTHON: &str = include_str!("../../../../../tests/fixtures/uris/read.py");

/// How a reader reads a URI: a few ways to name the resource, its scheme, its host, and its path.
struct Reading {
    names: Vec<String>,
    scheme: String,
    host: String,
    path: String,
}

/// The readings of each URI, by the name of the reader; `None` where it reads none.
type Readings = BTreeMap<String, Vec<Option<Reading>>>;

#[test]
fn the_url_crate_reads_no_two_forms_as_one() {
    let uris = uris();
    let read = |uri: &String| Url::parse(uri).ok().map(|url| in_rust(&url));
    let readings = uris.iter().map(read).collect();
    hold(&uris, &Readings::from([("url".to_owned(), readings)]));
}

/// A step of `cargo xtask test` runs this where both are installed.
#[test]
#[ignore = "needs Node and Python"]
fn node_and_python_read_no_two_forms_as_one() {
    let uris = uris();
    let mut readings = answers("node", &["--input-type=module", "-e", IN_NODE], &uris);
    readings.append(&mut answers("python3", &["-c", IN_PYTHON], &uris));
    assert!(readings.contains_key("node") && readings.contains_key("urllib"));
    hold(&uris, &readings);
}

fn in_rust(url: &Url) -> Reading {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| port.to_string()).unwrap_or_default();
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let place = format!("{}|{}|{port}", url.scheme(), host.to_ascii_lowercase());
    let query = url.query().unwrap_or_default();
    let form: Vec<_> = url.query_pairs().collect();
    Reading {
        names: vec![
            format!("serialized {url}"),
            format!("decoded {place}|{}|{}", decoded(url.path()), decoded(query)),
            format!("form {place}|{}|{form:?}", url.path()),
        ],
        scheme: url.scheme().to_owned(),
        host: host.to_owned(),
        path: url.path().to_owned(),
    }
}

/// Asks a program once about all URIs.
fn answers(program: &str, arguments: &[&str], uris: &[String]) -> Readings {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = json!(uris).to_string();
    let mut input = child.stdin.take().unwrap();
    input.write_all(question.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}");
    let answer: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reading = |value: &Value| {
        let names = value.get("names")?.as_array()?.iter().map(text).collect();
        let [scheme, host, path] = ["scheme", "host", "path"].map(|name| text(&value[name]));
        Some(Reading { names, scheme, host, path })
    };
    let readings = |(name, values): (String, Vec<Value>)| {
        assert_eq!(values.len(), uris.len(), "{name}");
        (name, values.iter().map(reading).collect())
    };
    answer.into_iter().map(readings).collect()
}

fn hold(uris: &[String], all: &Readings) {
    let mut faults = BTreeSet::new();
    // A host that has other forms is judged as any host would be.
    let known = |uri: &String| NormalUri::read(uri).ok().filter(NormalUri::has_known_host);
    let forms: Vec<_> = uris.iter().map(known).collect();
    for (reader, readings) in all {
        let (mut by_name, mut by_form) = (BTreeMap::new(), BTreeMap::new());
        let mut compared = 0;
        for ((uri, form), reading) in uris.iter().zip(&forms).zip(readings) {
            let (Some(form), Some(reading)) = (form, reading) else { continue };
            compared += 1;
            for name in &reading.names {
                let (first, of) =
                    by_name.entry(name).or_insert_with(|| (to_asking_rules(form), uri));
                if *first != to_asking_rules(form) {
                    faults.insert(format!("{reader} reads {of:?} and {uri:?} as {name:?}"));
                }
            }
            let place = place(reading);
            let (first, of) = by_form.entry(form.as_str()).or_insert_with(|| (place.clone(), uri));
            if *first != place {
                faults.insert(format!("{reader} reads {of:?} at {first:?}, {uri:?} at {place:?}"));
            }
        }
        assert!(compared > 1000, "{reader} read {compared}");
    }
    let shown: Vec<_> = faults.iter().take(40).collect();
    assert!(faults.is_empty(), "{} faults, such as {shown:#?}", faults.len());
}

/// The form in which a rule that asks for something sees it. A host with and without a slash are one to
/// `yarl`, and `%26` and `&` (`%3D`, `%2B`) to readers that decode a query before they split it: such rules count for
/// both.
fn to_asking_rules(form: &NormalUri) -> String {
    let (path, query) = form.as_str().split_at(form.without_query().len());
    let is_host_alone = path.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
    let slash = if is_host_alone { "/" } else { "" };
    let query = query.trim_start_matches('?');
    let decoded = query.replace("%26", "&").replace("%3D", "=").replace("%2B", "+");
    let parameters = decoded.split('&').filter(|parameter| !matches!(*parameter, "" | "="));
    let with_value =
        |parameter: &str| format!("&{parameter}{}", if parameter.contains('=') { "" } else { "=" });
    format!("{path}{slash}{}", parameters.map(with_value).collect::<String>())
}

/// Scheme and host; where it has none, the first path segment, since how many slashes come before
/// it makes no difference here. Paths are compared as the forms say.
fn place(reading: &Reading) -> (String, String) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().to_lowercase();
    let is_apart = reading.host.is_empty() && reading.path.starts_with('/');
    let first = reading.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let host = if is_apart { first } else { &reading.host };
    (reading.scheme.to_lowercase(), decoded(host))
}

/// Each character in each place in each spelling, each part beside each other, and odd ones.
fn uris() -> Vec<String> {
    let mut uris: Vec<String> = ODD.iter().map(|uri| (*uri).to_owned()).collect();
    let characters =
        (0..0x180).chain([0x3c2, 0x3c3, 0x430, 0x4e00, 0x3002, 0xff0e, 0xff53, 0xfffd]);
    for character in characters.filter_map(char::from_u32) {
        for around in PLACES {
            uris.extend(spellings(character).iter().map(|text| around.replace("{}", text)));
        }
    }
    for scheme in ["n:", "N:", "https:", "file:", "urn:", ""] {
        for start in STARTS {
            for path in PATHS {
                uris.extend(QUERIES.map(|query| format!("{scheme}{start}{path}{query}")));
            }
        }
    }
    uris.extend(generated());
    uris
}

/// Pieces one after the other, each URI in five spellings; the same in every run.
fn generated() -> Vec<String> {
    const PIECES: [&str; 40] = [
        "a", "B", "é", "%", "/", "//", ".", "..", ":", "@", "?", "&", "=", "+", " ", "*", "{", "}",
        "|", "^", "[", "]", "\"", "'", "<", "~", "-", ";", ",", "$", "!", "(", "\\", "#", "80",
        "xn--", "\u{ff41}", "\u{301}", "ß", "c",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut uris = Vec::new();
    for _ in 0..2500 {
        let start =
            ["n://s/", "n://", "n:", "https://h.example/", "https://", "file:///", ""][next(7)];
        let pieces: Vec<_> = (0..=next(5)).map(|_| PIECES[next(PIECES.len())]).collect();
        for _ in 0..5 {
            let mut uri = start.to_owned();
            for character in pieces.concat().chars() {
                let spellings = spellings(character);
                uri.push_str(&spellings[next(4).saturating_sub(1)]);
            }
            uris.push(uri);
        }
    }
    uris
}

const PLACES: [&str; 9] = [
    "n://s/a{}b",
    "n://s/a{}",
    "n://{}s/a",
    "n:a{}b",
    "n:{}",
    "n://s/a?q=a{}b",
    "https://h.example/a{}b",
    "https://h{}.example/a?x{}y",
    "file:///a{}/b",
];

const STARTS: [&str; 34] = [
    "",
    "/",
    "//",
    "///",
    "////",
    "//s",
    "//S",
    "///s",
    "////s",
    "/s",
    "s",
    "//s.",
    "//s:80",
    "//s:443",
    "//s:",
    "//:80",
    "//u@s",
    "//@s",
    "//u:p@s",
    "//u%40s",
    "//s%3A80",
    "//%73",
    "//s%2E",
    "//[::1]",
    "//é",
    "//É",
    "//xn--9ca",
    "//%C3%A9",
    "//ｓ",
    "//1.2.3",
    "//010.0.0.1",
    "//localhost",
    "//{s}",
    "//c:",
];

const PATHS: [&str; 18] = [
    "",
    "/",
    "//",
    "/a",
    "/A",
    "/a/",
    "/./a",
    "/b/../a",
    "/b/%2e%2E/a",
    "/a;x",
    "/%61",
    "/a%2Fb",
    "/a/b",
    "/c:/x",
    "/C:/x",
    "/c|/x",
    "/c%7C/x",
    "/a%40b",
];

const QUERIES: [&str; 11] =
    ["", "?", "?q", "?q=", "?q&", "?&q", "?q=a+b", "?q=a%20b", "?q=a%2Bb", "?q=a%26b", "#f"];

const ODD: [&str; 24] = [
    "secret/a:b",
    "1:2",
    "{s}:x",
    "//h/x",
    "?x",
    "",
    " n://s/a",
    "n://s/a ",
    "n://s/a\u{a0}",
    "\u{1}n://s/a",
    "n\t://s/a",
    "n://s\n/a",
    "n:\\\\s\\a",
    "n://s\\a",
    "urn:ISBN:1",
    "urn:isbn:1",
    "note%3As/a",
    "n:a ?x",
    "n:a",
    "n:a?x",
    "n://s/%E9",
    "n://s/%E8",
    "n://s/\u{fffd}",
    "n://s/e\u{301}",
];
