//! The lint step `names`: what Markdown names is there.
//!
//! Looked at is what is written as code, in the line or in a block:
//!
//! - a file or folder (`serve/layer.rs`, `docs/`): from the root, or the end of a path;
//! - `FILE: NAME`: the file holds that name, such as that of a test;
//! - a path in Rust (`policy::rules::a_test`, `Config::new`): such a module, function or member is in a source;
//! - a word with an underscore or of the form `aName` (`max_token_bytes`, `fromEnv`): it is in a source;
//! - `cargo xtask COMMAND --only STEP`: there are both.
//!
//! And every link to a file of the repository leads to one, every `#anchor` to a heading.
//!
//! Names in CAPITALS without an underscore stand for something else. The changelog and the page that compares others may
//! name what is not here; elsewhere, `xtask/names.txt` has what is right and of others.

mod markdown;
mod tree;

use std::collections::BTreeSet;
use std::fs;

use clap::CommandFactory;

use crate::command::{Failure, root};
use crate::names::markdown::Page;
use crate::names::tree::Tree;
use crate::step::Outcome;
use crate::{Cli, lint, test};

/// Pages that name what others have, or what is gone. Their links are checked.
const PAGES_ABOUT_OTHERS: [&str; 2] = ["CHANGELOG.md", "docs/comparison.md"];

/// Names that are right, and in no source of ours.
const LIST: &str = "xtask/names.txt";

/// Checks every page.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let root = root();
    let tree = Tree::read(&root)?;
    let known = Known { tree: &tree, commands: commands(), steps: steps() };
    let mut pages = Vec::new();
    for file in tree.markdown_files() {
        pages.push(Page::new(file, &fs::read_to_string(root.join(file))?));
    }

    let list = fs::read_to_string(root.join(LIST))?;
    let mut faults = name_faults(&pages, &known, &list);
    for page in &pages {
        faults.extend(link_faults(page, &pages, &tree));
    }
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format!("{} fault(s)\n{}", faults.len(), faults.join("\n"))))
}

/// The names on the pages that are neither there nor on the list, and those on the list that no page needs.
fn name_faults(pages: &[Page], known: &Known<'_>, list: &str) -> Vec<String> {
    let lines = list.lines().map(str::trim);
    let listed: BTreeSet<&str> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut needed = BTreeSet::new();
    let mut faults = Vec::new();
    for page in pages.iter().filter(|page| !PAGES_ABOUT_OTHERS.contains(&page.file.as_str())) {
        for code in &page.code {
            for name in known.faults_of(&code.text) {
                if !listed.contains(name.as_str()) {
                    faults.push(format!("{}:{}: not there: {name}", page.file, code.line));
                }
                needed.insert(name);
            }
        }
    }
    for name in listed.iter().filter(|name| !needed.contains(**name)) {
        faults.push(format!("{LIST}: on no page, or in a source by now: {name}"));
    }
    faults
}

/// The commands of `cargo xtask`.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The steps of its commands `lint` and `test`.
fn steps() -> Vec<String> {
    let all = lint::steps().into_iter().chain(test::steps());
    all.map(|step| step.name.to_owned()).collect()
}

/// What can be named.
struct Known<'a> {
    tree: &'a Tree,
    commands: Vec<String>,
    steps: Vec<String>,
}

impl Known<'_> {
    /// The names in a piece of code that are of a form that is checked, and are not there.
    fn faults_of(&self, code: &str) -> Vec<String> {
        if let Some(arguments) = code.strip_prefix("cargo xtask ") {
            return self.faults_of_command(arguments);
        }
        if let Some((file, name)) = code.split_once(": ")
            && is_file_name(file)
        {
            let is_there = self.tree.files_ending_in(file).any(|text| text.contains(name));
            return if is_there { Vec::new() } else { vec![code.to_owned()] };
        }
        if is_path(code, self.tree) {
            let is_there = alternatives(code).iter().all(|path| self.tree.has_path(path));
            return if is_there { Vec::new() } else { vec![code.to_owned()] };
        }
        let called = code.strip_suffix("()").unwrap_or(code);
        if is_rust_path(called) {
            let is_there = self.tree.has_rust_path(called);
            return if is_there { Vec::new() } else { vec![code.to_owned()] };
        }
        let names = words(code).filter(|word| is_compound(word));
        names.filter(|name| !self.tree.has_word(name)).map(str::to_owned).collect()
    }

    /// The command, and the steps after `--only` where it has steps.
    fn faults_of_command(&self, line: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let Some(command) = arguments.first() else { return faults };
        if !is_known(command, &self.commands) {
            faults.push(format!("cargo xtask {command}"));
        }
        if ["lint", "test"].contains(command) {
            for pair in arguments.windows(2).filter(|pair| pair[0] == "--only") {
                if !is_known(pair[1], &self.steps) {
                    faults.push(format!("--only {}", pair[1]));
                }
            }
        }
        faults
    }
}

