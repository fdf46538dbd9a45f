//! Runs the fuzz targets: `fuzz [--seconds N] [--seed N] [TARGET…]`. See README.md.

mod driver;
mod mutate;
mod targets;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

struct Arguments {
    time: Duration,
    seed: u64,
    targets: Vec<&'static targets::Target>,
}

fn main() -> Result<ExitCode> {
    let arguments = parse(std::env::args().skip(1))?;
    let mut all_passed = true;
    for target in arguments.targets {
        all_passed &= driver::run(target, arguments.time, arguments.seed)?;
    }
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments { time: Duration::from_secs(10), seed: fresh_seed(), targets: Vec::new() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => arguments.time = Duration::from_secs(number(words.next())?),
            "--seed" => arguments.seed = number(words.next())?,
            name => arguments.targets.push(named(name)?),
        }
    }
    if arguments.targets.is_empty() {
        arguments.targets = targets::ALL.iter().collect();
    }
    Ok(arguments)
}

fn number(word: Option<String>) -> Result<u64> {
    word.context("a number is missing")?.parse().context("not a number")
}

fn named(name: &str) -> Result<&'static targets::Target> {
    let names = || targets::ALL.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    match targets::ALL.iter().find(|target| target.name == name) {
        Some(target) => Ok(target),
        None => bail!("no target {name}; there are {}", names()),
    }
}

/// Another one for every run, so that every run tries something new.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
}
