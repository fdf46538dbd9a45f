//! Runs one target on mutated seeds until its time is over or an input breaks it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::mutate::Mutator;
use crate::targets::Target;

/// An input that takes longer than this is as bad as one that panics: it would hold up every session of a worker.
const SLOW: Duration = Duration::from_secs(1);

/// How often a slow input is run before it is called slow.
const TRIES: usize = 5;

/// How many inputs are kept to be mutated further.
const POOL: usize = 4096;

/// Runs `target` for `time`; false if an input broke it.
pub(crate) fn run(target: &Target, time: Duration, seed: u64) -> Result<bool> {
    let mut pool = (target.seeds)()?;
    let seeds = pool.len();
    for input in &pool {
        if let Some(failure) = failure(target, input) {
            return report(target, input, &failure, seed).map(|()| false);
        }
    }
    let (start, mut mutator, mut inputs) = (Instant::now(), Mutator::new(seed), 0u64);
    while start.elapsed() < time {
        let input = mutator.mutate(&pool);
        if let Some(failure) = failure(target, &input) {
            return report(target, &input, &failure, seed).map(|()| false);
        }
        inputs += 1;
        keep(&mut pool, seeds, &mut mutator, input);
    }
    println!("fuzz: {}: {inputs} inputs from {seeds} seeds, seed {seed}", target.name);
    Ok(true)
}

/// Puts some of the inputs into the pool, so that mutations add up; the seeds themselves stay.
fn keep(pool: &mut Vec<Vec<u8>>, seeds: usize, mutator: &mut Mutator, input: Vec<u8>) {
    if mutator.below(16) != 0 {
        return;
    }
    if pool.len() < seeds + POOL {
        pool.push(input);
    } else if let Some(place) = pool.get_mut(seeds + mutator.below(POOL)) {
        *place = input;
    }
}

/// Why `input` breaks the target, if it does.
pub(crate) fn failure(target: &Target, input: &[u8]) -> Option<String> {
    let mut fastest = Duration::MAX;
    // A machine may stand still while an input runs; an input that is slow is slow every time.
    for _ in 0..TRIES {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        fastest = fastest.min(start.elapsed());
        if outcome.is_err() {
            return Some("panicked".to_owned());
        }
        if fastest <= SLOW {
            return None;
        }
    }
    Some(format!("took {} ms", fastest.as_millis()))
}

fn report(target: &Target, input: &[u8], failure: &str, seed: u64) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crashes");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}-{:016x}", target.name, hasher.finish()));
    std::fs::write(&path, input).with_context(|| path.display().to_string())?;
    eprintln!("fuzz: {} {failure} (seed {seed}); the input is in {}", target.name, path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets;

    #[test]
    fn every_target_for_a_moment() {
        for target in targets::ALL {
            assert!(run(target, Duration::from_millis(300), 1).unwrap(), "{}", target.name);
        }
    }

    #[test]
    fn no_regression() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            for target in targets::ALL.iter().filter(|t| name.starts_with(&format!("{}-", t.name))) {
                let failure = failure(target, &std::fs::read(&path).unwrap());
                assert_eq!(failure, None, "{name}");
            }
        }
    }

    #[test]
    fn a_target_that_breaks_is_found() {
        let broken = Target {
            name: "broken",
            run: |input| assert!(input.len() != 3 || input.first() != Some(&0xFF)),
            seeds: || Ok(vec![b"abcdef".to_vec()]),
        };
        let mut mutator = Mutator::new(1);
        let found =
            (0..1_000_000).any(|_| failure(&broken, &mutator.mutate(&[b"abcdef".to_vec()])).is_some());
        assert!(found);
    }
}
