//! Lengths of time and sizes as people write them.

use std::time::Duration;

/// The longest span that is taken, a hundred years.
const MAX_SPAN: Duration = Duration::from_secs(36_525 * 86_400);

/// Reads a length of time such as `30s`, `5m`, `2d` or `1h30m`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let expected = "a length of time such as 30s, 5m, 2d or 1h30m";
    match humantime::parse_duration(text.trim()) {
        Ok(span) if span > MAX_SPAN => Err(format!("`{text}` is longer than a hundred years")),
        Ok(span) => Ok(span),
        Err(_) => Err(format!("`{text}` is not {expected}")),
    }
}

/// Reads a size in bytes such as `1048576`, `512 KiB` or `8 MiB`.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let wrong = || format!("`{text}` is not a size such as 512 KiB, 8 MiB or a number of bytes");
    let text = text.trim();
    let digits = text.trim_end_matches(|it: char| !it.is_ascii_digit());
    let factor: usize = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" | "kb" => 1 << 10,
        "mib" | "m" | "mb" => 1 << 20,
        "gib" | "g" | "gb" => 1 << 30,
        _ => return Err(wrong()),
    };
    let count: usize = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!(parse_span("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_span("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_span(" 2d "), Ok(Duration::from_secs(172_800)));
        assert!(parse_span("5").unwrap_err().contains("such as 30s"));
        assert!(parse_span("-5s").is_err());
        assert!(parse_span("900y").unwrap_err().contains("hundred years"));
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("1048576"), Ok(1 << 20));
        assert_eq!(parse_size("8 MiB"), Ok(8 << 20));
        assert_eq!(parse_size("512k"), Ok(512 << 10));
        assert!(parse_size("").is_err());
        assert!(parse_size("-1").is_err());
        assert!(parse_size("99999999999999999 GiB").is_err());
    }
}
