//! The normal form, as tables; beside other readers in [`readers`].

use proptest::prelude::*;

use super::super::resource_pattern::ResourcePattern;
use super::*;

mod readers;

fn read(uri: &str) -> Result<String, &'static str> {
    match NormalUri::read(uri) {
        Ok(normal) if !normal.has_known_host() => Err("a host that has other forms"),
        Ok(normal) => Ok(normal.text),
        Err(ambiguous) => Err(ambiguous.reason),
    }
}

#[test]
fn each_uri_has_one_form() {
    let rows = [
        // Scheme and host have no case, the path has.
        ("NOTES://Secret/A", "notes://secret/A"),
        ("notes:///7", "notes://7"),
        ("notes:////Users/x", "notes://users/x"),
        ("notes://", "notes://"),
        ("notes://a/", "notes://a/"),
        ("notes://a/1?", "notes://a/1"),
        // What is not allowed in a URI is the same as its escape.
        ("notes://é/caf%c3%a9", "notes://%C3%A9/caf%C3%A9"),
        ("n://s/a\"<>^`{|}[] b", "n://s/a%22%3C%3E%5E%60%7B%7C%7D%5B%5D%20b"),
        ("n://s/a%22%3c%3e%5e%60%7b%7c%7d%5b%5d%20b", "n://s/a%22%3C%3E%5E%60%7B%7C%7D%5B%5D%20b"),
        ("n:a{b \u{e9}", "n:a%7Bb%20%C3%A9"),
        ("n://a/%7Eb", "n://a/~b"),
        ("n://a/100%25", "n://a/100%25"),
        ("n://a/1%25?q=%25g&r=%3B%26x", "n://a/1%25?q=%25g&r=%3B%26x"),
        ("n://s?{a}\"", "n://s?%7Ba%7D%22="),
        ("https://h.example/{a}|?'<>", "https://h.example/%7Ba%7D%7C?'%3C%3E="),
        ("https://{host}/x", "https://%7Bhost%7D/x"),
        ("n://a b/x", "n://a%20b/x"),
        // What RFC 6570 escapes is the same as what it stands for.
        ("notes://u/user%40example.com", "notes://u/user@example.com"),
        ("n://s/%21%24%26%27%28%29%2B%2C%3A%3B%3D", "n://s/!$&'()+,:;="),
        ("n://s/a*b", "n://s/a%2Ab"),
        ("n://s/a%2ab", "n://s/a%2Ab"),
        ("n://a%24b/1", "n://a$b/1"),
        ("n://s?q=a%26b%3Dc", "n://s?q=a%26b%3Dc"),
        ("n://s?q&&r=&", "n://s?q=&r="),
        ("n://s?&", "n://s"),
        ("n://s?q=https%3A%2F%2Fh%3Fx", "n://s?q=https://h?x"),
        ("n://s?x=/../y", "n://s?x=/../y"),
        // Forms have a plus for a space.
        ("n://s?q=a+b", "n://s?q=a+b"),
        ("n://s?q=a%20b", "n://s?q=a+b"),
        ("n://s?q=a%2Bb", "n://s?q=a%2Bb"),
        ("n://s/a+b%20c", "n://s/a+b%20c"),
        // Accents apart are another text.
        ("n://s/e\u{301}", "n://s/e%CC%81"),
        // Special schemes are written as the URL standard writes them.
        ("https://H.Example", "https://h.example/"),
        ("https://h.example?x", "https://h.example/?x="),
        ("https://h.example:8443/", "https://h.example:8443/"),
        ("https://10.0.0.1/x", "https://10.0.0.1/x"),
        ("https://XN--9ca.example/x", "https://xn--9ca.example/x"),
        ("file:///a%20b/c.txt", "file:///a%20b/c.txt"),
        ("file:///c:/x", "file:///C:/x"),
        ("file:///C%3a/x", "file:///C:/x"),
        ("file:///ab:/x", "file:///ab:/x"),
        ("file:///", "file:///"),
        // Opaque paths, and none.
        ("URN:ISBN:0451450523", "urn:isbn:0451450523"),
        ("urn:example:A", "urn:example:A"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("data:text/plain,x", "data:text/plain,x"),
        ("secret/a:b", "secret/a:b"),
        ("1:2", "1:2"),
        ("{s}:x", "%7Bs%7D:x"),
        ("/a/B", "/a/B"),
    ];
    for (uri, expected) in rows {
        assert_eq!(read(uri).as_deref(), Ok(expected), "{uri}");
        assert_eq!(read(expected).as_deref(), Ok(expected), "{uri}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let rows = [
        // Dots, empty segments, hidden delimiters.
        "notes://public/../private/1",
        "notes://public/..",
        "notes://public/./1",
        "notes://public/..;x/1",
        "notes://public/%2e%2e/private",
        "notes://public/..%2fprivate",
        "notes://public\\..\\private",
        "notes://a//b",
        "notes://a/b//",
        "n:a/../b",
        "n:a//b",
        "a/../b",
        "notes://a%5cb",
        "notes://a/%3fb",
        "notes://a/%23b",
        "notes://a#b",
        "notes://a#",
        "notes://a?q=%23",
        "notes://a?q=%5C",
        "notes://a?q=%2525",
        "notes://a/%2561",
        "notes://a?x=1;admin=1",
        "notes://a%252e",
        // Escapes that nobody needs, or that are none.
        "notes://pri%76ate/1",
        "notes://private/%31",
        "notes://a/%2D",
        "notes://a?q=%61",
        "notes://a%zz",
        "notes://a%+1",
        "notes://a%",
        "notes://a/%4",
        "notes://a/%é",
        "notes://a/%E9",
        "notes://a/%C3",
        "notes://a/%C3x%A9",
        "notes://a/%C0%AE",
        "notes://a/%ED%A0%80",
        "notes://a?%FF",
        // What is cut off or taken out before a URI is read.
        "",
        " notes://a",
        "notes://a ",
        "notes://a\u{a0}",
        "\u{feff}notes://a",
        "\u{1}notes://a",
        "notes://a\n",
        "no\ttes://a",
        "notes://a\rb",
        "notes://a/\u{7f}",
        "notes://a/\u{85}x",
        "notes://a/%00",
        "notes://a/%7F",
        "notes://a/%C2%85",
        "notes://a/%01",
        "n:a ?x",
        // Hosts, for every scheme.
        "note://user@secret/1",
        "note://user:pw@secret/1",
        "note://@secret/1",
        "note://us%65r@secret/1",
        "note://user%40secret/1",
        "note://secret:80/1",
        "note://secret:/1",
        "note://secret%3A80/1",
        "note://:80/1",
        "note://:/1",
        "note://secret./1",
        "note://secret.;x/1",
        "note://..;x",
        "note://a/;x/1",
        "note://a/;x/",
        "note://secret.",
        "note://%73ecret/1",
        "note://secret%2e/1",
        "note://[::1]/1",
        "note://%5B::1%5D/1",
        "note://../1",
        "note://./1",
        "note:///user@secret/1",
        "note://xn--9ca/1",
        "note://a.XN--9ca/1",
        "note://É/1",
        "note://%C3%89/1",
        "note://\u{ff53}ecret/1",
        "note://e\u{301}/1",
        "note://s\u{3002}/1",
        "note://stra\u{df}e/1",
        "note://s\u{ad}ecret/1",
        "note:/secret/1",
        "note:/",
        "note:",
        "note:?x",
        // Special schemes.
        "file:////data/private",
        "file:///data//private",
        "file://localhost/data",
        "file://host/data",
        "file://C:/x",
        "file:/data",
        "file:data",
        "file:///c|/x",
        "file:///c%7C/x",
        "file:///C|",
        "https:/h.example/x",
        "https:h.example/x",
        "https:///h.example/x",
        "https://h.example:443/x",
        "https://h.example:/x",
        "https://h.example%3A8443/x",
        "https://u%40h.example/x",
        "https://h.example:080/x",
        "https://h.example:65536/x",
        "https://h.example:+1/x",
        "https://u@h.example/x",
        "https://\u{ff48}.example/x",
        "https://é.example/x",
        "https://%68.example/x",
        "https://h.example./x",
        "https://0x7f.1/x",
        "https://127.1/x",
        "https://010.0.0.1/x",
        "https://256.0.0.1/x",
        "https://[::1]/x",
        "https://",
        "https:///",
        "ws://h.example:80/",
        // Without a scheme.
        "//h/x",
        "a_b://",
        "?x",
        "note%3Asecret",
        "a%2Bb:c",
        "1%3a2",
    ];
    for uri in rows {
        assert!(read(uri).is_err(), "{uri:?}: {:?}", read(uri));
    }
    assert!(read(&format!("n://{}", "a".repeat(LONGEST - 4))).is_ok());
    assert!(read(&format!("n://{}", "a".repeat(LONGEST - 3))).is_err());
}

#[test]
fn a_scheme_has_the_characters_of_rfc_3986() {
    let rows = [
        ("NOTES://a", "notes"),
        ("web+x.y-1:a", "web+x.y-1"),
        ("secret/a:b", ""),
        ("1:2", ""),
        ("{s}:x", ""),
        ("a_b:c", ""),
        ("é:c", ""),
        ("a?b:c", ""),
        ("+a:c", ""),
    ];
    for (uri, scheme) in rows {
        assert_eq!(NormalUri::read(uri).unwrap().scheme(), scheme, "{uri}");
    }
    let parts = NormalUri::read("N://a/b?c?d").unwrap();
    assert_eq!((parts.without_query(), parts.as_str()), ("n://a/b", "n://a/b?c?d="));
    assert_eq!(NormalUri::read("n://a/b?").unwrap().without_query(), "n://a/b");
}

#[test]
fn patterns_are_written_as_uris_are() {
    let rows = [
        ("NOTES://Team/{id}", "notes://team/{id}"),
        ("notes://{id}", "notes://{id}"),
        ("notes:///{id}", "notes://{id}"),
        ("notes://{A}{?page,size}", "notes://{A}{?page,size}"),
        ("notes://x/é/*", "notes://x/%C3%A9/*"),
        ("n://u/a%40b/{+rest}", "n://u/a@b/{+rest}"),
        ("n://a/%2A/%7Bx%7D/{y}", "n://a/%2A/%7Bx%7D/{y}"),
        ("n://a/%2A", "n://a/%2A"),
        ("n://s?q={q}", "n://s?q={q}"),
        ("n://s?", "n://s"),
        ("n://s?a&b={b}&", "n://s?a=&b={b}"),
        ("n://s?a&*", "n://s?a=&*"),
        ("n://s?a*", "n://s?a*"),
        ("n://s/{a*}", "n://s/{a*}"),
        ("https://{host}", "https://{host}/"),
        ("https://{host}{?q}", "https://{host}/{?q}"),
        ("https://H.example", "https://h.example/"),
        ("https://h.example:{port}/x", "https://h.example:{port}/x"),
        ("https://{+rest}", "https://{+rest}"),
        ("https:*", "https:*"),
        ("file:///{+path}", "file:///{+path}"),
        ("file://{+path}", "file://{+path}"),
        ("file:///c:/*", "file:///C:/*"),
        ("n:*", "n:*"),
        ("n:/*", "n:/*"),
        ("n:///*", "n://*"),
        ("*", "*"),
        ("{+u}", "{+u}"),
        ("note*", "note*"),
        ("{s}://Secret/{Id}/A", "{s}://secret/{Id}/A"),
        ("{+s}://secret/A", "{+s}://secret/A"),
        ("{s}:x", "{s}:x"),
        ("{x}/Abc", "{x}/Abc"),
        ("secret/{id}", "secret/{id}"),
        ("urn:ISBN:*", "urn:isbn:*"),
        ("urn:IS*", "urn:is*"),
        ("urn:{nid}:A", "urn:{nid}:A"),
    ];
    for (rule, expected) in rows {
        assert_eq!(normal_pattern(rule).as_deref(), Ok(expected), "{rule}");
        assert_eq!(normal_pattern(expected).as_deref(), Ok(expected), "{rule}");
    }
}

#[test]
fn a_pattern_that_can_match_nothing_is_a_fault_that_says_what_to_write() {
    let rows = [
        ("n://*/x", "`%2A`"),
        ("n://a*b/{x}", "`%2A`"),
        ("n://**", "`%2A`"),
        ("n://{", "`{name}`"),
        ("n://{x", "`{name}`"),
        ("n://}", "`%7D`"),
        ("n://{}", "`{+name}`"),
        ("n://{#x}", "`{+name}`"),
        ("a{/b}", "`{+name}`"),
        ("n://{x:3}", "`{+name}`"),
        ("n://a{?q}/x", "in one"),
        ("n://a{?q}{?r}", "in one"),
        ("n://a?x=1{?q}", "in one"),
        ("n://a?{x}b", "`?name={value}`"),
        ("n://a@b/*", "path"),
        ("n://secret:80/{x}", "path"),
        ("n://secret./{x}", "leave it out"),
        ("n://a/../{x}", "write the path"),
        ("n://a//{x}", "one slash"),
        ("n:/a/{x}", "`scheme://"),
        ("n://%73ecret/{x}", "as it is"),
        ("n://a/%2F{x}", "escaped slash"),
        ("https://h.example:443/*", "default"),
        ("https://É/{x}", "letters a to z"),
        ("file://host/{x}", "`file:///"),
        ("file:////*", "one slash"),
        ("%3a{x}", "hides the end"),
        ("n%3A{x}/y", "hides the end"),
        ("%3a{sh}9s t:///a", "hides the end"),
        ("9{x}://a", "no scheme"),
        ("n {x}://a", "no scheme"),
        ("n%74{x}://a", "no scheme"),
        ("n{x}:m://a", "no scheme"),
        ("Note*", "small letters"),
        ("n{x}S://a", "small letters"),
        ("{+u}/Secret", "small letters"),
        ("n://{+x}Secret/a", "small letters"),
        ("urn:{+x}A:b", "small letters"),
        ("n://a/\u{1}{x}", "control"),
        ("n://a/{x}#f", "leave it out"),
        ("", "empty"),
    ];
    for (rule, said) in rows {
        let fault = normal_pattern(rule).unwrap_err();
        assert!(fault.contains(said), "{rule}: {fault}");
    }
}

/// Ways to write these characters that mean the same.
fn spellings(character: char) -> Vec<String> {
    let escape = |upper: bool| {
        let mut utf8 = [0; 4];
        let bytes = character.encode_utf8(&mut utf8).bytes();
        bytes
            .map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") })
            .collect::<String>()
    };
    vec![character.to_string(), escape(true), escape(false)]
}

#[test]
fn every_character_and_its_escape_are_one_or_refused() {
    let characters =
        (0..=0x2ff).chain([0x2028, 0xfeff, 0xffff, 0x1f600]).filter_map(char::from_u32);
    for character in characters {
        for around in
            ["n://s/a{}b", "n:a{}b", "n://a{}b/1", "n://s?a{}b", "https://h.e/a{}b", "a/b{}c"]
        {
            let read: Vec<_> =
                spellings(character).iter().map(|text| read(&around.replace("{}", text))).collect();
            let forms: Vec<_> = read.iter().flatten().collect();
            // In a query, these are part of a value when they are escaped.
            if "&=+".contains(character) && around.contains('?') {
                continue;
            }
            let is_plain = character.is_ascii_alphanumeric() || "-._/?%;".contains(character);
            assert!(
                forms.windows(2).all(|two| two[0] == two[1]),
                "{character:?} {around} {read:?}"
            );
            // Whatever is refused is refused in all spellings, but for what needs no escape.
            let all_alike = forms.is_empty() || forms.len() == read.len();
            assert!(all_alike || is_plain, "{character:?} {around} {read:?}");
        }
    }
}

#[test]
fn reading_takes_bytes_in_proportion() {
    for text in ["é", "%C3%A9", "a/", "a;", "{", "%2A"] {
        let uri = format!("n://h/{}", text.repeat(8000 / text.len()));
        assert!(read(&uri).unwrap().len() <= uri.len() * 3, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    /// What a rule's fixed parts say is found in every URI that is written like them.
    #[test]
    fn patterns_match_like_with_like(
        start in prop::sample::select(vec!["n://", "N:///", "https://", "urn:A:", "", "file:///"]),
        parts in prop::collection::vec("[a-zA-Z0-9@:;=é&'()*+, {}|\"-]{1,4}", 1..5),
        at in any::<prop::sample::Index>(),
        end in prop::sample::select(vec!["", "/", "?q=a/b c+d", "?"]),
        prefix in any::<bool>(),
    ) {
        let uri = format!("{start}{}{end}", parts.join("/"));
        let Ok(normal) = NormalUri::read(&uri) else { return Ok(()) };
        let at = at.index(parts.len());
        let escape = |part: &String| {
            part.replace('*', "%2A").replace('{', "%7b").replace('}', "%7D").replace('@', "%40")
        };
        let mut written: Vec<_> = parts.iter().map(escape).collect();
        written[at] = if prefix { "*".to_owned() } else { "{x}".to_owned() };
        let rule = match prefix {
            true => format!("{start}{}", written[..=at].join("/")),
            false => format!("{start}{}{end}", written.join("/")),
        };
        // Capitals where a host or a path may be are a fault, and so is what is no scheme.
        let Ok(pattern) = ResourcePattern::parse(&rule) else { return Ok(()) };
        let asked = ResourcePattern::of_uri(&normal).unwrap();
        prop_assert!(pattern.meets(&asked, false), "{} {} {:?}", rule, uri, pattern);
    }

    #[test]
    fn any_text_holds(text in "[nhtpsfile:/@.?%{}*+A-F0-9 é\u{301}~;|-]{0,40}") {
        crate::fuzzing::uri(text.as_bytes());
    }
}
