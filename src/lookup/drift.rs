//! Alarms: what a night of rings has that the nights before it had not.
//!
//! The idea: a test is only as good as what it stands on, and traffic changes. Numbers of the newest day are held against the largest and smallest of the 28 days before; a day that is
//! twice beyond all of them is told, in a sentence. Without any drift a day beyond all of n others comes once in n + 1 days and number, so the factor of two keeps the rest quiet. Weakness: what drifts
//! by a little every day is never told. Guarantee: an alarm changes nothing but the sentence; only what says that e-values are none makes a list invalid, and that is in `why`.

use crate::ring::walk::DayRecord;

/// Days before the newest that it is held against, and how many there must be.
const TRAILING: usize = 28;
const LEAST_DAYS: usize = 7;
/// How far beyond all of them a number is told.
const FACTOR: f64 = 2.0;
/// Share of families without a fit below which nothing is told.
const FEW_LEFT_OUT: f64 = 0.01;
/// Mean of e-values on days without coordination from which on they are none: the mean of e-values is one itself, and reaches 20 in one case of twenty.
pub(super) const NO_E_VALUES: f64 = 20.0;

/// The alarms of the newest of these days; `placebo_e` is the mean of the e-values of placebo walks, and `planted` the accounts of a planted campaign and how many of them are listed.
pub(super) fn alarms(days: &[DayRecord], placebo_e: Option<f64>, planted: (u64, u64)) -> Vec<String> {
    let mut out = Vec::new();
    let Some((newest, before)) = days.split_last() else { return out };
    let trailing = &before[before.len().saturating_sub(TRAILING)..];
    if trailing.len() >= LEAST_DAYS {
        let range = |of: &dyn Fn(&DayRecord) -> f64| {
            let all = trailing.iter().map(of);
            all.fold((f64::INFINITY, 0.0f64), |(least, most), value| (least.min(value), most.max(value)))
        };
        let n = trailing.len();
        let (least, most) = range(&|day| day.proposed as f64);
        let proposed = newest.proposed as f64;
        if proposed > FACTOR * most || FACTOR * proposed < least {
            out.push(format!("{proposed} groups were proposed, on the {n} days before {least} to {most}"));
        }
        let share = |day: &DayRecord| day.left_out as f64 / ((day.families + day.left_out) as f64).max(1.0);
        let (_, most) = range(&share);
        if share(newest) > FEW_LEFT_OUT.max(FACTOR * most) {
            let (own, most) = (100.0 * share(newest), 100.0 * most);
            out.push(format!(
                "the null fits {own:.1}% of the families not, on the {n} days before {most:.1}% at most; they carry no evidence"
            ));
        }
        let (_, most) = range(&|day| day.residual);
        // What converges is below 10⁻⁹ at all times, and moves freely there.
        if newest.residual > 1e-9 && newest.residual > FACTOR * most {
            out.push(format!(
                "the null's largest residual is {:.1e}, on the {n} days before {most:.1e}",
                newest.residual
            ));
        }
    }
    if newest.cut > 0 {
        out.push(format!("{} groups were not proposed, since a day proposes a bounded number", newest.cut));
    }
    if let Some(mean) = placebo_e.filter(|mean| *mean > 1.0) {
        out.push(format!(
            "the e-values of placebo walks have a mean of {mean:.1} over four weeks, and should have 1 at most: the null is too narrow for this traffic"
        ));
    }
    // A day proposes and later ones confirm, so a walk needs three days.
    let (accounts, found) = planted;
    if days.len() >= 3 && 2 * found < accounts {
        out.push(format!("of {accounts} accounts of a planted campaign {found} are listed: a true one of its strength would be missed"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::alarms;
    use crate::ring::walk::DayRecord;

    fn day(day: i32, proposed: u64, left_out: u64) -> DayRecord {
        DayRecord {
            day,
            accounts: 1_000,
            families: 500,
            residual: 1e-10,
            left_out,
            tested: 10,
            tests: 10,
            sum_e: 3.0,
            proposed,
            cut: 0,
            frozen: [0; 32],
        }
    }

    #[test]
    fn a_day_beyond_all_before_it_is_told_and_no_other() {
        let mut days: Vec<DayRecord> = (0..30).map(|n| day(n, 100 + n as u64, n as u64 % 3)).collect();
        assert!(alarms(&days, Some(0.3), (30, 29)).is_empty());
        // The first two days are out of sight.
        days[0].proposed = 9_000;
        days.push(day(30, 300, 40));
        let told = alarms(&days, Some(0.3), (30, 29));
        assert!(told.len() == 2 && told[0].contains("300 groups") && told[0].contains("102 to 129"), "{told:?}");
        assert!(told[1].contains("7.4%") && told[1].contains("0.4%"), "{told:?}");
        days.truncate(30);
        days.push(DayRecord { proposed: 50, cut: 7, ..day(30, 50, 0) });
        let told = alarms(&days, Some(1.5), (30, 14));
        assert!(told[0].contains("50 groups") && told[1].starts_with("7 groups"), "{told:?}");
        assert!(told[2].contains("1.5") && told[3].contains("14 are listed") && told.len() == 4, "{told:?}");
        // Six days say nothing of a seventh.
        assert!(alarms(&days[24..], None, (30, 30)).iter().all(|told| told.starts_with("7 groups")));
    }
}