/// Whether it is one of the names, or stands for any of them, as `NAME` and `client-…` do.
fn is_known(name: &str, known: &[String]) -> bool {
    name.contains('…') || is_placeholder(name) || known.iter().any(|other| other == name)
}

/// The words of code: letters, digits and underscores.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether a word is of the form `a_name`, `aName` or `AName`, as only names in code are.
fn is_compound(word: &str) -> bool {
    let has_underscore = word.trim_matches('_').contains('_');
    let letters: Vec<char> = word.chars().collect();
    let has_hump = letters.windows(2).any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
    has_underscore || has_hump
}

/// Whether it stands for any name: `FOLDER`, `K/N`.
fn is_placeholder(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '/')
}

/// Whether this names a file or a folder of ours: by what it ends in, or by the folder that it begins with.
fn is_path(code: &str, tree: &Tree) -> bool {
    let is_outside = code.starts_with('/') || code.starts_with("..");
    if is_outside || !code.chars().all(is_in_paths) {
        return false;
    }
    let parts: Vec<&str> = code.trim_end_matches('/').split('/').collect();
    let is_elsewhere =
        parts.iter().any(|part| tree::is_foreign(part) || is_placeholder(stem(part)));
    if is_elsewhere {
        return false;
    }
    is_file_name(code) || code.contains('/') && tree.is_folder_of_ours(parts[0])
}

/// Whether a path may have this character; braces are for `{a,b}`.
fn is_in_paths(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/._-{},".contains(c)
}

/// The name of a file without its ending.
fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

fn is_file_name(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    name.chars().all(is_in_paths) && ending.is_some_and(tree::is_source_ending)
}

/// The paths that `a/{b,c}.rs` stands for.
fn alternatives(path: &str) -> Vec<String> {
    if let Some((before, rest)) = path.split_once('{')
        && let Some((inner, after)) = rest.split_once('}')
    {
        return inner.split(',').map(|part| format!("{before}{part}{after}")).collect();
    }
    vec![path.to_owned()]
}

/// Whether it is of the form `a::b`.
fn is_rust_path(code: &str) -> bool {
    code.contains("::") && code.split("::").all(is_word)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && words(text).eq([text])
}

/// Links that lead to no file or heading of the repository.
fn link_faults(page: &Page, pages: &[Page], tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for link in &page.links {
        if link.text.contains("://") || link.text.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = match link.text.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (link.text.as_str(), None),
        };
        let file = if path.is_empty() { page.file.clone() } else { resolved(&page.file, path) };
        let target = pages.iter().find(|other| other.file == file);
        let is_there = match (target, anchor) {
            (Some(other), Some(anchor)) => other.anchors.iter().any(|known| known == anchor),
            _ => tree.has_whole_path(&file),
        };
        if !is_there {
            faults.push(format!("{}:{}: leads nowhere: {}", page.file, link.line, link.text));
        }
    }
    faults
}

