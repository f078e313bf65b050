//! What is in a page of Markdown: code, links, and headings that links can lead to.

/// A page, taken apart.
pub(crate) struct Page {
    /// Its path from the root of the repository.
    pub(crate) file: String,
    /// Code in the line, and what is in code blocks but for Rust, which is compiled.
    pub(crate) code: Vec<Piece>,
    /// Where links lead, as written.
    pub(crate) links: Vec<Piece>,
    /// What `#…` can name: a slug for each heading.
    pub(crate) anchors: Vec<String>,
}

/// A text, and the line where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Languages whose blocks are not looked at: the compiler does it, or they are not ours.
const LANGUAGES_NOT_READ: [&str; 3] = ["rust", "nginx", "http"];

impl Page {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let mut page = Self {
            file: file.to_owned(),
            code: Vec::new(),
            links: Vec::new(),
            anchors: Vec::new(),
        };
        let without_blocks = page.take_blocks(text);
        let prose = page.take_inline_code(&without_blocks);
        page.take_links(&prose);
        page
    }

    /// Takes code blocks and headings. What is left has an empty line for each line of a block.
    fn take_blocks(&mut self, text: &str) -> String {
        let mut prose = String::new();
        let mut block: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            match &block {
                Some(open) if trimmed.starts_with(open.fence) => block = None,
                Some(open) => {
                    if open.is_read {
                        self.take_code_line(index + 1, without_comment(trimmed));
                    }
                }
                None => match Block::opened_by(trimmed) {
                    Some(opened) => block = Some(opened),
                    None => {
                        self.take_heading(line);
                        prose.push_str(line);
                    }
                },
            }
            prose.push('\n');
        }
        prose
    }

    /// Takes a line of a block: a command of ours whole, anything else in pieces.
    fn take_code_line(&mut self, line: usize, code: &str) {
        if code.starts_with("cargo xtask ") {
            self.code.push(Piece { line, text: code.to_owned() });
            return;
        }
        for part in code.split_whitespace() {
            let text = part.trim_matches([',', ':', ';', '(', ')']).to_owned();
            self.code.push(Piece { line, text });
        }
    }

    fn take_heading(&mut self, line: &str) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            return;
        }
        let slug = slug(title.trim());
        let same = self.anchors.iter().filter(|known| **known == slug).count();
        self.anchors.push(if same == 0 { slug } else { format!("{slug}-{same}") });
    }

    /// Takes what stands between backticks. It is left out of the rest, but for its line ends.
    fn take_inline_code(&mut self, prose: &str) -> String {
        let mut left = String::new();
        let mut rest = prose;
        while let Some(start) = rest.find('`') {
            left.push_str(&rest[..start]);
            let opened = &rest[start..];
            let ticks = opened.len() - opened.trim_start_matches('`').len();
            let (fence, inner) = opened.split_at(ticks);
            let Some(end) = inner.find(fence) else {
                rest = inner;
                continue;
            };
            let line = left.matches('\n').count() + 1;
            let code = &inner[..end];
            // A line end inside of code is a space, and a pipe in a table needs a backslash.
            let text = code.replace('\n', " ").replace("\\|", "|").trim().to_owned();
            self.code.push(Piece { line, text });
            left.extend(code.matches('\n'));
            rest = &inner[end + ticks..];
        }
        left.push_str(rest);
        left
    }

    /// Takes `[text](target)` and `[name]: target`.
    fn take_links(&mut self, prose: &str) {
        for (index, line) in prose.lines().enumerate() {
            for part in line.split("](").skip(1) {
                if let Some((target, _)) = part.split_once(')') {
                    self.add_link(index + 1, target);
                }
            }
            if line.starts_with('[')
                && let Some((_, target)) = line.split_once("]: ")
            {
                self.add_link(index + 1, target);
            }
        }
    }

    fn add_link(&mut self, line: usize, target: &str) {
        // What may follow is a title.
        let text = target.trim().split(' ').next().unwrap_or(target).to_owned();
        self.links.push(Piece { line, text });
    }
}

/// A code block that is open.
struct Block {
    fence: &'static str,
    is_read: bool,
}

impl Block {
    fn opened_by(line: &str) -> Option<Self> {
        let fence = ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence))?;
        let language = line.trim_start_matches(fence);
        let is_read = !LANGUAGES_NOT_READ.iter().any(|known| language.starts_with(known));
        Some(Self { fence, is_read })
    }
}

/// A line of a block without the comment of a shell at its end.
fn without_comment(line: &str) -> &str {
    line.split("  #").next().unwrap_or(line).trim()
}

/// What GitHub makes of a heading: lower case, hyphens for spaces, and no marks.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        if c == ' ' {
            slug.push('-');
        } else if c.is_alphanumeric() || c == '-' || c == '_' {
            slug.push(c);
        }
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pieces: &[Piece]) -> Vec<(usize, &str)> {
        pieces.iter().map(|piece| (piece.line, piece.text.as_str())).collect()
    }

    #[test]
    fn code_is_found_in_lines_and_blocks_but_those_of_rust() {
        let text = "\
One `a` and ``b ` c`` and `d
e`.

```sh
cargo xtask lint   # all
```

```text
├ Jws::parse   jose/jws, done
```

   ```rust,no_run
   let x = `no`;
   ```

| `f\\|g` | ` alone
";
        let page = Page::new("a.md", text);
        assert_eq!(
            pieces(&page.code),
            [
                (5, "cargo xtask lint"),
                (9, "├"),
                (9, "Jws::parse"),
                (9, "jose/jws"),
                (9, "done"),
                (1, "a"),
                (1, "b ` c"),
                (1, "d e"),
                (16, "f|g"),
            ]
        );
    }

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "\
[a](b.md) and ![c](d.png \"title\"), `[no](no.md)`
[`e`](f.md#g)

[h]: i.md
";
        let page = Page::new("a.md", text);
        assert_eq!(pieces(&page.links), [(1, "b.md"), (1, "d.png"), (2, "f.md#g"), (4, "i.md")]);
    }

    #[test]
    fn headings_become_anchors() {
        let text = "# The `one`, first\n## Again\n### Again\n#no heading\n";
        assert_eq!(Page::new("a.md", text).anchors, ["the-one-first", "again", "again-1"]);
    }
}
