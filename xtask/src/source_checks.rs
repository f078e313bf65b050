//! Checks of the sources that need no tool: file sizes, registry hosts in lockfiles, and who reads JSON.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, root};
use crate::step::Outcome;

/// Lines a source file may have before its tests.
const LONGEST_FILE: usize = 600;
const SOURCE_EXTENSIONS: [&str; 7] = ["rs", "py", "pyi", "ts", "mjs", "cjs", "js"];
/// Folders that hold no sources of ours. Hidden ones are left out too.
pub(crate) const FOREIGN_FOLDERS: [&str; 5] =
    ["target", "node_modules", "__pycache__", "dist", "build"];
/// Where JSON of strangers is read: `crate::json` does that.
const READS_FOR_STRANGERS: [&str; 3] = ["mcp-auth/src/", "node/src/", "python/src/"];
/// What serde_json itself may read there: what is ours or the operator's, and pieces of messages that it only cuts
/// out or takes as texts. A `Value` or `Map` of a stranger is none of that: it gives some member names a meaning.
const READS_WITH_SERDE_JSON: [&str; 17] = [
    "mcp-auth/src/config/policy/argument_rule.rs",
    "mcp-auth/src/authorize/policy/uri/tests",
    "mcp-auth/src/fuzzing.rs",
    "mcp-auth/src/inspection/known_provider.rs",
    "mcp-auth/src/inspection/preset.rs",
    "mcp-auth/src/jose/rfc_examples.rs",
    "mcp-auth/src/jose/wycheproof/",
    "mcp-auth/src/json/reader.rs",
    "mcp-auth/src/serve/response/list_filter.rs",
    "node/src/auth.rs",
    "node/src/functions.rs",
    "node/src/revocation_check.rs",
    "node/src/owner.rs",
    "node/src/testing.rs",
    "python/src/hooks.rs",
    "python/src/mcp_auth.rs",
    "python/src/testing.rs",
];
/// Where servers are that people run or copy.
const SERVERS: [&str; 3] = ["examples/", "cli/src/dev.rs", "dev-issuer/src/"];
/// How Cargo names its default registry.
const CRATES_IO: &str = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;

/// Looks at every file and lists every fault at once.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let root = root();
    let mut faults = Vec::new();
    for path in files(&root)? {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        let place = name.replace('\\', "/");
        let readings = readings_with_serde_json(&place, &text);
        let all = faults_of(&path, &text).chain(readings).chain(delayed_server(&place, &text));
        faults.extend(all.map(|fault| format!("{name}: {fault}")));
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
        let file_name = entry.file_name();
        let name = file_name.to_string_lossy();
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
    let hosts = text
        .lines()
        .filter(move |line| names_a_host(&name, line))
        .map(|line| format!("names a host: {}", line.trim()));
    too_long.into_iter().chain(hosts)
}

/// Lines that read JSON into whatever serde_json makes of it, where only `crate::json` may.
fn readings_with_serde_json(name: &str, text: &str) -> Vec<String> {
    let is_looked_at = READS_FOR_STRANGERS.iter().any(|place| name.starts_with(place));
    if !is_looked_at || READS_WITH_SERDE_JSON.iter().any(|place| name.starts_with(place)) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for line in text.lines().take(lines_before_tests(text)).map(str::trim) {
        if !line.starts_with("//") && reads_with_serde_json(line) {
            faults.push(format!("reads JSON without crate::json: {line}"));
        }
    }
    faults
}

fn reads_with_serde_json(line: &str) -> bool {
    let imports = line.starts_with("use serde_json::") && line.contains("from_");
    let calls = ["serde_json::from_", "serde_json::Deserializer", "Value::deserialize("];
    imports || calls.iter().any(|call| line.contains(call))
}

/// A server that is shown, or that we ship, and leaves Nagle's algorithm on: each answer in two pieces takes 40 ms then.
fn delayed_server(name: &str, text: &str) -> Option<String> {
    let is_shown = name.ends_with(".md") || SERVERS.iter().any(|folder| name.starts_with(folder));
    let (started, prompt) =
        (text.matches("axum::serve(").count(), text.matches("set_nodelay(true)").count());
    (is_shown && started > prompt)
        .then(|| "axum::serve without set_nodelay(true): see the examples for the line".to_owned())
}

/// The number of lines before the test module at the bottom of the file, or of all lines.
pub(crate) fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let test_module = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod "));
    test_module.unwrap_or(lines.len())
}

/// Whether a line of a lockfile or a package manager's configuration says which host to use:
/// that is the business of the machine, and every machine has its own mirror.
fn names_a_host(file: &str, untrimmed: &str) -> bool {
    let line = untrimmed.trim();
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
    fn json_is_read_in_one_place() {
        let faults = |name: &str, text: &str| readings_with_serde_json(name, text).len();
        let reading = "let claims: Value = serde_json::from_slice(bytes)?;\n";
        assert_eq!(faults("mcp-auth/src/verify/jwt.rs", reading), 1);
        assert_eq!(faults("mcp-auth/src/verify/jwt.rs", "use serde_json::{Value, from_str};"), 1);
        assert_eq!(faults("python/src/request.rs", "Value::deserialize(reader)"), 1);
        assert_eq!(faults("mcp-auth/src/json/reader.rs", reading), 0);
        assert_eq!(faults("mcp-auth/tests/it/main.rs", reading), 0);
        assert_eq!(faults("mcp-auth/src/lib.rs", &format!("// {reading}")), 0);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{reading}}}\n");
        assert_eq!(faults("mcp-auth/src/verify/jwt.rs", &tests), 0);
    }

    #[test]
    fn a_server_that_is_shown_switches_nagle_off() {
        let started = "axum::serve(without_delay, app).await?;";
        let prompt =
            format!("let without_delay = listener.tap_io(|s| drop(s.set_nodelay(true)));{started}");
        for place in ["docs/guide.md", "README.md", "examples/whoami/src/main.rs", "cli/src/dev.rs"]
        {
            assert!(delayed_server(place, started).is_some(), "{place}");
            assert_eq!(delayed_server(place, &prompt), None, "{place}");
        }
        assert!(delayed_server("docs/guide.md", &format!("{prompt}{started}")).is_some());
        assert_eq!(delayed_server("mcp-auth/tests/it/main.rs", started), None);
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
