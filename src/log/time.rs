//! Times as logs write them, to microseconds.
//!
//! Text: RFC 3339 with or without a zone (then UTC), with a space for the T, a date alone, RFC 2822 and HTTP dates, and the
//! forms of Apache (`21/Nov/2026:10:00:00 +0000`), of `date` with an offset (`Sat Nov 21 10:00:00 +0000 2026`) and of JavaScript
//! (`Sat Nov 21 2026 10:00:00 GMT+0000 (Coordinated Universal Time)`), of .NET (`/Date(1795255200123)/`), of Kibana (`Nov 21, 2026 @ 10:00:00.123`)
//! and of the Azure portal (`11/21/2026, 10:00:00.123 AM`: with AM or PM in capitals the month stands first). Numbers
//! and digit strings: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size. Everything outside
//! 1990 to 2099 is refused: a log of a served model is not from there, and the bound is what makes the unit of a number
//! unambiguous. Weakness: a form whose day and month could be swapped is refused, not guessed.

use crate::ids::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

/// 1990-01-01 and 2100-01-01, in seconds.
const RANGE: std::ops::Range<i128> = 631_152_000..4_102_444_800;

/// The moment that a value of a log stands for.
///
/// # Example
/// ```
/// use stillhunt::log::parse_time;
/// let time = parse_time(&"2026-11-21 10:00:00.5".into()).unwrap();
/// assert_eq!(time.to_string(), "2026-11-21T10:00:00.5Z");
/// assert_eq!(parse_time(&1_795_255_200_500_i64.into()), Some(time));
/// assert_eq!(parse_time(&"11/21/2026".into()), None);
/// ```
#[must_use]
pub fn parse_time(value: &Value) -> Option<Time> {
    match value {
        Value::Number(number) => digits(&number.to_string()),
        Value::String(text) if text.len() <= 80 => {
            let text = text.trim();
            let bare = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")).unwrap_or(text);
            digits(bare).or_else(|| written(text))
        }
        _ => None,
    }
}

/// A count of seconds, milliseconds, microseconds or nanoseconds, with or without decimals.
fn digits(text: &str) -> Option<Time> {
    if text.contains(['e', 'E']) {
        // Only a float above 10^16 is printed so: microseconds or finer, whole already.
        let value: f64 = text.parse().ok()?;
        return (value.is_finite() && value.abs() < 1e19).then(|| scaled(value as i128, 0))?;
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 20 || !plain(whole) || !plain(decimals) {
        return None;
    }
    let mut nanos = 0;
    for i in 0..9 {
        nanos = nanos * 10 + i128::from(decimals.as_bytes().get(i).map_or(0, |b| b - b'0'));
    }
    scaled(whole.parse().ok()?, nanos)
}

/// A number of seconds or of smaller units, told apart by its size.
fn scaled(whole: i128, billionths: i128) -> Option<Time> {
    let per_second = [1, 1_000, 1_000_000, 1_000_000_000].into_iter().find(|unit| RANGE.contains(&(whole / unit)))?;
    Time::new(i64::try_from((whole * 1_000_000_000 + billionths) / per_second / 1_000).ok()?)
}

/// A written date.
fn written(text: &str) -> Option<Time> {
    let utc = |civil: DateTime| jiff::tz::Offset::UTC.to_timestamp(civil).ok();
    let zoned = |format: &str| jiff::fmt::strtime::parse(format, text).ok()?.to_timestamp().ok();
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let joined = || {
        // `2026-11-21 10:00:00 +00:00`: the offset may stand apart.
        let (stamp, offset) = text.rsplit_once(' ')?;
        offset.starts_with(['+', '-']).then(|| format!("{stamp}{offset}").parse::<Timestamp>().ok())?
    };
    let stamp = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
        .or_else(joined)
        .or_else(|| jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok())
        .or_else(|| zoned("%d/%b/%Y:%H:%M:%S %z"))
        .or_else(|| zoned("%a %b %d %H:%M:%S %z %Y"))
        .or_else(|| {
            // JavaScript's own form names the zone once more, in brackets.
            let stamp = text.split_once(" (").map_or(text, |(stamp, _)| stamp);
            jiff::fmt::strtime::parse("%a %b %d %Y %H:%M:%S GMT%z", stamp).ok()?.to_timestamp().ok()
        })
        .or_else(|| {
            let forms: &[&str] = if text.ends_with(" AM") || text.ends_with(" PM") {
                &["%m/%d/%Y, %I:%M:%S%.f %p", "%m/%d/%Y %I:%M:%S%.f %p"]
            } else {
                &["%b %d, %Y @ %H:%M:%S%.f"]
            };
            forms.iter().find_map(|form| jiff::fmt::strtime::parse(form, text).ok()?.to_datetime().ok().and_then(utc))
        })?;
    RANGE.contains(&i128::from(stamp.as_second())).then(|| Time::new(stamp.as_microsecond()))?
}
