//! Checks of the sources that need no tool: file sizes, and registry hosts in lockfiles.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, root};
use crate::step::Outcome;

/// Lines a source file may have before its tests.
const LONGEST_FILE: usize = 600;
const SOURCE_EXTENSIONS: [&str; 7] = ["rs", "py", "pyi", "ts", "mjs", "cjs", "js"];
/// Folders that hold no sources of ours. Hidden ones are left out too.
const FOREIGN_FOLDERS: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];
/// How Cargo names its default registry.
const CRATES_IO: &str = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;

/// Looks at every file and lists every fault at once.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let root = root();
    let mut faults = Vec::new();
    for path in files(&root)? {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(&root).unwrap_or(&path).display();
        faults.extend(faults_of(&path, &text).map(|fault| format!("{name}: {fault}")));
    }
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format!("{} fault(s)\n{}", faults.len(), faults.join("\n"))))
}

/// Every file below `directory` that could be one of ours.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && !name.starts_with('.') && !FOREIGN_FOLDERS.contains(&&*name) {
            files.extend(self::files(&path)?);
        }
    }
    files.sort();
    Ok(files)
}

fn faults_of<'a>(path: &Path, text: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_source = path
        .extension()
        .is_some_and(|extension| SOURCE_EXTENSIONS.iter().any(|known| extension == *known));
    let lines = if is_source { lines_before_tests(text) } else { 0 };
    let too_long = (lines > LONGEST_FILE)
        .then(|| format!("{lines} lines before its tests: over {LONGEST_FILE}"));
    let names_a_host = move |line: &&str| names_a_host(&name, line);
    let hosts =
        text.lines().filter(names_a_host).map(|line| format!("names a host: {}", line.trim()));
    too_long.into_iter().chain(hosts)
}

/// The number of lines before the test module at the bottom of the file, or of all lines.
pub(crate) fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let is_test_module =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod ");
    lines.windows(2).position(is_test_module).unwrap_or(lines.len())
}

/// Whether a line of a lockfile or a package manager's configuration says which host to use:
/// that is the business of the machine, and every machine has its own mirror.
fn names_a_host(file: &str, line: &str) -> bool {
    let line = line.trim();
    match file {
        "Cargo.lock" => line.starts_with("source = ") && line != CRATES_IO,
        "package-lock.json" => line.starts_with(r#""resolved": "http"#),
        ".npmrc" => line.starts_with("registry") || line.contains("//"),
        _ if file.starts_with("requirements") => {
            line.contains("://") || line.starts_with("--index-url") || line.starts_with("-i ")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_after_the_test_module_do_not_count() {
        let tests = "#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(lines_before_tests(&format!("{}{tests}", "x\n".repeat(7))), 7);
        assert_eq!(lines_before_tests("#[cfg(test)]\nuse x;\ny\n"), 3);
        assert_eq!(lines_before_tests(""), 0);
    }

    #[test]
    fn the_limit_is_per_file_and_for_sources_only() {
        let faults = |name: &str, lines: usize| {
            faults_of(Path::new(name), &"x\n".repeat(lines)).collect::<Vec<_>>()
        };
        assert!(faults("a.rs", 600).is_empty());
        assert_eq!(faults("a.rs", 601), ["601 lines before its tests: over 600"]);
        assert!(faults("a.json", 601).is_empty());
    }

    #[test]
    fn lockfiles_name_no_host() {
        let cases = [
            ("Cargo.lock", CRATES_IO, false),
            ("Cargo.lock", r#"source = "registry+https://mirror.example/index""#, true),
            ("package-lock.json", r#"  "resolved": "https://mirror.example/a.tgz","#, true),
            ("package-lock.json", r#"  "url": "https://opencollective.example","#, false),
            (".npmrc", "omit-lockfile-registry-resolved=true", false),
            (".npmrc", "registry=https://mirror.example", true),
            (".npmrc", "//mirror.example/:_auth=x", true),
            ("requirements.txt", "--index-url https://mirror.example", true),
            ("requirements.txt", "mcp==2.3.0 \\", false),
            ("README.md", "https://example.com", false),
        ];
        for (file, line, expected) in cases {
            assert_eq!(names_a_host(file, line), expected, "{file}: {line}");
        }
    }
}
