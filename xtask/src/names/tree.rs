//! What is in the repository: files and folders, the words of the sources, and the items of the Rust code.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::words;
use crate::command::Failure;
use crate::source_checks::{FOREIGN_FOLDERS, files};

/// Endings of files that pages name.
const SOURCE_ENDINGS: [&str; 15] = [
    "rs", "ts", "mts", "mjs", "cjs", "js", "py", "pyi", "go", "json", "toml", "txt", "yml", "css",
    "md",
];
/// Files whose words are not names of ours; `names.txt` lists some that are not.
const FILES_NOT_READ: [&str; 3] = ["package-lock.json", "requirements.txt", "names.txt"];
/// Folders that [`files`] leaves out as hidden, and that are ours.
const HIDDEN_FOLDERS: [&str; 3] = [".cargo", ".ci", ".github"];
/// Where Rust's modules begin: what is before one of these in a path names no module.
const ROOTS_OF_MODULES: [&str; 4] = ["src", "tests", "examples", "fuzz_targets"];
/// How far rustfmt moves in what is inside of an item.
const INDENT: usize = 4;
/// Rust's own crates.
const CRATES_OF_RUST: [&str; 3] = ["std", "core", "alloc"];

/// The repository, as far as pages name it.
#[derive(Default)]
pub(crate) struct Tree {
    /// Every file and folder, by its path from the root.
    paths: HashSet<String>,
    /// Every end of such a path: `serve/layer.rs`, `layer.rs`.
    ends_of_paths: HashSet<String>,
    /// The texts of sources, by path.
    texts: BTreeMap<String, String>,
    words: HashSet<String>,
    /// Every end of the path of a module or function in Rust: `policy::rules`, `rules::a_test`.
    ends_of_rust_paths: HashSet<String>,
    /// What a type in Rust has, by its name: functions, fields, variants.
    members: HashMap<String, HashSet<String>>,
    /// The crates of the lockfile.
    foreign_crates: HashSet<String>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let mut paths = files(root)?;
        for folder in HIDDEN_FOLDERS {
            paths.extend(files(&root.join(folder))?);
        }
        let mut tree = Self::default();
        for path in paths {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let file = relative.to_string_lossy().replace('\\', "/");
            let text = if is_read(&file) { fs::read_to_string(&path)? } else { String::new() };
            tree.add(&file, &text);
        }
        let lockfile = fs::read_to_string(root.join("Cargo.lock"))?;
        tree.add_foreign_crates(&lockfile);
        Ok(tree)
    }

    /// Adds one file, by its path from the root.
    pub(crate) fn add(&mut self, file: &str, text: &str) {
        self.add_paths(file);
        self.add_words(file);
        if !file.ends_with(".md") {
            self.add_words(text);
        }
        if file.ends_with(".rs") {
            self.add_rust(file, text);
        }
        self.texts.insert(file.to_owned(), text.to_owned());
    }

    fn add_words(&mut self, text: &str) {
        for word in words(text) {
            if !self.words.contains(word) {
                self.words.insert(word.to_owned());
            }
        }
    }

    fn add_paths(&mut self, file: &str) {
        let parts: Vec<&str> = file.split('/').collect();
        for end in 1..=parts.len() {
            if !self.paths.insert(parts[..end].join("/")) {
                continue;
            }
            for start in 0..end {
                self.ends_of_paths.insert(parts[start..end].join("/"));
            }
        }
    }

    fn add_foreign_crates(&mut self, lockfile: &str) {
        for line in lockfile.lines() {
            if let Some(quoted) = line.strip_prefix("name = ") {
                self.foreign_crates.insert(quoted.trim_matches('"').replace('-', "_"));
            }
        }
    }

    fn add_rust(&mut self, file: &str, text: &str) {
        let module = module_of(file);
        self.add_rust_path(&module);
        let mut open: Vec<OpenItem<'_>> = Vec::new();
        for line in text.lines() {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            if let Some(innermost) = open.last()
                && innermost.indent == indent
                && code.starts_with(['}', ')'])
            {
                open.pop();
                continue;
            }
            let Some(item) = Item::declared_by(code) else { continue };
            if let Some(innermost) = open.last()
                && innermost.is_type
                && indent.len() == innermost.indent.len() + INDENT
            {
                let members = self.members.entry(innermost.name.clone()).or_default();
                members.insert(item.name.clone());
            }
            if item.kind == "fn" || item.kind == "mod" {
                let mut path = module.clone();
                let modules = open.iter().filter(|outer| !outer.is_type);
                path.extend(modules.map(|outer| outer.name.clone()));
                path.push(item.name.clone());
                self.add_rust_path(&path);
            }
            let is_type = ["impl", "struct", "enum", "trait"].contains(&item.kind);
            let goes_on = !code.ends_with(['}', ';']);
            if goes_on && (is_type || item.kind == "mod") {
                open.push(OpenItem { indent, name: item.name, is_type });
            }
        }
    }

    fn add_rust_path(&mut self, path: &[String]) {
        for start in 0..path.len() {
            self.ends_of_rust_paths.insert(path[start..].join("::"));
        }
    }

    /// The pages, by path.
    pub(crate) fn markdown_files(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str).filter(|file| file.ends_with(".md"))
    }

    /// Whether a file or folder has this path, or one that ends so. In Rust, the ending may be left out.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let end = path.trim_end_matches('/');
        self.ends_of_paths.contains(end) || self.ends_of_paths.contains(&format!("{end}.rs"))
    }

    /// Whether a file or folder has this path from the root.
    pub(crate) fn has_whole_path(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether this is a folder at the root, or one of the library's.
    pub(crate) fn is_folder_of_ours(&self, name: &str) -> bool {
        self.paths.contains(name) || self.paths.contains(&format!("mcp-auth/src/{name}"))
    }

    /// The texts of the files whose path ends so.
    pub(crate) fn files_ending_in(&self, path: &str) -> impl Iterator<Item = &str> {
        let inner = format!("/{path}");
        let fitting = self.texts.iter().filter(move |(file, _)| {
            file.ends_with(&inner) || Some(file.as_str()) == inner.strip_prefix('/')
        });
        fitting.map(|(_, text)| text.as_str())
    }

    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// Whether there is such a module or function, or such a member of a type of ours. What others wrote is not ours to know.
    pub(crate) fn has_rust_path(&self, written: &str) -> bool {
        let path = written.strip_prefix("crate::").unwrap_or(written);
        let (before, last) = path.rsplit_once("::").unwrap_or(("", path));
        let (_, container) = before.rsplit_once("::").unwrap_or(("", before));
        if container.starts_with(char::is_uppercase) {
            return match self.members.get(container) {
                Some(members) => members.contains(last),
                None => self.words.contains(container),
            };
        }
        let (first, _) = path.split_once("::").unwrap_or((path, ""));
        let is_foreign = CRATES_OF_RUST.contains(&first) || self.foreign_crates.contains(first);
        is_foreign || self.ends_of_rust_paths.contains(path)
    }
}

