//! A client that finds lists wherever it can: it knows no errors, and follows no specification closely.

/// Every name that a list in these bytes shows to whoever reads them most generously; who asked for a list takes
/// one also without an answer around it.
pub(super) fn names_shown(bytes: &[u8], is_asked: bool) -> Vec<String> {
    let mut names = Vec::new();
    for text in decodings(bytes) {
        for text in [events_of(&text), text] {
            let mut reader = Reader { rest: &text };
            while let Some(start) = reader.rest.find(['{', '[']) {
                reader.rest = &reader.rest[start..];
                names_in_message(&reader.value(), is_asked, &mut names);
            }
        }
    }
    names
}

/// The text in every encoding that it could be in.
fn decodings(bytes: &[u8]) -> Vec<String> {
    let pairs = || bytes.chunks_exact(2).map(|two| [two[0], two[1]]);
    let fours = || bytes.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
    let little: Vec<u16> = pairs().map(u16::from_le_bytes).collect();
    let big: Vec<u16> = pairs().map(u16::from_be_bytes).collect();
    let wide = |code: u32| char::from_u32(code).unwrap_or('\u{fffd}');
    let mut texts = vec![String::from_utf8_lossy(bytes).into_owned()];
    if bytes.contains(&0) {
        texts.push(String::from_utf16_lossy(&little));
        texts.push(String::from_utf16_lossy(&big));
        texts.push(fours().map(u32::from_le_bytes).map(wide).collect());
        texts.push(fours().map(u32::from_be_bytes).map(wide).collect());
    }
    texts
}

/// What is the data of events: of any line that could be one, also without an end.
fn events_of(text: &str) -> String {
    let mut data = String::new();
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let line = line.trim_start_matches(|one: char| one.is_whitespace() || one == '\u{feff}');
        if let Some((field, value)) = line.split_once(':')
            && field.trim().eq_ignore_ascii_case("data")
        {
            data.push_str(value);
            data.push('\n');
        }
    }
    data
}

enum Json {
    Text(String),
    List(Vec<Json>),
    /// With every member, also those of one name.
    Object(Vec<(String, Json)>),
    Other,
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip(&mut self, skipped: &[char]) {
        let is_skipped =
            |one: char| one.is_whitespace() || one == '\u{feff}' || skipped.contains(&one);
        self.rest = self.rest.trim_start_matches(is_skipped);
    }

    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next value, however much of it there is; a loop, as depth must overflow nothing.
    fn value(&mut self) -> Json {
        let mut open: Vec<(Json, Option<String>)> = Vec::new();
        loop {
            self.skip(&[',']);
            let mut value = if self.takes('{') {
                open.push((Json::Object(Vec::new()), None));
                None
            } else if self.takes('[') {
                open.push((Json::List(Vec::new()), None));
                None
            } else if self.takes('}') || self.takes(']') || self.rest.is_empty() {
                let Some((done, _)) = open.pop() else { return Json::Other };
                Some(done)
            } else if self.takes('"') {
                let text = self.text();
                self.skip(&[]);
                match open.last_mut() {
                    Some((Json::Object(_), name)) if name.is_none() && self.takes(':') => {
                        *name = Some(text);
                        None
                    }
                    _ => Some(Json::Text(text)),
                }
            } else {
                let end = self.rest.find([',', '}', ']', '"', '{', '[']).unwrap_or(self.rest.len());
                self.rest = &self.rest[end.max(1).min(self.rest.len())..];
                Some(Json::Other)
            };
            while let Some(done) = value.take() {
                match open.last_mut() {
                    None => return done,
                    Some((Json::List(items), _)) => items.push(done),
                    Some((Json::Object(members), name)) => {
                        if let Some(name) = name.take() {
                            members.push((name, done));
                        }
                    }
                    Some(_) => {}
                }
                if self.rest.is_empty() {
                    value = open.pop().map(|(done, _)| done);
                }
            }
        }
    }

