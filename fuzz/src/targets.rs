//! The targets, and what more than one of them needs.

mod forms;
mod framing;
mod handshake;
mod lexer;
mod login;
mod ok;
mod rewrite;
mod scanner;
mod session_state;
mod text;

use anyhow::Result;
use mysql_wire::Capabilities;

/// Something that reads a peer's bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Panics where a promise is broken.
    pub(crate) run: fn(&[u8]),
    pub(crate) seeds: fn() -> Result<Vec<Vec<u8>>>,
}

pub(crate) const ALL: &[Target] = &[
    Target { name: "framing", run: framing::run, seeds: framing::seeds },
    Target { name: "handshake", run: handshake::run, seeds: handshake::seeds },
    Target { name: "login", run: login::run, seeds: login::seeds },
    Target { name: "scanner", run: scanner::run, seeds: scanner::seeds },
    Target { name: "ok", run: ok::run, seeds: ok::seeds },
    Target { name: "session_state", run: session_state::run, seeds: session_state::seeds },
    Target { name: "lexer", run: lexer::run, seeds: text::seeds },
    Target { name: "forms", run: forms::run, seeds: text::seeds },
    Target { name: "rewrite", run: rewrite::run, seeds: text::seeds },
];

/// Capabilities chosen by one byte of the input.
fn capabilities(choice: u8) -> Capabilities {
    let flags = [
        Capabilities::DEPRECATE_EOF,
        Capabilities::SESSION_TRACK,
        Capabilities::SECURE_CONNECTION,
        Capabilities::PLUGIN_AUTH,
        Capabilities::CONNECT_ATTRS,
        Capabilities::PLUGIN_AUTH_LENENC_DATA,
        Capabilities::CONNECT_WITH_DB,
        Capabilities::MARIADB_EXTENDED_METADATA,
    ];
    let chosen = flags.into_iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1);
    chosen.fold(Capabilities::PROTOCOL_41, |all, (_, flag)| all | flag)
}

/// A captured response of a real server.
struct Capture {
    /// The kind of the response, as a word.
    kind: String,
    bytes: Vec<u8>,
}

/// The captures with and without `DEPRECATE_EOF` and `SESSION_TRACK`, in the order of the two lowest bits that
/// [`capabilities`] takes.
fn captures() -> Result<[Vec<Capture>; 4]> {
    Ok([read("plain")?, read("deprecate_eof")?, read("track")?, read("track_deprecate_eof")?])
}

fn read(file: &str) -> Result<Vec<Capture>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/mysql-wire/tests/captures");
    let text = std::fs::read_to_string(format!("{folder}/{file}.txt"))?;
    let mut captures: Vec<Capture> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let kind = line.rsplit(' ').next().unwrap_or_default().to_owned();
            captures.push(Capture { kind, bytes: Vec::new() });
        } else if let Some(capture) = captures.last_mut() {
            for pair in line.as_bytes().chunks(2) {
                capture.bytes.push(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
            }
        }
    }
    Ok(captures)
}

/// The payloads of the packets in a response, each with a byte in front that chooses the capabilities.
fn captured_payloads() -> Result<Vec<Vec<u8>>> {
    let mut payloads = Vec::new();
    for (choice, captures) in captures()?.into_iter().enumerate() {
        for capture in captures {
            let mut rest = &capture.bytes[..];
            while let Some(header) = mysql_wire::Header::parse(rest) {
                let (packet, behind) = rest.split_at((4 + header.len).min(rest.len()));
                payloads.push([&[choice as u8], packet.get(4..).unwrap_or_default()].concat());
                rest = behind;
            }
        }
    }
    Ok(payloads)
}