/// Whether files with this ending can be named, and are sources or pages.
pub(crate) fn is_source_ending(ending: &str) -> bool {
    SOURCE_ENDINGS.contains(&ending)
}

/// Whether a folder of this name holds nothing of ours.
pub(crate) fn is_foreign(folder: &str) -> bool {
    FOREIGN_FOLDERS.contains(&folder)
}

fn is_read(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let ending = name.rsplit('.').next().unwrap_or(name);
    is_source_ending(ending) && !FILES_NOT_READ.contains(&name)
}

/// The module that a file is, from the crate on. For one in `tests/it`, that is `it::…`.
fn module_of(file: &str) -> Vec<String> {
    let without_ending = file.strip_suffix(".rs").unwrap_or(file);
    let mut parts: Vec<&str> = without_ending.split('/').collect();
    let root = parts.iter().position(|part| ROOTS_OF_MODULES.contains(part));
    if let Some(root) = root {
        parts.drain(..=root);
    }
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(last)) {
        parts.pop();
    }
    parts.into_iter().map(str::to_owned).collect()
}

/// A type or module that is not closed yet, and how far its lines are moved in.
struct OpenItem<'t> {
    indent: &'t str,
    name: String,
    is_type: bool,
}

/// What a line of Rust, as rustfmt writes it, declares.
struct Item<'t> {
    /// `fn`, `mod`, `impl`, `struct`, `enum` or `trait`; empty for a field or a variant.
    kind: &'t str,
    name: String,
}

