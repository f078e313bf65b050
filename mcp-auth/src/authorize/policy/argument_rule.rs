//! Which calls a rule about arguments applies to, and what is wrong with it.

use serde_json::{Map, Number, Value};

use crate::claim_path::{is_path, value_at_path};
use crate::config::{ArgumentRule, Faults};
use crate::number::{integer_value, is_same_number};

/// What is known of the arguments that a rule is about.
#[derive(Clone, Copy)]
pub(super) enum Arguments<'a> {
    /// The arguments of a call.
    OfCall(&'a Map<String, Value>),
    /// What the client of `completion/complete` says it has chosen. It may call with something else in
    /// the end, so that `unless` never applies to it.
    Chosen(&'a Map<String, Value>),
}

impl ArgumentRule {
    /// Whether these arguments need the scopes of this rule.
    pub(super) fn applies_to(&self, arguments: Arguments<'_>) -> bool {
        let (Arguments::OfCall(members) | Arguments::Chosen(members)) = arguments;
        let value = value_at_path(members, &self.argument);
        if let Some(exempt) = &self.unless {
            let is_exempt = value.is_some_and(|present| is_same(exempt, present));
            return !is_exempt || matches!(arguments, Arguments::Chosen(_));
        }
        let Some(value) = value else { return false };
        if let Some(expected) = &self.equals {
            return may_be_read_as(expected, value);
        }
        match &self.starts_with {
            Some(start) => value.as_str().is_some_and(|text| text.starts_with(start.as_str())),
            None => true,
        }
    }

    /// Adds what is wrong with the rule to the faults.
    pub(super) fn check(&self, faults: &mut Faults<'_>) {
        if self.argument.is_empty() {
            faults.add_here("`argument` must be set");
        }
        if !is_path(&self.argument) {
            let argument = &self.argument;
            faults.add_here(format!(
                "{argument:?} is no JSON Pointer: `~` is written `~0`, and `/` in a name `~1` (RFC 6901)"
            ));
        }
        if self.scopes.is_empty() {
            faults.add_here("`scopes` must be set");
        }
        let conditions = [self.equals.is_some(), self.starts_with.is_some(), self.unless.is_some()];
        if conditions.into_iter().filter(|is_set| *is_set).count() > 1 {
            faults.add_here(
                "`equals`, `starts_with` and `unless` stand alone; write one rule for each",
            );
        }
        if [&self.equals, &self.unless].into_iter().flatten().any(has_inexact_number) {
            faults.add_here(
                "an integer of more than 64 bits is read differently by different servers, and would be refused in a call",
            );
        }
    }
}

/// Whether two values are the same: numbers by their value, however they are written, also inside
/// lists and objects.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => is_same_number(one, other),
        (Value::Array(one), Value::Array(other)) => all_items_agree(one, other, is_same),
        (Value::Object(one), Value::Object(other)) => all_members_agree(one, other, is_same),
        _ => one == other,
    }
}

/// Whether the value is the expected one for some reader: JavaScript rounds integers that a double cannot
/// hold, so that it reads 9007199254740993 as 9007199254740992.
fn may_be_read_as(expected: &Value, value: &Value) -> bool {
    match (expected, value) {
        (Value::Number(expected), Value::Number(number)) => {
            is_same_number(expected, number)
                || (is_rounded_by_double(number) && expected.as_f64() == number.as_f64())
        }
        (Value::Array(expected), Value::Array(value)) => {
            all_items_agree(expected, value, may_be_read_as)
        }
        (Value::Object(expected), Value::Object(value)) => {
            all_members_agree(expected, value, may_be_read_as)
        }
        _ => expected == value,
    }
}

/// Whether two lists are of one length, and the items at each position agree.
fn all_items_agree(one: &[Value], other: &[Value], agree: fn(&Value, &Value) -> bool) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(item, paired)| agree(item, paired))
}

/// Whether two objects have members of the same names, and those of each name agree.
fn all_members_agree(
    one: &Map<String, Value>,
    other: &Map<String, Value>,
    agree: fn(&Value, &Value) -> bool,
) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .all(|(name, member)| other.get(name).is_some_and(|namesake| agree(member, namesake)))
}

/// Whether it is an integer that a double does not hold exactly.
fn is_rounded_by_double(number: &Number) -> bool {
    let (Some(integer), Some(double)) = (integer_value(number), number.as_f64()) else {
        return false;
    };
    // Beyond 128 bits a double is what was written.
    double as i128 != integer
}

