//! Every text file in this folder is a situation with what is to be done about it. `UPDATE=1` rewrites what follows the
//! questions.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

mod model;
mod properties;
mod scenario;
mod values;

use scenario::Scenario;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    files.sort();
    files
}

fn scenarios() -> Vec<(PathBuf, Scenario)> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::parse(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        (path, scenario)
    };
    files().into_iter().map(read).collect()
}

/// The lines of two texts, marked where only one of them has a line at that place.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (old.get(same..).unwrap_or_default(), new.get(same..).unwrap_or_default());
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let line = |mark: &'static str| move |line: &&str| format!("    {mark} {line}\n");
    let context = old.iter().take(same).rev().take(2).rev().map(line(" "));
    let gone = old_rest.iter().take(old_rest.len() - tail).map(line("-"));
    let come = new_rest.iter().take(new_rest.len() - tail).map(line("+"));
    context.chain(gone).chain(come).collect()
}

#[test]
fn every_situation_gets_its_plan() {
    let mut wrong = String::new();
    for (path, scenario) in scenarios() {
        let found = scenario.answered();
        if found == scenario.text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &found).unwrap();
        } else {
            wrong += &format!("  {}\n{}", path.display(), difference(&scenario.text, &found));
        }
    }
    assert!(wrong.is_empty(), "not as written down (UPDATE=1 rewrites them):\n{wrong}");
}

#[test]
fn there_are_many() {
    let questions: usize = scenarios().iter().map(|(_, s)| s.questions.len()).sum();
    assert!(files().len() >= 50 && questions >= 70, "{} files, {questions} questions", files().len());
}
