//! Texts and JSON values of any size, in the shapes that readers like least.

/// Makes something of about this many bytes.
pub(super) type Value = fn(usize) -> String;

/// Where in an input something is put.
pub(super) enum Place {
    /// A name, and the input around a text as it stands.
    Text(&'static str, fn(&str) -> String),
    /// The same around a JSON value.
    Json(&'static str, fn(&str) -> String),
}

fn repeated(unit: &str, size: usize) -> String {
    unit.repeat(size.div_ceil(unit.len()))
}

/// As many of them as fit, each made of its number, with this between any two.
fn numbered(size: usize, between: &str, one: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = one(number);
        if text.len() + between.len() + next.len() > size {
            break;
        }
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push_str(&next);
    }
    text
}

pub(super) fn texts() -> Vec<(&'static str, Value)> {
    vec![
        ("letters", |size| repeated("a", size)),
        ("spaces", |size| repeated(" ", size)),
        ("slashes", |size| repeated("/", size)),
        ("segments", |size| repeated("/a", size)),
        ("dots", |size| repeated("../", size)),
        ("backslashes", |size| repeated("\\", size)),
        ("quotes", |size| repeated("\"", size)),
        ("open braces", |size| repeated("{", size)),
        ("variables", |size| repeated("{a}", size)),
        ("dashes", |size| repeated("-", size)),
        ("escapes", |size| repeated("%41", size)),
        ("needed escapes", |size| repeated("%20", size)),
        ("percents", |size| repeated("%", size)),
        ("letters of two bytes", |size| repeated("é", size)),
        ("letters of four bytes", |size| repeated("😀", size)),
        ("commas", |size| repeated("a,", size)),
        ("semicolons", |size| repeated(";a", size)),
        ("colons", |size| repeated(":", size)),
        ("ampersands", |size| repeated("a&", size)),
        ("equals signs", |size| repeated("=", size)),
        ("question marks", |size| repeated("?", size)),
        ("full stops", |size| repeated(".", size)),
        ("lines", |size| repeated("a\n", size)),
        ("empty lines", |size| repeated("\n", size)),
        ("carriage returns", |size| repeated("\r", size)),
        ("lines of data", |size| repeated("data: a\n", size)),
        ("comments", |size| repeated(": a\n", size)),
        ("events", |size| repeated("data: {}\n\n", size)),
        ("one word", |size| repeated("a ", size)),
        ("distinct words", |size| numbered(size, " ", |number| format!("w{number}"))),
        ("distinct members of a header", |size| {
            numbered(size, ", ", |number| format!("mcp-param-{number}"))
        }),
    ]
}

/// JSON values; among them the texts, plain and in escapes.
pub(super) fn values() -> Vec<(&'static str, Value)> {
    let mut values: Vec<(&'static str, Value)> = vec![
        ("members", |size| object(size, |number| format!("m{number}"))),
        // All with the same beginning, end and length.
        ("members that look alike", |size| object(size, |number| format!("m{number:06}m"))),
        ("members with escapes", |size| object(size, |number| format!("\\u0061{number}"))),
        ("one name", |size| object(size, |_| "m".to_owned())),
        ("numbers", |size| list(size, |number| number.to_string())),
        ("texts", |size| list(size, |number| format!("\"w{number}\""))),
        ("empty texts", |size| list(size, |_| "\"\"".to_owned())),
        ("empty lists", |size| list(size, |_| "[]".to_owned())),
        ("objects", |size| {
            list(size, |number| format!("{{\"name\":\"n{number}\",\"uri\":\"n:{number}\"}}"))
        }),
        ("one number", |size| repeated("1", size)),
        ("a fraction", |size| format!("0.{}", repeated("1", size))),
        ("deep lists", |size| format!("{}{}", repeated("[", size / 2), repeated("]", size / 2))),
        ("deep objects", |size| {
            format!("{}1{}", repeated("{\"a\":", size * 5 / 6), repeated("}", size / 6))
        }),
        ("lists as deep as may be", |size| {
            let one = format!("{}{}", repeated("[", 60), repeated("]", 60));
            list(size, |_| one.clone())
        }),
        ("white space", |size| format!("[{}]", repeated(" \n", size))),
        ("a text of escapes", |size| format!("\"{}\"", repeated("\\u0041", size))),
        ("a text of short escapes", |size| format!("\"{}\"", repeated("\\n", size))),
        ("a text of pairs", |size| format!("\"{}\"", repeated("\\ud83d\\ude00", size))),
        ("an open text", |size| format!("\"{}", repeated("a", size))),
    ];
    // A function of its own for each, as a plain function pointer holds no text.
    macro_rules! quoted {
        ($($name:literal: $unit:literal),* $(,)?) => {
            $(values.push(($name, |size| serde_json::to_string(&repeated($unit, size)).expect("a text")));)*
        };
    }
    quoted! {
        "a text of letters": "a", "a text of slashes": "/", "a text of segments": "/a", "a text of quotes": "\"",
        "a text of variables": "{a}", "a text of braces": "{", "a text of percents": "%", "a text of dashes": "-",
        "a text of escaped letters": "%41", "a text of needed escapes": "%20", "a text of emoji": "😀",
        "a URI": "notes://a/", "a text of spaces": " ", "a text of dots": "../", "a text of words": "a ",
        "a text of colons": ":", "a text of question marks": "?a",
    }
    values
}

fn object(size: usize, name: impl Fn(usize) -> String) -> String {
    format!("{{{}}}", numbered(size, ",", |number| format!("\"{}\":0", name(number))))
}

fn list(size: usize, item: impl Fn(usize) -> String) -> String {
    format!("[{}]", numbered(size, ",", item))
}

/// `completion/complete` of a template whose arguments name each other: each of them four times the next one.
pub(super) fn nested_arguments(size: usize) -> String {
    let arguments = numbered(size, ",", |number| {
        let next = number + 1;
        format!("\"a{number:02}\":\"{}\"", format!("{{a{next:02}}}").repeat(4))
    });
    completion("{a00}", &arguments)
}

/// `completion/complete` of a long template with many arguments.
pub(super) fn many_arguments(size: usize) -> String {
    let arguments = numbered(size / 2, ",", |number| format!("\"a{number}\":\"\""));
    completion(&repeated("{b}", size / 2), &arguments)
}

/// `completion/complete` of a template that has one long argument in many places.
pub(super) fn argument_of_many_places(size: usize) -> String {
    let argument = format!("\"a\":\"{}\"", repeated("x", size / 2));
    completion(&repeated("{a}", size / 2), &argument)
}

/// `completion/complete` of a template in which the beginning of a long argument is in many places, of many names each.
pub(super) fn beginning_of_many_places(size: usize) -> String {
    let begun = completion(&repeated("{/a,x,x:9}", size / 2), "\"a\":\"1\"");
    begun.replace("\"value\":\"\"", &format!("\"value\":\"{}\"", repeated("y", size / 2)))
}

/// Subscriptions to many resources, as one message or as a batch of them.
pub(super) fn many_subscriptions(size: usize) -> String {
    let one = |size: usize| {
        let uris = numbered(size.min(800), ",", |number| format!("\"n://{}\"", number % 90));
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
        )
    };
    if size < 1000 {
        return one(size);
    }
    format!("[{}]", vec![one(1000); size / 1000].join(","))
}

fn completion(uri: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{{"ref":{{"type":"ref/resource","uri":"{uri}"}},"argument":{{"name":"x","value":""}},"context":{{"arguments":{{{arguments}}}}}}}}}"#
    )
}
