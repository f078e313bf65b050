//! SARIF 2.1.0, as code scanning reads it: a rule per finding, the checked URL as the place.

use serde_json::{Value, json};

use super::{Finding, Inert, Report, Verdict};

pub(super) fn render(report: &Report) -> String {
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": format!("mcp-auth {}", report.command),
                "version": env!("CARGO_PKG_VERSION"),
                "rules": report.findings.iter().map(rule).collect::<Vec<_>>(),
            } },
            "results": report.findings.iter().map(|one| result(one, &report.subject)).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn rule(finding: &Finding) -> Value {
    json!({
        "id": finding.id,
        "shortDescription": { "text": finding.title },
        "help": { "text": if finding.fix.is_empty() { finding.expected } else { finding.fix } },
        "properties": { "requirement": finding.requirement, "level": finding.level },
    })
}

fn result(finding: &Finding, subject: &str) -> Value {
    let (kind, level) = match finding.verdict {
        Verdict::Pass => ("pass", "none"),
        Verdict::Info => ("informational", "none"),
        Verdict::Warn => ("fail", "warning"),
        Verdict::Fail => ("fail", "error"),
        Verdict::Skip => ("notApplicable", "none"),
    };
    let actual = Inert::of(&finding.actual).sarif();
    let text = format!("{}: expected {}, actual {actual}", finding.title, finding.expected);
    json!({
        "ruleId": finding.id,
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": subject } } }],
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn every_result_has_its_rule() {
        let document: Value = serde_json::from_str(&render(&sample())).unwrap();
        let run = &document["runs"][0];
        let ids = |list: &Value, name: &str| {
            let list = list.as_array().unwrap().iter();
            list.map(|one| one[name].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&run["tool"]["driver"]["rules"], "id"), ids(&run["results"], "ruleId"));
        assert_eq!(run["results"][1]["level"], "error");
        assert_eq!(run["results"][4]["kind"], "notApplicable");
        let place = &run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(place["uri"], "https://mcp.example.com/mcp");
    }
}
