//! The word that somebody probably meant.

/// The candidate nearest to `word`, if it is near enough to be worth naming.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let near_enough = |candidate: &str| (word.chars().count().max(candidate.chars().count()) / 3).max(1);
    let scored = candidates.iter().map(|candidate| (distance(word, candidate), *candidate));
    scored
        .filter(|(distance, candidate)| *distance <= near_enough(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.to_lowercase().replace('-', "_").chars().collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let keys = ["servers", "admin_user", "admin_password", "max_lag_ms", "pool"];
        for (slip, meant) in [
            ("server", "servers"),
            ("admin_passwd", "admin_password"),
            ("max-lag-ms", "max_lag_ms"),
            ("max_lag", "max_lag_ms"),
            ("sevrers", "servers"),
            ("Pool", "pool"),
        ] {
            assert_eq!(nearest(slip, &keys), Some(meant), "{slip}");
        }
        assert_eq!(nearest("colour", &keys), None);
        assert_eq!(nearest("x", &keys), None);
    }
}
