//! Runs of the benchmarks as they are kept in `bench/runs/`: a file for each program that measures.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::command::{Failure, Run as Command, root};

/// A file of `bench/runs/`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Kept {
    pub(crate) runs: Vec<Run>,
}

/// What a program has measured from its start to its end, as it writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    /// Such as `2026-11-28`.
    #[serde(default)]
    pub(crate) date: String,
    /// The processor.
    #[serde(default)]
    pub(crate) machine: String,
    /// On how many cores, and with which versions; runs of one setting are shown together.
    pub(crate) setting: String,
    /// The share of the machine that other programs used meanwhile.
    pub(crate) others: Option<f64>,
    pub(crate) sections: Vec<Section>,
}

/// A table.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) contender: String,
    pub(crate) figures: Vec<Figure>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    #[serde(default)]
    pub(crate) note: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    /// The end of the first quarter of the rounds, their middle, and the end of the third quarter.
    pub(crate) values: [f64; 3],
}

/// What a figure must be.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Target {
    pub(crate) figure: String,
    #[serde(flatten)]
    pub(crate) bound: Bound,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

impl Bound {
    pub(crate) fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Exactly(expected) => value == expected,
        }
    }
}

impl Run {
    /// Reads what a program has written to [`scratch`], and adds today and this machine.
    pub(crate) fn just_measured() -> Result<Self, Failure> {
        let path = scratch();
        let mut run: Self = parse(&path, &fs::read_to_string(&path)?)?;
        run.date = Command::new("date").args(["+%F"]).output()?.trim().to_owned();
        run.machine = processor();
        Ok(run)
    }
}

impl Kept {
    /// The runs of this name; none where there is no such file.
    pub(crate) fn read(name: &str) -> Result<Self, Failure> {
        let path = path(name);
        match path.is_file() {
            true => parse(&path, &fs::read_to_string(&path)?),
            false => Ok(Self::default()),
        }
    }

    /// Writes the file with a line for each row, so that a comparison of two versions can be read.
    pub(crate) fn write(&self, name: &str) -> Result<(), Failure> {
        let path = path(name);
        fs::create_dir_all(root().join("bench/runs"))?;
        Ok(fs::write(path, self.to_json()?)?)
    }

    fn to_json(&self) -> Result<String, Failure> {
        let runs: Result<Vec<String>, Failure> = self.runs.iter().map(run_to_json).collect();
        Ok(format!("{{\"runs\": [\n{}\n]}}\n", runs?.join(",\n")))
    }
}

fn run_to_json(run: &Run) -> Result<String, Failure> {
    let sections: Result<Vec<String>, Failure> = run.sections.iter().map(section_to_json).collect();
    Ok(format!(
        "{{\"date\": {}, \"machine\": {}, \"setting\": {}, \"others\": {}, \"sections\": [\n{}\n]}}",
        json(&run.date)?,
        json(&run.machine)?,
        json(&run.setting)?,
        json(&run.others)?,
        sections?.join(",\n"),
    ))
}

fn section_to_json(section: &Section) -> Result<String, Failure> {
    let rows: Result<Vec<String>, Failure> = section.rows.iter().map(json).collect();
    Ok(format!(
        "{{\"name\": {}, \"about\": {}, \"rows\": [\n{}\n]}}",
        json(&section.name)?,
        json(&section.about)?,
        rows?.join(",\n"),
    ))
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))
}

/// Where a program writes the run that it makes.
pub(crate) fn scratch() -> PathBuf {
    root().join("target/measured-run.json")
}

fn path(name: &str) -> PathBuf {
    root().join(format!("bench/runs/{name}.json"))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &std::path::Path, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// What the machine calls its processor.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{"runs": [
{"date": "2026-11-28", "machine": "m", "setting": "s", "others": null, "sections": [
{"name": "axum", "about": "a", "rows": [
{"work":"w","contender":"c","figures":[{"name":"µs","values":[1.0,1.5,2.0]}],"targets":[{"figure":"µs","at_most":2.5}],"note":""}
]}
]}
]}
"#;
        let kept: Kept = serde_json::from_str(text).unwrap();
        assert_eq!(kept.runs[0].sections[0].rows[0].targets[0].bound, Bound::AtMost(2.5));
        assert_eq!(kept.to_json().unwrap(), text);
    }
}
