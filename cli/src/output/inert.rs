//! Escapes text that strangers chose, for each place where it is shown.

use crate::secrets;

/// Text of a stranger: of a server, an issuer or a token, or of somebody whom they quote.
///
/// Every string that this command did not write itself passes here before it is printed: shown as it
/// is, it could move the cursor, set the clipboard, turn a line around, forge another finding, or become
/// a link or a mention in an issue. It never holds a secret of the user's afterwards.
pub(crate) struct Inert<'a>(&'a str);

impl<'a> Inert<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self(text)
    }

    /// One line that is not too long, for people: part of a document that is escaped as a whole later.
    pub(crate) fn line(&self) -> String {
        const LONGEST: usize = 160;
        // Before the cut, which would leave a part of a token that nobody recognises.
        let text = secrets::without_secrets(self.0);
        let line: String = text.chars().take(LONGEST).collect();
        let is_cut = line.len() < text.len();
        one_line(&line) + if is_cut { "…" } else { "" }
    }

    /// One line of any length, for texts whose end matters, such as a URL.
    pub(crate) fn whole_line(&self) -> String {
        one_line(&secrets::without_secrets(self.0))
    }

    /// A whole document for a terminal: its lines, its colours where they are wanted, and else only what
    /// is visible as itself.
    pub(crate) fn terminal(&self, with_colours: bool) -> String {
        let text = secrets::without_secrets(self.0);
        let mut document = String::with_capacity(text.len());
        let mut rest = &*text;
        while let Some(character) = rest.chars().next() {
            let colour = super::human::COLOURS.iter().find(|colour| rest.starts_with(**colour));
            if let Some(colour) = colour.filter(|_| with_colours) {
                document += colour;
                rest = &rest[colour.len()..];
                continue;
            }
            match character {
                '\n' => document.push('\n'),
                _ if is_visible(character) => document.push(character),
                _ => document.extend(character.escape_unicode()),
            }
            rest = &rest[character.len_utf8()..];
        }
        document
    }

    /// A whole JSON text. Invisible characters are written as escapes such as `\u009b`, which leaves the data as it was.
    pub(crate) fn json(&self) -> String {
        let text = secrets::without_secrets(self.0);
        let mut document = String::with_capacity(text.len());
        for character in text.chars() {
            if character == '\n' || is_visible(character) {
                document.push(character);
                continue;
            }
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                document += &format!("\\u{unit:04x}");
            }
        }
        document
    }

    /// Part of a line of Markdown, outside of any code: no markup, no link, no mention, no reference.
    pub(crate) fn markdown(&self) -> String {
        let text = secrets::without_secrets(self.0);
        let words: Vec<_> = text.split(' ').map(markdown_word).collect();
        words.join(" ")
    }

    /// Inline code of Markdown, in which no character is markup.
    pub(crate) fn markdown_code(&self) -> String {
        let text = secrets::without_secrets(self.0);
        // In a table a bar ends the cell even within code.
        let code: String = visible(&text).replace('|', "\\u{7c}");
        let fence = fence_around(&code);
        let touches = code.starts_with('`') || code.ends_with('`') || code.is_empty();
        let space = if touches { " " } else { "" };
        format!("{fence}{space}{code}{space}{fence}")
    }

    /// A text of a SARIF message, in which `[a](b)` would be a link (SARIF 2.1.0 §3.11.6).
    pub(crate) fn sarif(&self) -> String {
        let mut text = String::new();
        for character in secrets::without_secrets(self.0).chars() {
            if matches!(character, '\\' | '[' | ']') {
                text.push('\\');
            }
            text.push(character);
        }
        text
    }
}

/// Backticks that are nowhere in the code.
fn fence_around(code: &str) -> String {
    let (mut longest, mut in_a_row) = (0, 0);
    for character in code.chars() {
        in_a_row = if character == '`' { in_a_row + 1 } else { 0 };
        longest = longest.max(in_a_row);
    }
    "`".repeat(longest + 1)
}

fn one_line(text: &str) -> String {
    let line: String = text.chars().flat_map(char::escape_debug).collect();
    line.replace("\\\"", "\"").replace("\\'", "'")
}

