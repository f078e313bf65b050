//! Numbers of JSON, compared by what they mean.

use serde_json::Number;

/// Integers are compared as integers: a double cannot tell 9007199254740992 from 9007199254740993.
pub(crate) fn is_same_number(one: &Number, other: &Number) -> bool {
    match (integer_value(one), integer_value(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.as_f64() == other.as_f64(),
        _ => false,
    }
}

/// The integer that a number is, if it is one: `1.0` and `-0` are.
pub(crate) fn integer_value(number: &Number) -> Option<i128> {
    /// Doubles below it convert exactly.
    const LIMIT: f64 = 1e38;
    if let Some(unsigned) = number.as_u64() {
        return Some(unsigned.into());
    }
    if let Some(signed) = number.as_i64() {
        return Some(signed.into());
    }
    let double = number.as_f64()?;
    (double.fract() == 0.0 && double.abs() < LIMIT).then_some(double as i128)
}
