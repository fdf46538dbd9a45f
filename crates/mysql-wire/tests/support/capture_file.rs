//! The text form of captured responses: `# name kind`, then the bytes in hexadecimal digits.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use mysql_wire::ResponseKind;

/// A captured response.
pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) kind: ResponseKind,
    pub(crate) bytes: Vec<u8>,
}

/// The file with the captures of one combination of capabilities.
pub(crate) fn path(combination: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(format!("{combination}.txt"))
}

/// Reads a file of captures.
pub(crate) fn read(combination: &str) -> Result<Vec<Capture>> {
    let path = path(combination);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut captures: Vec<Capture> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# ") {
            let (name, kind) = head.split_once(' ').context("no kind")?;
            captures.push(Capture { name: name.to_owned(), kind: kind_named(kind)?, bytes: Vec::new() });
        } else if let Some(capture) = captures.last_mut() {
            capture.bytes.extend(bytes_of(line)?);
        }
    }
    Ok(captures)
}

fn bytes_of(line: &str) -> Result<Vec<u8>> {
    let digits = line.as_bytes().chunks(2).map(std::str::from_utf8);
    digits.map(|pair| Ok(u8::from_str_radix(pair?, 16)?)).collect()
}

fn kind_named(name: &str) -> Result<ResponseKind> {
    use ResponseKind::{Execute, Fetch, FieldList, Prepare, Query, Simple, Statistics};
    let all = [Query, Execute, Fetch, Prepare, FieldList, Statistics, Simple];
    match all.into_iter().find(|kind| format!("{kind:?}") == name) {
        Some(kind) => Ok(kind),
        None => bail!("no kind of response is called {name}"),
    }
}

/// Appends one capture in text form.
pub(crate) fn write(out: &mut String, name: &str, kind: ResponseKind, bytes: &[u8]) -> Result<()> {
    writeln!(out, "# {name} {kind:?}")?;
    for line in bytes.chunks(60) {
        for byte in line {
            write!(out, "{byte:02x}")?;
        }
        out.push('\n');
    }
    Ok(())
}