/// What GitHub makes links, mentions and references of is code: escapes are undone before it looks.
fn markdown_word(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let is_reference = word.contains(['@', '#']) || lower.contains("gh-");
    let is_link = lower.contains("://") || lower.contains("www.");
    if is_reference || is_link || is_commit(&lower) {
        let code = word.trim_end_matches([',', ';', ':', '.']);
        return Inert(code).markdown_code() + &word[code.len()..];
    }
    if is_plain_code(word) {
        return word.to_owned();
    }
    let mut escaped = String::new();
    for character in visible(word).chars() {
        match character {
            '<' => escaped += "&lt;",
            '&' => escaped += "&amp;",
            '|' | '*' | '_' | '[' | ']' | '\\' | '`' | '~' | '$' => {
                escaped.extend(['\\', character]);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// What may be the hash of a commit, anywhere in a word.
fn is_commit(word: &str) -> bool {
    word.split(|one: char| !one.is_ascii_alphanumeric())
        .any(|part| part.len() >= 7 && part.bytes().all(|one| one.is_ascii_hexdigit()))
}

/// Whether it is a name in backticks, as our own texts have it, of characters that are no markup.
fn is_plain_code(word: &str) -> bool {
    let bare = word.trim_end_matches([',', ';', ':', '.', ')']).trim_start_matches('(');
    let Some(name) = bare.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
        return false;
    };
    let is_plain =
        name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '/' | '.'));
    is_plain && !name.is_empty()
}

fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match is_visible(character) {
            true => line.push(character),
            false => line.extend(character.escape_unicode()),
        }
    }
    line
}

/// Whether a character is shown as itself. Control characters, those that change the direction of a text or have no width,
/// separators other than the space, and unassigned ones are not.
fn is_visible(character: char) -> bool {
    match character {
        '\\' | '"' | '\'' => true,
        _ => character.escape_debug().len() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARMFUL: &str = "\u{1b}[2J\u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{9d}0;t\u{9c}\u{7f}\u{0}\r\
                           \u{202e}\u{2066}\u{200f}\u{200b}\u{feff}\u{ad}\u{2028}\u{e0041}\u{fdd0}";

    #[test]
    fn nothing_invisible_is_left_in_any_medium() {
        let inert = Inert::of(HARMFUL);
        let all = [
            inert.line(),
            inert.whole_line(),
            inert.terminal(true),
            inert.terminal(false),
            inert.json(),
            inert.markdown(),
            inert.markdown_code(),
        ];
        for text in all {
            let is_left =
                |one: char| one.is_control() || HARMFUL[5..].contains(one) && !one.is_ascii();
            assert!(!text.contains(is_left), "{text:?}");
        }
    }

    #[test]
    fn json_says_the_same() {
        let text = serde_json::to_string_pretty(&[HARMFUL, "Zoë \u{1f600}"]).unwrap();
        let inert = Inert::of(&text).json();
        assert!(!inert.contains(['\u{7f}', '\u{9b}', '\u{202e}', '\u{e0041}']), "{inert:?}");
        assert!(inert.contains("Zoë \u{1f600}") && inert.contains("\\udb40\\udc41"), "{inert}");
        let read: Vec<String> = serde_json::from_str(&inert).unwrap();
        assert_eq!(read[0], HARMFUL);
    }

    #[test]
    fn only_the_colours_of_the_command_reach_a_terminal() {
        let text = "\u{1b}[1;31mFAIL\u{1b}[0m\n\u{1b}[5mx\u{1b}[31m";
        let shown = Inert::of(text).terminal(true);
        assert_eq!(shown, "\u{1b}[1;31mFAIL\u{1b}[0m\n\\u{1b}[5mx\\u{1b}[31m");
        assert!(!Inert::of(text).terminal(false).contains('\u{1b}'));
    }

    #[test]
    fn markdown_has_no_link_mention_reference_or_markup() {
        let rows = [
            ("401, no `scope`", "401, no `scope`"),
            ("see https://e.example/x.", "see `https://e.example/x`."),
            ("@octocat a@e.example #1 o/r#2 GH-3", "`@octocat` `a@e.example` `#1` `o/r#2` `GH-3`"),
            ("WWW.e.example deadbeef1 &#64;x", "`WWW.e.example` `deadbeef1` `&#64;x`"),
            ("&commat;x ~~a~~ $b$ <b>", "&amp;commat;x \\~\\~a\\~\\~ \\$b\\$ &lt;b>"),
            ("` @octocat", "\\` `@octocat`"),
            ("`` @a`b `x` `<b>`", "\\`\\` ``@a`b`` `x` \\`&lt;b>\\`"),
            ("@a|b |c", "`@a\\u{7c}b` \\|c"),
            ("[a](b) ![c](d)", "\\[a\\](b) !\\[c\\](d)"),
        ];
        for (text, expected) in rows {
            assert_eq!(Inert::of(text).markdown(), expected, "{text}");
        }
        assert_eq!(Inert::of("`").markdown_code(), "`` ` ``");
        // As long as it likes: each character is looked at once.
        let backticks = "`".repeat(300_000);
        let code = Inert::of(&backticks).markdown_code();
        assert_eq!(code, format!("{backticks}` {backticks} {backticks}`"));
        assert_eq!(Inert::of("a[b](c)\\").sarif(), "a\\[b\\](c)\\\\");
    }
}
