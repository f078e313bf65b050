//! URIs in the form in which they are compared, and what a template stands for.

/// The values of a variable. A template stands for endlessly many URIs; these are enough to tell apart the
/// patterns that are generated.
const VALUES: [&str; 7] = ["n", "m", "a", "b", "1", "zz", "é"];

/// A URI in the form in which URIs are compared.
pub(super) struct Uri {
    /// With scheme and authority.
    pub(super) path: String,
    pub(super) query: String,
}

impl Uri {
    pub(super) fn read(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = match host(path) {
            Some((scheme, host, rest)) => {
                format!("{}://{}{rest}", scheme.to_lowercase(), host.to_lowercase())
            }
            None => path.to_owned(),
        };
        Self { path: normal(&path), query: normal_query(query) }
    }

    fn with_path(&self, path: &str) -> Self {
        Self { path: path.to_owned(), query: self.query.clone() }
    }

    /// The same without the slash at its end. The root of a web site has no other form.
    pub(super) fn without_slash(&self) -> Option<Self> {
        let path = self.path.strip_suffix('/').filter(|path| !path.ends_with('/'))?;
        let is_root = path.starts_with("http") && path.matches('/').count() == 2;
        (!is_root).then(|| self.with_path(path))
    }

    /// What a careless server may read in its place: without parameters of its segments, without a slash at
    /// its end, with the query decoded before its parameters are found; each, and all together.
    pub(super) fn careless_readings(&self) -> Vec<Self> {
        let without_parameters = |uri: &Self| {
            let segments = uri.path.split('/').map(|segment| segment.split(';').next().unwrap());
            Some(uri.with_path(&segments.collect::<Vec<_>>().join("/")))
        };
        let decoded = |uri: &Self| {
            let query = uri.query.replace("%26", "&").replace("%3D", "=").replace("%2B", "+");
            Some(Self { path: uri.path.clone(), query })
        };
        let mut all = vec![self.with_path(&self.path)];
        all.extend(all.iter().filter_map(without_parameters).collect::<Vec<_>>());
        all.extend(all.iter().filter_map(decoded).collect::<Vec<_>>());
        all.extend(all.iter().filter_map(Self::without_slash).collect::<Vec<_>>());
        all
    }
}

/// What `{?name}` stands for.
#[derive(Clone, Copy)]
pub(super) enum Parameters {
    /// To rules that ask for something.
    Any,
    /// To open rules.
    Named,
}

/// The URIs that a URI or a template stands for; `None` where it can be read in two ways.
pub(super) fn stands_for(
    text: &str,
    is_template: bool,
    parameters: Parameters,
) -> Option<Vec<String>> {
    let one = match is_template {
        true => fill(text, |expression| {
            let is_parameter = expression.starts_with('?');
            Some(if is_parameter { "?x=x" } else { "x" }.to_owned())
        }),
        false => text.to_owned(),
    };
    if is_ambiguous(&one) || is_template && text.matches('{').count() > 32 {
        return None;
    }
    // A host with letters that have several forms is like any host.
    let with_any_host = host(text)
        .filter(|(_, host, _)| has_several_forms(host))
        .map(|(scheme, _, rest)| format!("{scheme}://{{host}}{rest}"));
    let is_template = is_template || with_any_host.is_some();
    let mut all = vec![with_any_host.unwrap_or_else(|| text.to_owned())];
    while is_template && all.iter().any(|text| text.contains('{')) {
        all = all.iter().flat_map(|text| with_values(text, parameters)).collect();
    }
    all.retain(|text| !is_ambiguous(text));
    Some(all)
}

/// What may come in the place of `{?name}`: any parameters, or none.
const QUERIES: [&str; 6] = ["", "?q=1", "?q=zz", "?z=2", "?q=1&z=2", "?q=1&zz"];

/// The values of a variable that may be anything, so also several segments, a query, or a whole URI.
fn anything() -> Vec<String> {
    let schemes = ["", "n://", "m://", "xx://"];
    let paths =
        ["", "a", "a/", "a/1", "a/b/c", "a/zz", "b", "b/c", "1", "é/1", "zz", "zz/", "zz/yy"];
    let mut all = Vec::new();
    for scheme in schemes {
        for path in paths {
            all.extend(QUERIES.map(|query| format!("{scheme}{path}{query}")));
        }
    }
    all
}

