//! Times as people read them.

/// Seconds that are taken for a time: from 2001 to 2100. Other numbers stay as they are.
const TIMES: std::ops::Range<u64> = 1_000_000_000..4_102_444_800;

/// The text with the date behind every number in it that is a time.
pub(super) fn with_dates(text: &str) -> String {
    let mut dated = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        dated += &digits;
        if let Some(seconds) = digits.parse::<u64>().ok().filter(|one| TIMES.contains(one)) {
            dated += &format!(" ({})", date(seconds));
        }
        digits.clear();
        if character != '\0' {
            dated.push(character);
        }
    }
    dated
}

/// In UTC, such as `2026-11-28 02:46:05 UTC`.
pub(crate) fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut day) = (1970, days);
    while day >= days_in_year(year) {
        day -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while day >= days_in_month(month, year) {
        day -= days_in_month(month, year);
        month += 1;
    }
    let (hours, minutes, left) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{:02} {hours:02}:{minutes:02}:{left:02} UTC", day + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(month: u64, year: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        let rows = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_795_533_421, "2026-11-24 15:17:01 UTC"),
            (4_102_444_799, "2099-12-31 23:59:59 UTC"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn a_number_in_a_text_gets_its_date_where_it_is_a_time() {
        let rows = [
            ("exp after 1795533522", "exp after 1795533522 (2026-11-24 15:18:42 UTC)"),
            ("1795533421, in 0 s", "1795533421 (2026-11-24 15:17:01 UTC), in 0 s"),
            ("port 8080, 99999999999999999999", "port 8080, 99999999999999999999"),
        ];
        for (text, expected) in rows {
            assert_eq!(with_dates(text), expected);
        }
    }
}
