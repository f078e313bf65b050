//! SARIF 2.1.0, as code scanning reads it: what does not hold, a rule for each, and a file of the repository's as the place.

use serde_json::{Value, json};

use super::{Finding, Inert, Report, Verdict};

pub(super) fn render(report: &Report) -> String {
    let broken: Vec<_> = report.findings.iter().filter(|one| one.is_broken()).collect();
    let mut invocation = json!({ "executionSuccessful": report.checked });
    if !report.checked {
        let why = match report.note.is_empty() {
            true => report.verdict.clone(),
            false => format!("{} {}", report.verdict, report.note),
        };
        let message = json!({ "text": Inert::of(&why).sarif() });
        invocation["toolExecutionNotifications"] =
            json!([{ "level": "error", "message": message }]);
    }
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": format!("mcp-auth {}", report.command),
                "version": env!("CARGO_PKG_VERSION"),
                "rules": report.findings.iter().map(rule).collect::<Vec<_>>(),
            } },
            "invocations": [invocation],
            "results": broken.into_iter().map(|one| result(one, report)).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn rule(finding: &Finding) -> Value {
    let advice = if finding.fix.is_empty() { finding.expected } else { finding.fix };
    let advice = if advice.is_empty() { finding.title } else { advice };
    json!({
        "id": finding.id,
        "shortDescription": { "text": finding.title },
        "help": { "text": advice },
        "properties": { "requirement": finding.requirement, "level": finding.level },
    })
}

fn result(finding: &Finding, report: &Report) -> Value {
    let level = match finding.verdict {
        Verdict::Fail => "error",
        Verdict::Warn => "warning",
        _ => "note",
    };
    let actual = Inert::of(&finding.actual).sarif();
    let subject = Inert::of(&report.subject).sarif();
    let text =
        format!("{}: expected {}, actual {actual}, at {subject}", finding.title, finding.expected);
    let mut result = json!({
        "ruleId": finding.id,
        "level": level,
        "message": { "text": text },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": place_of(&report.subject) },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{ "fullyQualifiedName": report.subject, "kind": "resource" }],
        }],
        "partialFingerprints": { "mcpAuthFinding/v1": format!("{} {}", finding.id, report.subject) },
    });
    if finding.ignored {
        result["suppressions"] = json!([{ "kind": "external" }]);
    }
    result
}

/// A place of the form that code scanning takes: a path in the repository, without a scheme. The URL is in
/// the logical location.
fn place_of(subject: &str) -> String {
    let rest = subject.split_once("://").map_or(subject, |(_, rest)| rest);
    let mut path = String::new();
    for character in rest.chars() {
        let is_plain =
            character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | '/');
        path.push(if is_plain { character } else { '_' });
    }
    format!("mcp-auth/{}", path.trim_matches('/').replace("..", "__"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    fn rendered(report: &Report) -> Value {
        serde_json::from_str(&render(report)).unwrap()
    }

    #[test]
    fn what_does_not_hold_is_a_result_with_a_rule_and_a_place_that_is_no_url() {
        let mut report = sample();
        report.findings[2].ignored = true;
        let document = rendered(&report);
        assert_eq!(shape_faults(&document), Vec::<String>::new());
        let results = document["runs"][0]["results"].as_array().unwrap();
        let levels: Vec<_> = results.iter().map(|one| one["level"].as_str().unwrap()).collect();
        assert_eq!(levels, ["error", "warning", "note"]);
        assert_eq!(results[1]["suppressions"][0]["kind"], "external");
        let place = &results[0]["locations"][0];
        let uri = &place["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(uri, "mcp-auth/mcp.example.com/mcp");
        let name = &place["logicalLocations"][0]["fullyQualifiedName"];
        assert_eq!(name, "https://mcp.example.com/mcp");
    }

    #[test]
    fn what_could_not_be_judged_is_a_notification_and_no_result() {
        let report =
            Report::unjudged("check server", "https://h.example".to_owned(), "gone [x]".to_owned());
        let document = rendered(&report);
        assert_eq!(shape_faults(&document), Vec::<String>::new());
        let invocation = &document["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        let text = &invocation["toolExecutionNotifications"][0]["message"]["text"];
        assert_eq!(text, "gone \\[x\\]");
    }

    #[test]
    fn a_place_leads_nowhere_else() {
        let rows = [
            ("https://h.example/../../etc", "mcp-auth/h.example/__/__/etc"),
            ("http://127.0.0.1:3000/mcp?a=b c", "mcp-auth/127.0.0.1_3000/mcp_a_b_c"),
            ("javascript:alert(1)", "mcp-auth/javascript_alert_1_"),
        ];
        for (subject, expected) in rows {
            assert_eq!(place_of(subject), expected);
        }
    }

    /// What the schema of SARIF 2.1.0 and code scanning ask of the members that are written here.
    fn shape_faults(document: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                faults.push(what.to_owned());
            }
        };
        let only = |value: &Value, names: &[&str]| {
            value.as_object().is_some_and(|all| all.keys().all(|name| names.contains(&&**name)))
        };
        let has_text = |value: &Value| value["text"].as_str().is_some_and(|text| !text.is_empty());
        let run = &document["runs"][0];
        let driver = &run["tool"]["driver"];
        expect(document["version"] == "2.1.0", "version");
        expect(only(document, &["$schema", "version", "runs"]), "members of the document");
        expect(only(run, &["tool", "invocations", "results"]), "members of a run");
        expect(only(driver, &["name", "version", "rules"]), "members of the driver");
        expect(driver["name"].is_string() && driver["version"].is_string(), "driver");
        for invocation in run["invocations"].as_array().unwrap() {
            let names = ["executionSuccessful", "toolExecutionNotifications"];
            expect(only(invocation, &names), "members of an invocation");
            expect(invocation["executionSuccessful"].is_boolean(), "executionSuccessful");
            for note in invocation["toolExecutionNotifications"].as_array().into_iter().flatten() {
                expect(has_text(&note["message"]) && note["level"] == "error", "notification");
            }
        }
        let mut ids = Vec::new();
        for rule in driver["rules"].as_array().unwrap() {
            let names = ["id", "shortDescription", "help", "properties"];
            expect(only(rule, &names), "members of a rule");
            expect(
                has_text(&rule["shortDescription"]) && has_text(&rule["help"]),
                "texts of a rule",
            );
            expect(!ids.contains(&&rule["id"]), "a rule twice");
            ids.push(&rule["id"]);
        }
        for result in run["results"].as_array().unwrap() {
            let names =
                ["ruleId", "level", "message", "locations", "partialFingerprints", "suppressions"];
            expect(only(result, &names), "members of a result");
            expect(ids.contains(&&result["ruleId"]), "a result without a rule");
            let level = result["level"].as_str().unwrap();
            expect(["none", "note", "warning", "error"].contains(&level), "level");
            expect(has_text(&result["message"]), "message");
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            expect(!uri.contains(':') && !uri.starts_with('/') && !uri.contains(' '), "place");
            expect(place["region"]["startLine"] == 1, "region");
            let fingerprints = result["partialFingerprints"].as_object().unwrap();
            expect(fingerprints.values().all(Value::is_string), "fingerprints");
            for suppression in result["suppressions"].as_array().into_iter().flatten() {
                let kind = suppression["kind"].as_str().unwrap();
                expect(["inSource", "external"].contains(&kind), "suppression");
            }
        }
        faults
    }
}
