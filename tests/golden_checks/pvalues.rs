//! p-values of 60-digit arithmetic: tails, combination, multiplicity, all on log10 p and far below the smallest double.

use crate::load::{integer, list, number};
use serde_json::Value;
use std::f64::consts::LN_10;
use stillhunt::stats;

const TOLERANCE: f64 = 1e-12;

/// Every section of the file.
pub(crate) fn check(file: &Value) {
    let count = |row: &Value, name: &str| u64::try_from(integer(&row[name])).expect("a count");
    for row in list(file, "binomial_upper_tail") {
        let (k, n, p) = (count(row, "k"), count(row, "n"), number(&row["gamma"]));
        equal(stats::ln_binomial_upper(k, n, p), log10(row), row);
        equal_digits(stats::ln_binomial_mid(k, n, p), &row["midp"], row);
    }
    for section in ["gamma_upper_tail_integer_shape", "gamma_upper_tail_real_shape"] {
        for row in list(file, section) {
            equal(stats::ln_gamma_upper(number(&row["shape"]), number(&row["x"])), log10(row), row);
        }
    }
    for row in list(file, "normal_sf") {
        equal(stats::ln_normal_sf(number(&row["z"])), log10(row), row);
    }
    for row in list(file, "fisher_combination") {
        let ln_p: Vec<f64> = list(row, "ps").iter().map(|p| number(p).ln()).collect();
        assert_eq!(integer(&row["dof"]), 2 * ln_p.len() as i128, "{row}");
        let (sum, expected) = (-2.0 * ln_p.iter().sum::<f64>(), parse(&row["stat"]));
        assert!((sum - expected).abs() <= TOLERANCE * expected, "{row}: {sum}");
        equal(stats::fisher_combination(&ln_p), log10(row), row);
    }
    for row in list(file, "multiplicity") {
        let (ln_p, m) = (number(&row["p"]).ln(), count(row, "M"));
        equal_digits(stats::sidak(ln_p, m), &row["sidak"], row);
        equal_digits(stats::bonferroni(ln_p, m), &row["bonferroni"], row);
        equal_digits(stats::three_bricks_adjust(ln_p, m), &row["three_bricks"], row);
    }
}

/// `ln_p` against a log10 p.
#[track_caller]
fn equal(ln_p: f64, expected: f64, row: &Value) {
    let got = ln_p / LN_10;
    assert!(got == expected || (got - expected).abs() <= TOLERANCE * expected.abs(), "{row}: {got} and not {expected}");
}

/// `ln_p` against a p of 22 digits or more, which writes 1 - 1e-44 as 1.
#[track_caller]
fn equal_digits(ln_p: f64, p: &Value, row: &Value) {
    let (got, expected) = (ln_p / LN_10, log10_of(p));
    assert!(
        got == expected || (got - expected).abs() <= TOLERANCE * expected.abs() + 1e-22,
        "{row}: {got} and not {expected}"
    );
}

/// The stored log10 p.
fn log10(row: &Value) -> f64 {
    parse(&row["log10p"])
}

/// A number, in quotes or not.
fn parse(value: &Value) -> f64 {
    value.as_str().map_or_else(|| number(value), |text| text.parse().expect("a number"))
}

/// log10 of a decimal that may lie below the smallest double, or so near 1 that only its distance from 1 has digits.
fn log10_of(value: &Value) -> f64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (digits, exponent): (f64, f64) = (digits.parse().expect("digits"), exponent.parse().expect("an exponent"));
    let near_one = (0.5..1.0).contains(&(digits * 10f64.powf(exponent)));
    if near_one { libm::log1p(-shortfall(&text)) / LN_10 } else { digits.log10() + exponent }
}

/// 1 less a decimal in [0.5, 1) written as d.ddd e-1 or 0.ddd: from the nines' complement of its digits, so without cancellation.
fn shortfall(text: &str) -> f64 {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let plain: String = digits.chars().filter(char::is_ascii_digit).collect();
    let point = digits.find('.').unwrap_or(digits.len()) as i32 + exponent.parse::<i32>().expect("an exponent");
    // Below 1 the digits before the point are zeros; what is left is a fraction.
    let fraction = if point >= 0 { plain[point as usize..].to_owned() } else { "0".repeat(-point as usize) + &plain };
    let nines: String = fraction.chars().map(|digit| char::from(b'9' - (digit as u8 - b'0'))).collect();
    format!("0.{nines}").parse::<f64>().expect("a fraction") + 10f64.powi(-(fraction.len() as i32))
}