/// Whether it holds an integer that became a double because nothing else holds it.
fn has_inexact_number(value: &Value) -> bool {
    match value {
        Value::Number(number) if number.is_f64() => {
            number.as_f64().is_some_and(|double| double.fract() == 0.0 && double.abs() >= 1.8e19)
        }
        Value::Array(items) => items.iter().any(has_inexact_number),
        Value::Object(members) => members.values().any(has_inexact_number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let same = [
            (json!(1), json!(1.0)),
            (json!(0), json!(-0.0)),
            (json!([1, { "a": 2 }]), json!([1.0, { "a": 2.0 }])),
            (json!(u64::MAX), json!(u64::MAX)),
            (json!(0.5), json!(0.5)),
        ];
        for (one, other) in same {
            assert!(is_same(&one, &other) && is_same(&other, &one), "{one} {other}");
        }
        let different = [
            (json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_993_u64)),
            (json!(9_007_199_254_740_992.0), json!(9_007_199_254_740_993_u64)),
            (json!(i64::MIN), json!(i64::MIN + 1)),
            (json!(u64::MAX), json!(18_446_744_073_709_551_616.0)),
            (json!(1), json!("1")),
            (json!(1), json!(1.5)),
            (json!([1]), json!([1, 1])),
            (json!({ "a": 1 }), json!({ "b": 1 })),
            (json!({ "a": 1 }), json!({ "a": 1, "b": 1 })),
            (json!(null), json!(false)),
        ];
        for (one, other) in different {
            assert!(!is_same(&one, &other) && !is_same(&other, &one), "{one} {other}");
        }
    }

    #[test]
    fn what_javascript_rounds_to_the_expected_integer_counts_as_it() {
        let rule = |value: u64| ArgumentRule::new("a", ["s"]).equals(value);
        let applies = |rule: &ArgumentRule, value: u64| {
            let arguments = json!({ "a": [value] });
            let list = rule.clone().equals(json!([rule.equals]));
            let in_list = list.applies_to(Arguments::OfCall(arguments.as_object().unwrap()));
            let arguments = json!({ "a": value });
            let alone = rule.applies_to(Arguments::OfCall(arguments.as_object().unwrap()));
            assert_eq!(alone, in_list);
            alone
        };
        assert!(applies(&rule(9_007_199_254_740_992), 9_007_199_254_740_993));
        assert!(!applies(&rule(9_007_199_254_740_993), 9_007_199_254_740_992));
        assert!(!applies(&rule(9_007_199_254_740_992), 9_007_199_254_740_994));
        let unless = ArgumentRule::new("a", ["s"]).unless(9_007_199_254_740_992_u64);
        let arguments = json!({ "a": 9_007_199_254_740_993_u64 });
        assert!(unless.applies_to(Arguments::OfCall(arguments.as_object().unwrap())));
    }

    #[test]
    fn what_javascript_rounds_counts_within_lists_and_objects_too() {
        let (rounded, written) = (9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64);
        let nested = |number: u64| json!({ "a": [{ "b": number }], "c": true });
        assert!(may_be_read_as(&nested(rounded), &nested(written)));
        assert!(!may_be_read_as(&nested(written), &nested(rounded)));
        assert!(!may_be_read_as(&nested(rounded), &json!({ "a": [{ "b": rounded }], "c": false })));
    }

    #[test]
    fn an_integer_that_nothing_holds_is_a_fault_wherever_it_is() {
        let inexact = ["18446744073709551616", "-18446744073709551616", "1e30"];
        let exact =
            ["18446744073709551615", "-9223372036854775808", "0.5", "1.0", "1e10", "\"1e30\""];
        let rows =
            inexact.map(|text| (text, true)).into_iter().chain(exact.map(|text| (text, false)));
        for (text, expected) in rows {
            for written in
                [text.to_owned(), format!("[1, {text}]"), format!(r#"{{"a": [{text}]}}"#)]
            {
                let value: Value = serde_json::from_str(&written).unwrap();
                assert_eq!(has_inexact_number(&value), expected, "{written}");
            }
        }
    }

    #[test]
    fn a_chosen_argument_asks_for_scopes_and_frees_from_none() {
        let arguments = json!({ "mode": "write", "dry_run": true });
        let arguments = arguments.as_object().unwrap();
        let equals = ArgumentRule::new("mode", ["s"]).equals("write");
        let unless = ArgumentRule::new("dry_run", ["s"]).unless(true);
        assert!(equals.applies_to(Arguments::OfCall(arguments)));
        assert!(equals.applies_to(Arguments::Chosen(arguments)));
        assert!(!unless.applies_to(Arguments::OfCall(arguments)));
        assert!(unless.applies_to(Arguments::Chosen(arguments)));
    }

    #[test]
    fn null_is_a_value() {
        let rule: ArgumentRule =
            serde_json::from_value(json!({ "argument": "a", "unless": null, "scopes": "s" }))
                .unwrap();
        assert_eq!(rule.unless, Some(Value::Null));
        let (null, absent) = (json!({ "a": null }), json!({}));
        let applies =
            |arguments: &Value| rule.applies_to(Arguments::OfCall(arguments.as_object().unwrap()));
        assert!(!applies(&null) && applies(&absent));
        let again = serde_json::to_value(&rule).unwrap();
        assert_eq!(serde_json::from_value::<ArgumentRule>(again).unwrap(), rule);
        let rule = ArgumentRule::new("a", ["s"]);
        let again = serde_json::to_value(&rule).unwrap();
        assert_eq!(serde_json::from_value::<ArgumentRule>(again).unwrap(), rule);
    }
}