/// The path from the root of what a page names by a path from its own folder.
fn resolved(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let files = [
            (".ci/run", ""),
            ("README.md", "# A title\n\n## Try `it`, now!\n"),
            ("mcp-auth/src/serve/layer.rs", "impl Layer {\n    fn new() {}\n}\n"),
            ("mcp-auth/src/config.rs", "pub struct Config {\n    max_token_bytes: usize,\n}\n"),
            ("mcp-auth/tests/it/policy/rules.rs", "#[test]\nfn a_rule_holds() {}\n"),
            ("node/lib/auth.ts", "static fromEnv(): McpAuth {}"),
            ("node/test/a.test.mjs", "test('it holds', () => {});"),
        ];
        let mut tree = Tree::default();
        for (file, text) in files {
            tree.add(file, text);
        }
        tree
    }

    fn faults(code: &str) -> Vec<String> {
        let known = Known {
            tree: &tree(),
            commands: ["lint", "test", "bench"].map(str::to_owned).to_vec(),
            steps: vec!["names".to_owned()],
        };
        known.faults_of(code)
    }

    #[test]
    fn what_is_there_may_be_named() {
        let good = [
            "mcp-auth/src/serve/layer.rs",
            "serve/layer.rs",
            "layer.rs",
            "serve/",
            "mcp-auth/src/{config,serve/layer}.rs",
            "mcp-auth/tests/it",
            ".ci/run",
            "rules.rs: a_rule_holds",
            "node/test/a.test.mjs: it holds",
            "policy::rules::a_rule_holds",
            "serve::layer",
            "crate::serve::layer",
            "Layer::new()",
            "Config::max_token_bytes",
            "max_token_bytes",
            "max_token_bytes = 16384",
            "McpAuth.fromEnv()",
            "cargo xtask lint --only names --write",
            "cargo xtask test --only client-…",
            "cargo xtask bench --only verify",
        ];
        for code in good {
            assert!(faults(code).is_empty(), "{code}: {:?}", faults(code));
        }
    }

    #[test]
    fn what_is_of_no_such_form_is_left_alone() {
        let good = [
            "tools/call",
            "application/json",
            "/mcp",
            "../other/place.rs",
            "target/doc",
            "mcp-auth/src/FOLDER",
            "config/NAME.json",
            "std::fmt",
            "scope",
            "GET",
            "at+jwt",
            "https://a.example/b.html",
        ];
        for code in good {
            assert!(faults(code).is_empty(), "{code}: {:?}", faults(code));
        }
    }

    #[test]
    fn what_is_gone_is_a_fault() {
        let bad = [
            ("mcp-auth/src/serve/gone.rs", "mcp-auth/src/serve/gone.rs"),
            ("gone.rs", "gone.rs"),
            (".ci/gone", ".ci/gone"),
            ("serve/gone", "serve/gone"),
            ("serve/{layer,gone}.rs", "serve/{layer,gone}.rs"),
            ("rules.rs: a_rule_that_went", "rules.rs: a_rule_that_went"),
            ("policy::gone::a_rule_holds", "policy::gone::a_rule_holds"),
            ("Layer::gone()", "Layer::gone()"),
            ("max_gone_bytes", "max_gone_bytes"),
            ("{ max_gone_bytes = 1 }", "max_gone_bytes"),
            ("McpAuth.fromNowhere()", "fromNowhere"),
            ("cargo xtask gone", "cargo xtask gone"),
            ("cargo xtask lint --only gone", "--only gone"),
        ];
        for (code, fault) in bad {
            assert_eq!(faults(code), [fault], "{code}");
        }
    }

    #[test]
    fn the_list_excuses_names_and_holds_no_other() {
        let tree = tree();
        let known = Known { tree: &tree, commands: Vec::new(), steps: Vec::new() };
        let page = Page::new("docs/a.md", "`max_token_bytes`\n`OF_OTHERS`\n`max_gone_bytes`\n");
        let about_others = Page::new("CHANGELOG.md", "`max_gone_bytes`\n");
        let list = "# Of others.\nOF_OTHERS\nmax_token_bytes\n";
        assert_eq!(
            name_faults(&[page, about_others], &known, list),
            [
                "docs/a.md:3: not there: max_gone_bytes",
                "xtask/names.txt: on no page, or in a source by now: max_token_bytes",
            ]
        );
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let readme = Page::new("README.md", "# A title\n\n## Try `it`, now!\n");
        let good = "[a](../README.md#try-it-now) [b](#here) [c](../node/lib) [d](https://a.example)\n\n# Here\n";
        let bad = "[a](../README.md#gone) [b](#gone)\n[c](gone.md)\n";
        let good = Page::new("docs/a.md", good);
        let bad = Page::new("docs/b.md", bad);
        let pages = [readme, good, bad];
        assert!(link_faults(&pages[1], &pages, &tree()).is_empty());
        assert_eq!(
            link_faults(&pages[2], &pages, &tree()),
            [
                "docs/b.md:1: leads nowhere: ../README.md#gone",
                "docs/b.md:1: leads nowhere: #gone",
                "docs/b.md:2: leads nowhere: gone.md",
            ]
        );
    }
}
