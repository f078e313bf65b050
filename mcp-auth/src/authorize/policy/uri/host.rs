//! The host of a URI: the part for which readers have the most spellings.

use percent_encoding::percent_decode_str;

use super::escapes::NOT_UTF8;
use super::{REST, SEGMENT};

/// Checks the host of a scheme that the URL standard has no rules for. What some readers cut off, decode or map is
/// refused.
pub(super) fn check_host(host: &str) -> Result<(), &'static str> {
    if host.contains([':', '@']) {
        return Err(
            "a user, a password or a port: write the host alone, and such values into the \
                    path",
        );
    }
    if host.contains("%5B") || host.contains("%5D") {
        return Err("brackets in the host");
    }
    // Some servers cut off what comes after a semicolon first.
    let name = host.split(';').next().unwrap_or(host);
    if name.ends_with('.') {
        return Err("a host with a dot at its end: leave it out");
    }
    if host.split('.').any(|label| label.starts_with("xn--")) {
        return Err("a host in Punycode: write its letters");
    }
    Ok(())
}

/// Whether some readers write the letters of the host otherwise. Signs may become delimiters, and are
/// refused.
pub(super) fn has_other_forms(host: &str) -> Result<bool, &'static str> {
    let decoded = percent_decode_str(host).decode_utf8().map_err(|_| NOT_UTF8)?;
    let mut has_others = false;
    for letter in decoded.chars() {
        if letter.is_ascii() || has_one_form(letter) {
            continue;
        }
        let is_accent = matches!(letter, '\u{300}'..='\u{36f}');
        if !letter.is_alphabetic() && !is_accent {
            return Err("signs in the host: write such names into the path");
        }
        has_others = true;
    }
    Ok(has_others)
}

/// Letters that lower case, NFKC and the mapping of IDNA (UTS 46) leave alone, and that join with
/// nothing before them. Of other scripts too little is known here to tell.
fn has_one_form(letter: char) -> bool {
    let is_latin_extended =
        matches!(letter, 'ā'..='ž') && letter.is_lowercase() && !matches!(letter, 'ĳ' | 'ŀ' | 'ŉ');
    is_latin_extended
        || matches!(letter, 'à'..='ö' | 'ø'..='ÿ' | 'ά'..='ί' | 'α'..='ρ' | 'σ'..='ώ')
        || matches!(letter, 'а'..='џ' | 'א'..='ת' | 'ء'..='غ' | 'ف'..='ي')
        || matches!(letter, 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣')
}

/// Whether the host of a special scheme is written as the URL standard writes it.
pub(super) fn check_special_host(scheme: &str, authority: &str) -> Result<(), &'static str> {
    // Braces are what a template has there.
    let plain = authority.replace("%7B", "").replace("%7D", "");
    let (host, port) = plain.split_once(':').unwrap_or((&plain, "1"));
    if authority.is_empty() || authority.starts_with(':') {
        return Err("no host");
    }
    if !host.bytes().all(is_byte_of_special_host) || host.ends_with('.') || host.starts_with('.') {
        return Err(
            "a host that the URL standard writes otherwise, or a user: write letters a to z, \
                    digits, `-` and `.`",
        );
    }
    // What ends in a number is an IPv4 address in one of many spellings.
    let last = host.rsplit('.').next().unwrap_or(host);
    let is_number = last.starts_with(|first: char| first.is_ascii_digit());
    let is_address = host.split('.').count() == 4 && host.split('.').all(is_decimal_byte);
    if is_number && !is_address && !host.bytes().any(is_mark) {
        return Err("an IP address in another form: write four decimal numbers");
    }
    let default = match scheme {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => "21",
    };
    let is_open = port.bytes().any(is_mark)
        && port.bytes().all(|byte| byte.is_ascii_digit() || is_mark(byte));
    let is_port = port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    if port == default || port.starts_with('0') || !(is_port || is_open) {
        return Err("a port that the URL standard writes otherwise: leave out what is the default");
    }
    Ok(())
}

/// Whether the byte stands for a variable of a pattern.
fn is_mark(byte: u8) -> bool {
    matches!(char::from(byte), SEGMENT | REST)
}

fn is_byte_of_special_host(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte) || is_mark(byte)
}

/// Whether it is a number from 0 to 255, without zeros before it.
fn is_decimal_byte(part: &str) -> bool {
    part.parse::<u8>().is_ok() && (part == "0" || !part.starts_with('0'))
}
