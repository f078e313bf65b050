//! What the time of mcp-auth is spent on: by `perf`, or where that is not permitted, in instructions by callgrind.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::{Failure, Run, root};

/// What the benchmark can repeat. Warm: one token follows the other in a loop. Cold: other memory is read in between. The others are
/// requests over sockets, of which the server's thread is shown.
const WORKS: [&str; 9] = [
    "seen-warm",
    "seen-cold",
    "distinct-warm",
    "distinct-cold",
    "axum-seen",
    "axum-distinct",
    "rmcp-seen",
    "rmcp-distinct",
    "policy-seen",
];
/// Who does the work, besides mcp-auth, in what is over sockets.
const OTHERS: [&str; 2] = ["empty-layer", "bare-check"];
/// Samples of a second.
const FREQUENCY: u32 = 4000;
/// What the benchmark does to make caches cold.
const NOT_COUNTED: &str = "bench::groups::repeat::walk";
/// Lines of each list.
const SHOWN: usize = 14;

/// A function and what was counted in it.
#[derive(Debug, PartialEq)]
struct Line {
    count: f64,
    /// The program or library that has it.
    object: String,
    function: String,
}

/// Prints two lists for each work, by module and by function, and what the same takes with others in the place of mcp-auth.
pub(crate) fn run(bench: &Path, seconds: &str) -> Result<(), Failure> {
    let with_perf = Run::new("perf").args(["record", "--output=/dev/null", "true"]).output();
    let unit = if with_perf.is_ok() { "µs" } else { "instructions" };
    let profile = |work, guard| match with_perf {
        Ok(_) => by_perf(bench, work, guard, seconds),
        Err(_) => by_callgrind(bench, work, guard, seconds),
    };
    for work in WORKS {
        print(work, unit, &profile(work, "mcp-auth")?);
        let in_a_loop = work.ends_with("-warm") || work.ends_with("-cold");
        for guard in OTHERS.iter().filter(|_| !in_a_loop) {
            let total: f64 = profile(work, guard)?.iter().map(|line| line.count).sum();
            println!("  {total:>10.3} {unit}  with {guard}");
        }
    }
    Ok(())
}

/// Microseconds of one request.
fn by_perf(bench: &Path, work: &str, guard: &str, seconds: &str) -> Result<Vec<Line>, Failure> {
    let data = root().join("target/profile.data");
    let output = format!("--output={}", data.display());
    let frequency = format!("--freq={FREQUENCY}");
    let repeated = Run::new("perf")
        .args(["record", "--quiet", "--event=cpu-clock", &frequency, &output, "--"])
        .args([bench])
        .args(["--repeat", work, "--guard", guard, "--seconds", seconds])
        .output()?;
    // Not `perf report`: it leaves out functions that it cannot annotate, such as those of assembler.
    let samples = Run::new("perf")
        .args(["script", "--comms=measured", "--fields=ip,sym,dso"])
        .args([format!("--input={}", data.display())])
        .output()?;
    let microseconds = 1e6 / f64::from(FREQUENCY) / times(&repeated)?;
    Ok(samples.lines().filter_map(|line| of_perf(line, microseconds)).collect())
}

/// Instructions of one request.
fn by_callgrind(
    bench: &Path,
    work: &str,
    guard: &str,
    seconds: &str,
) -> Result<Vec<Line>, Failure> {
    let data = root().join("target/profile.callgrind");
    let repeated = Run::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=bench::server::measured*"])
        .args([format!("--callgrind-out-file={}", data.display())])
        .args([bench])
        .args(["--repeat", work, "--guard", guard, "--seconds", seconds])
        .output()?;
    let report = Run::new("callgrind_annotate").args(["--threshold=95"]).args([&data]).output()?;
    let share = 1.0 / times(&repeated)?;
    Ok(report.lines().filter_map(|line| of_callgrind(line, share)).collect())
}

/// How often the work was done: the last line of what the benchmark prints.
fn times(output: &str) -> Result<f64, Failure> {
    let last = output.lines().last().unwrap_or_default().trim();
    match last.parse() {
        Ok(times) if times > 0.0 => Ok(times),
        _ => Err(Failure::new(format!("the benchmark says {last:?} and not how often"))),
    }
}