/// With every value in the place of the first variable.
fn with_values(text: &str, parameters: Parameters) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else { return vec![text.to_owned()] };
    let (expression, after) = rest.split_once('}').unwrap();
    let is_simple = expression.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let values: Vec<String> = match (expression.get(..1), parameters) {
        (Some("?"), Parameters::Any) => QUERIES.map(str::to_owned).to_vec(),
        (Some("?"), Parameters::Named) => {
            let filled = ["1", "zz"].map(|value| format!("{expression}={value}"));
            filled.into_iter().chain([String::new()]).collect()
        }
        _ if is_simple => VALUES.map(str::to_owned).to_vec(),
        _ => anything(),
    };
    values.iter().map(|value| format!("{before}{value}{after}")).collect()
}

/// With another text in the place of each expression, or the same where there is none.
pub(super) fn fill(template: &str, text_for: impl Fn(&str) -> Option<String>) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (expression, after) = piece.split_once('}').unwrap();
        text += &text_for(expression).unwrap_or_else(|| format!("{{{expression}}}"));
        text += after;
    }
    text
}

/// Scheme, host and what comes after it, of a URI that has a host.
fn host(text: &str) -> Option<(&str, String, &str)> {
    let (scheme, after) = text.split_once("://")?;
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let mut host = Vec::new();
    let mut pieces = after[..end].split('%');
    host.extend(pieces.next().unwrap().bytes());
    for piece in pieces {
        host.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        host.extend(piece[2..].bytes());
    }
    Some((scheme, String::from_utf8(host).unwrap(), &after[end..]))
}

/// Those that are generated: one and the same letter, upper and lower case, outside ASCII.
fn has_several_forms(host: &str) -> bool {
    host.chars().any(|letter| !letter.is_ascii() && letter.is_uppercase())
}

fn is_ambiguous(uri: &str) -> bool {
    let lower = uri.to_lowercase();
    let (before_query, query) = lower.split_once('?').unwrap_or((&lower, ""));
    let (authority, path) = match before_query.split_once("://") {
        Some((_, after)) => after.split_once('/').unwrap_or((after, "")),
        None => ("x", before_query),
    };
    let segments: Vec<_> = path.split('/').collect();
    let (_, all_but_the_last) = segments.split_last().unwrap();
    let has_escape = |text: &str, is_meant: fn(u8) -> bool| {
        let escapes =
            text.match_indices('%').filter_map(|(start, _)| text.get(start + 1..start + 3));
        escapes.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).any(is_meant)
    };
    let has_escaped_percent_sign = lower.match_indices("%25").any(|(start, _)| {
        let next = lower.as_bytes().get(start + 3..start + 5);
        next.is_some_and(|next| next.iter().all(u8::is_ascii_hexdigit))
    });
    authority.contains(['@', ':'])
        || authority.ends_with('.')
        || segments.contains(&"..")
        || all_but_the_last.contains(&"")
        || has_escape(before_query, |byte| b"/\\.".contains(&byte))
        || has_escape(&lower, |byte| byte.is_ascii_alphanumeric())
        || has_escaped_percent_sign
        || query.contains(';')
        || lower.contains(['#', '\\'])
        || lower.trim() != lower
}

/// Escapes of characters that do not separate parts of a URI are those characters; what is not ASCII is
/// written as the escapes of its UTF-8.
pub(super) fn normal(text: &str) -> String {
    normal_beside(text, "/?#%&;")
}

/// The same in a query, where an escaped equals sign or plus is part of a value too.
pub(super) fn normal_query(text: &str) -> String {
    normal_beside(text, "/?#%&;=+")
}

fn normal_beside(text: &str, separators: &str) -> String {
    let mut normal = String::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, is_escape) = match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap().to_owned();
                (u8::from_str_radix(&digits, 16).unwrap(), true)
            }
            byte => (byte, false),
        };
        match char::from(byte) {
            plain if plain.is_ascii_graphic() && !(is_escape && separators.contains(plain)) => {
                normal.push(plain);
            }
            _ => normal += &format!("%{byte:02X}"),
        }
    }
    normal
}