impl<'t> Item<'t> {
    fn declared_by(line: &'t str) -> Option<Self> {
        let mut rest = line;
        if let Some(after) = rest.strip_prefix("pub(") {
            rest = after.split_once(") ")?.1;
        }
        for word in ["pub ", "default ", "const ", "async ", "unsafe "] {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
        for kind in ["fn", "mod", "struct", "enum", "trait"] {
            if let Some(after) = rest.strip_prefix(kind)
                && after.starts_with(' ')
            {
                let name = words(after).next()?.to_owned();
                return Some(Self { kind, name });
            }
        }
        if rest.starts_with("impl ") || rest.starts_with("impl<") {
            return Some(Self { kind: "impl", name: type_of_impl(&rest["impl".len()..])? });
        }
        // A field, a variant, a constant or a type of a trait.
        let declared = rest.strip_prefix("type ").unwrap_or(rest);
        let is_named = declared.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let name = words(declared).next()?.to_owned();
        is_named.then_some(Self { kind: "", name })
    }
}

/// The type that `impl … {` is for: the name before its own parameters, without the path.
fn type_of_impl(header: &str) -> Option<String> {
    let mut plain = String::new();
    let mut depth = 0;
    for c in header.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let target = plain.split(" for ").last()?;
    let path = target.split_whitespace().next()?;
    words(path).last().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
pub(crate) struct Pair<T>(
    T,
);

impl<T: Into<String>> fmt::Display for Pair<T> {
    fn fmt(&self) {
        stranger();
    }
}

pub enum Kind {
    /// A word.
    One,
    Two { first: u8 },
}

mod inner {
    pub(super) async fn reads() {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_holds() {}
}
";

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.add("mcp-auth/src/json/mod.rs", SOURCE);
        tree.add_foreign_crates("[[package]]\nname = \"serde-json\"\n");
        tree
    }

    #[test]
    fn rust_items_are_found_by_their_paths() {
        let tree = tree();
        let good = [
            "crate::json",
            "json::inner",
            "inner::reads",
            "json::tests::it_holds",
            "tests::it_holds",
            "Pair::fmt",
            "Kind::One",
            "json::Kind::Two",
            "serde_json::from_str",
            "std::fmt",
        ];
        for path in good {
            assert!(tree.has_rust_path(path), "{path}");
        }
        for path in [
            "json::gone",
            "gone::inner",
            "json::it_holds",
            "Kind::Three",
            "Pair::stranger",
            "Gone::new",
        ] {
            assert!(!tree.has_rust_path(path), "{path}");
        }
    }

    #[test]
    fn paths_are_found_by_their_ends() {
        let tree = tree();
        for path in ["mcp-auth/src/json/mod.rs", "json/mod.rs", "json/mod", "src/json/", "mcp-auth"]
        {
            assert!(tree.has_path(path), "{path}");
        }
        for path in ["son/mod.rs", "json/reader.rs", "mcp-auth/json"] {
            assert!(!tree.has_path(path), "{path}");
        }
        assert!(tree.has_whole_path("mcp-auth/src"));
        assert!(!tree.has_whole_path("src/json"));
    }

    #[test]
    fn files_are_modules() {
        let cases = [
            ("mcp-auth/src/lib.rs", ""),
            ("mcp-auth/src/issuer/mod.rs", "issuer"),
            ("mcp-auth/src/issuer/refresh.rs", "issuer::refresh"),
            ("mcp-auth/tests/it/policy/rules.rs", "it::policy::rules"),
            ("examples/whoami/src/main.rs", "whoami::src"),
        ];
        for (file, module) in cases {
            assert_eq!(module_of(file).join("::"), module, "{file}");
        }
    }
}
