//! Captures the responses of a real server that the tests of this crate run on:
//! `cargo run -p mysql-wire --example capture`. Needs `mariadbd` on the path; writes `tests/captures/`.

#[path = "../tests/support/capture_file.rs"]
#[allow(dead_code, reason = "reading is for the tests")]
mod capture_file;
#[path = "../tests/support/cases.rs"]
mod cases;
#[path = "../tests/support/client.rs"]
mod client;
#[path = "../tests/support/server.rs"]
mod server;

use anyhow::Result;
use mysql_wire::Capabilities;

fn main() -> Result<()> {
    let server = server::Server::shared()?;
    for (name, capabilities) in cases::combinations() {
        let mut text = String::new();
        capture(&server, capabilities, &mut text)?;
        std::fs::write(capture_file::path(name), text)?;
    }
    Ok(())
}

fn capture(server: &server::Server, capabilities: Capabilities, text: &mut String) -> Result<()> {
    let mut client = client::Client::connect(&server.socket(), client::root(capabilities))?;
    for sql in cases::SETUP.iter().chain(cases::TRACKERS) {
        client.run(sql)?;
    }
    for case in cases::all() {
        client.send(&case.payload)?;
        let response = client.response(case.kind, cases::FILE)?;
        capture_file::write(text, case.name, case.kind, &response)?;
    }
    Ok(())
}