    /// A text up to its quotation mark, which was opened.
    fn text(&mut self) -> String {
        let mut units: Vec<u16> = Vec::new();
        let mut rest = self.rest.chars();
        while let Some(one) = rest.next().filter(|one| *one != '"') {
            let decoded = match one {
                '\\' => match rest.next() {
                    Some('u') => {
                        let code = rest
                            .as_str()
                            .get(..4)
                            .and_then(|hex| u16::from_str_radix(hex, 16).ok());
                        if code.is_some() {
                            rest = rest.as_str()[4..].chars();
                        }
                        units.extend(code);
                        continue;
                    }
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => break,
                },
                one => one,
            };
            units.extend_from_slice(decoded.encode_utf16(&mut [0; 2]));
        }
        self.rest = rest.as_str();
        String::from_utf16_lossy(&units)
    }
}

const LISTS: [&str; 4] = ["tools", "prompts", "resources", "resourceTemplates"];
const IDENTIFIERS: [&str; 3] = ["name", "uri", "uriTemplate"];

/// A name as readers take it that look neither at case nor at the long `s`.
fn folded(name: &str) -> String {
    name.replace('ſ', "s").to_ascii_lowercase()
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| folded(one) == folded(name))
}

/// An object, or the objects in a list in its place.
fn objects(value: &Json) -> Vec<&[(String, Json)]> {
    match value {
        Json::Object(members) => vec![members],
        Json::List(items) => items.iter().flat_map(objects).collect(),
        Json::Text(_) | Json::Other => Vec::new(),
    }
}

/// The names in the lists of a message, of each message of a batch, and of batches in it.
fn names_in_message(message: &Json, is_asked: bool, names: &mut Vec<String>) {
    match message {
        Json::List(all) => all.iter().for_each(|one| names_in_message(one, is_asked, names)),
        Json::Object(members) => {
            if is_asked {
                names_in(members, names);
            }
            for (name, value) in members {
                match (&*folded(name), value) {
                    ("result", result) => {
                        objects(result).into_iter().for_each(|one| names_in(one, names));
                    }
                    ("error", error) => {
                        for error in objects(error) {
                            names_in(error, names);
                            let data = error.iter().filter(|(name, _)| folded(name) == "data");
                            let data = data.flat_map(|(_, data)| objects(data));
                            data.for_each(|one| names_in(one, names));
                        }
                    }
                    ("__proto__", inherited) => names_in_message(inherited, is_asked, names),
                    ("$serde_json::private::RawValue", Json::Text(text)) => {
                        names_in_message(&Reader { rest: text }.value(), is_asked, names);
                    }
                    _ => {}
                }
            }
        }
        Json::Text(_) | Json::Other => {}
    }
}

/// The names in the lists among these members, and among those that some objects inherit.
fn names_in(members: &[(String, Json)], names: &mut Vec<String>) {
    for (name, value) in members {
        match value {
            Json::List(items) if is_one_of(&LISTS, name) => {
                items.iter().for_each(|item| names_of(item, names));
            }
            Json::Object(items) if is_one_of(&LISTS, name) => {
                items.iter().for_each(|(_, item)| names_of(item, names));
            }
            Json::Object(inherited) if name == "__proto__" => names_in(inherited, names),
            Json::Text(text) if name == "$serde_json::private::RawValue" => {
                if let Json::Object(members) = (Reader { rest: text }).value() {
                    names_in(&members, names);
                }
            }
            _ => {}
        }
    }
}

fn names_of(item: &Json, names: &mut Vec<String>) {
    match item {
        Json::Text(text) => names.push(text.clone()),
        Json::Object(members) => {
            for (name, value) in members {
                if let (true, Json::Text(text)) = (is_one_of(&IDENTIFIERS, name), value) {
                    names.push(text.clone());
                }
            }
        }
        Json::List(_) | Json::Other => {}
    }
}