/// A line such as `7f01ab malloc (/usr/lib/libc.so.6)`: one sample.
fn of_perf(line: &str, count: f64) -> Option<Line> {
    let (_, named) = line.trim().split_once(' ')?;
    let (function, object) = named.rsplit_once(" (")?;
    let file = object.trim_end_matches(')').rsplit('/').next().unwrap_or_default();
    Some(Line { count, object: file.to_owned(), function: function.to_owned() })
}

/// A line such as `1,234 (12.34%)  src/file.rs:function [/usr/lib/libc.so.6]`.
fn of_callgrind(line: &str, share: f64) -> Option<Line> {
    let (number, rest) = line.trim().split_once(" (")?;
    let (_, place) = rest.split_once(")  ")?;
    let (_, named) = place.split_once(':')?;
    let (function, object) = named.rsplit_once(" [").unwrap_or((named, ""));
    let count = number.replace(',', "").parse::<f64>().ok()? * share;
    let file = object.trim_end_matches(']').rsplit('/').next().unwrap_or_default();
    Some(Line { count, object: file.to_owned(), function: function.to_owned() })
}

fn print(work: &str, unit: &str, lines: &[Line]) {
    let counted: Vec<&Line> =
        lines.iter().filter(|line| !line.function.starts_with(NOT_COUNTED)).collect();
    let total: f64 = counted.iter().map(|line| line.count).sum();
    println!("\n{work}: {total:.3} {unit} each\n");
    let mut modules = BTreeMap::<String, f64>::new();
    let mut functions = BTreeMap::<String, f64>::new();
    for line in counted {
        *modules.entry(module(line)).or_default() += line.count;
        *functions.entry(line.function.clone()).or_default() += line.count;
    }
    for sums in [modules, functions] {
        let mut sorted: Vec<(String, f64)> = sums.into_iter().collect();
        sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
        for (name, count) in sorted.iter().take(SHOWN) {
            println!("  {count:>10.3} {unit}  {:>5.1} %  {name}", count / total * 100.0);
        }
        println!();
    }
}

/// The crate of a function, and of ours the folder too; for what is not Rust, the library.
fn module(line: &Line) -> String {
    let path = line.function.trim_start_matches(['<', '&', '*']).trim_start_matches("dyn ");
    let end = path.find([' ', '<', '>', '(', '{']).unwrap_or(path.len());
    let parts: Vec<&str> = path[..end].split("::").collect();
    match parts[..] {
        _ if line.object.starts_with("[kernel") => "the kernel".to_owned(),
        ["mcp_auth" | "bench", folder, _, ..] => format!("{}::{folder}", parts[0]),
        [name, _, ..] => name.to_owned(),
        // All of C that is linked into the benchmark.
        _ if line.object == "bench" => "aws-lc".to_owned(),
        _ => line.object.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &str, function: &str) -> Line {
        Line { count: 1.0, object: object.to_owned(), function: function.to_owned() }
    }

    #[test]
    fn functions_are_grouped_by_crate_and_ours_by_folder() {
        let cases = [
            ("bench", "mcp_auth::serve::resource::Resource::decide", "mcp_auth::serve"),
            (
                "bench",
                "<mcp_auth::json::reader::Reader as core::fmt::Debug>::fmt",
                "mcp_auth::json",
            ),
            ("bench", "<&hyper::body::Body>::poll", "hyper"),
            ("bench", "core::ptr::drop_in_place<mcp_auth::X>", "core"),
            ("bench", "aws_lc_0_32_0_RSA_verify", "aws-lc"),
            ("libc.so.6", "malloc", "libc.so.6"),
            ("[kernel.kallsyms]", "tcp_sendmsg", "the kernel"),
        ];
        for (object, function, expected) in cases {
            assert_eq!(module(&line(object, function)), expected, "{function}");
        }
    }

    #[test]
    fn lines_of_both_programs_are_read() {
        let of_perf_line = of_perf("   7f01ab malloc (/usr/lib/libc.so.6)", 0.5).unwrap();
        assert_eq!(of_perf_line, Line { count: 0.5, ..line("libc.so.6", "malloc") });
        let kernel = of_perf(" ffffff81 tcp_sendmsg ([kernel.kallsyms])", 0.5).unwrap();
        assert_eq!(module(&kernel), "the kernel");
        let of_other = of_callgrind(" 1,200 (12.34%)  ???:mcp_auth::f [/w/bench]", 0.01).unwrap();
        assert_eq!(of_other, Line { count: 12.0, ..line("bench", "mcp_auth::f") });
        assert_eq!(of_perf("", 1.0), None);
    }
}
