//! A real server: logins with every plugin it has, and responses that are too large to keep as captures.

#[path = "support/capture_file.rs"]
#[allow(dead_code, reason = "only reading is needed")]
mod capture_file;
#[path = "support/cases.rs"]
mod cases;
#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;
#[path = "support/trace.rs"]
mod trace;

use anyhow::{Result, bail, ensure};
use mysql_wire::auth::{ed25519, native};
use mysql_wire::{
    Capabilities, Greeting, Header, LoginError, LoginRequest, MAX_PAYLOAD, Secret, StateChange, StateChanges,
    TextRow, attributes,
};

use client::{Client, root};
use server::Server;
use trace::trace;

fn base() -> Capabilities {
    cases::base_capabilities() | Capabilities::DEPRECATE_EOF | Capabilities::SESSION_TRACK
}

fn login(user: &str, secret: Secret) -> LoginRequest {
    LoginRequest { user: user.into(), secret, ..root(base()) }
}

/// The first value of the first row of a response with one column.
fn only_value(response: &[u8]) -> Result<String> {
    let mut packets = Vec::new();
    let mut rest = response;
    while let Some(header) = Header::parse(rest) {
        let (packet, behind) = rest.split_at(4 + header.len);
        packets.push(&packet[4..]);
        rest = behind;
    }
    let Some(row) = packets.get(2) else { bail!("no row") };
    let Some(value) = TextRow::new(row).next().transpose()?.flatten() else { bail!("no value") };
    Ok(String::from_utf8(value.to_vec())?)
}

fn refused(server: &Server, request: LoginRequest) -> Result<LoginError> {
    match Client::connect(&server.socket(), request) {
        Ok(_) => bail!("the login succeeded"),
        Err(error) => error.downcast(),
    }
}

#[test]
fn logins_with_every_plugin() -> Result<()> {
    let server = Server::shared()?;
    let mut admin = Client::connect(&server.socket(), root(base()))?;
    admin.run("CREATE OR REPLACE USER nat IDENTIFIED VIA mysql_native_password USING PASSWORD('geheim')")?;
    admin.run("CREATE OR REPLACE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('geheim')")?;
    admin.run("CREATE OR REPLACE USER twofold IDENTIFIED VIA ed25519 USING PASSWORD('x') OR mysql_native_password USING PASSWORD('y')")?;
    admin.run("CREATE OR REPLACE USER nobody")?;

    let password = || Secret::password("geheim");
    for (user, secret) in [
        ("nat", password()),
        ("nat", Secret::NativeStage1(native::stage1(b"geheim"))),
        ("ed", password()),
        ("twofold", Secret::password("x")),
        ("twofold", Secret::password("y")),
        ("nobody", Secret::None),
    ] {
        let mut client = Client::connect(&server.socket(), login(user, secret))?;
        let answer = client.query("SELECT USER()")?;
        ensure!(only_value(&answer)? == format!("{user}@localhost"));
        ensure!(client.session.thread_id > 0);
    }
    Ok(())
}

#[test]
fn refused_logins_say_why() -> Result<()> {
    let server = Server::shared()?;
    let mut admin = Client::connect(&server.socket(), root(base()))?;
    admin.run("CREATE OR REPLACE USER nat2 IDENTIFIED BY 'geheim'")?;
    admin.run("CREATE OR REPLACE USER ed2 IDENTIFIED VIA ed25519 USING PASSWORD('geheim')")?;
    admin.run("CREATE OR REPLACE USER locked IDENTIFIED BY 'geheim' ACCOUNT LOCK")?;

    let stage1 = Secret::NativeStage1(native::stage1(b"geheim"));
    let cases = [
        ("nat2", Secret::password("falsch"), 1045),
        ("nat2", Secret::None, 1045),
        ("ed2", Secret::password("falsch"), 1045),
        ("missing", Secret::password("geheim"), 1045),
        ("locked", Secret::password("geheim"), 4151),
    ];
    for (user, secret, code) in cases {
        match refused(&server, login(user, secret))? {
            LoginError::Refused(error) => ensure!(error.code == code, "{user}: {error}"),
            other => bail!("{user}: {other}"),
        }
    }
    match refused(&server, login("ed2", stage1))? {
        LoginError::SecretCannotProve { plugin } => ensure!(plugin == "client_ed25519"),
        other => bail!("{other}"),
    }
    let unknown_database = LoginRequest { database: Some(b"nowhere".to_vec()), ..root(base()) };
    match refused(&server, unknown_database)? {
        LoginError::Refused(error) => ensure!(error.code == 1049 && &error.sqlstate == b"42000", "{error}"),
        other => bail!("{other}"),
    }
    Ok(())
}

#[test]
fn the_server_agrees_about_stored_hashes() -> Result<()> {
    let server = Server::shared()?;
    let mut client = Client::connect(&server.socket(), root(base()))?;
    client.run("CREATE OR REPLACE USER hashed IDENTIFIED VIA ed25519 USING PASSWORD('geheim')")?;
    for password in
        ["", "a", "geheim", "pässwörd", "a password that is longer than one block of a hash, and then some"]
    {
        let stored = only_value(&client.query(&format!("SELECT PASSWORD('{password}')"))?)?;
        let expected = if password.is_empty() { None } else { Some(native::stored(password.as_bytes())) };
        ensure!(native::parse_stored(&stored) == expected, "{password}");
    }
    let key = only_value(&client.query(
        "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv WHERE User = 'hashed'",
    )?)?;
    ensure!(ed25519::parse_stored(&key) == Some(ed25519::public_key(b"geheim")), "{key}");
    Ok(())
}

#[test]
fn a_login_carries_database_attributes_and_the_first_session_state() -> Result<()> {
    let server = Server::shared()?;
    let mut raw = Vec::new();
    attributes::put_attribute(&mut raw, b"program_name", b"hadal");
    let capabilities = base() | Capabilities::CONNECT_ATTRS | Capabilities::FOUND_ROWS;
    let request = LoginRequest { database: Some(b"mysql".to_vec()), attributes: raw, ..root(capabilities) };
    let mut client = Client::connect(&server.socket(), request)?;
    ensure!(only_value(&client.query("SELECT DATABASE()")?)? == "mysql");
    ensure!(only_value(&client.query("SELECT @@collation_connection")?)? == "utf8mb4_general_ci");
    let session = &client.session;
    ensure!(session.version.contains("MariaDB"), "{}", session.version);
    ensure!(session.capabilities.contains(capabilities | Capabilities::PROTOCOL_41));
    ensure!(!session.capabilities.contains(Capabilities::MARIADB_PROGRESS), "not asked for");
    ensure!(session.server_capabilities.contains(Capabilities::MARIADB_PROGRESS), "extended flags");
    let changes = StateChanges::new(&session.session_state).collect::<Result<Vec<_>, _>>()?;
    ensure!(changes == [StateChange::Schema(b"mysql")], "{changes:?}");
    Ok(())
}

#[test]
fn a_real_greeting_survives() -> Result<()> {
    use std::io::Read as _;
    let server = Server::shared()?;
    let mut stream = std::os::unix::net::UnixStream::connect(server.socket())?;
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let mut payload = vec![0; Header::parse(&header).map_or(0, |header| header.len)];
    stream.read_exact(&mut payload)?;
    ensure!(Greeting::parse(&payload)?.encode() == payload);
    Ok(())
}

#[test]
fn rows_of_sixteen_megabytes_and_more() -> Result<()> {
    let server = Server::shared()?;
    let mut client = Client::connect(&server.socket(), root(base()))?;
    // Around the length at which a packet is split: the value's own length takes four bytes below 16 MiB, nine above.
    for len in
        [MAX_PAYLOAD - 5, MAX_PAYLOAD - 4, MAX_PAYLOAD - 3, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD - 9]
    {
        let sql = format!("SELECT REPEAT('\u{7f}', {len}) UNION ALL SELECT 'end'");
        let response = client.query(&sql)?;
        for size in [response.len(), 1 << 20, (1 << 16) - 1] {
            let scanned =
                trace(mysql_wire::ResponseKind::Query, client.session.capabilities, response.chunks(size))?;
            ensure!(scanned.rows == 2, "{} rows for {len} bytes in pieces of {size}", scanned.rows);
            ensure!(scanned.done_at == Some(response.len()) && scanned.shown.len() == 1);
        }
    }
    Ok(())
}

#[test]
fn statements_of_sixteen_megabytes_and_more() -> Result<()> {
    let server = Server::shared()?;
    let mut client = Client::connect(&server.socket(), root(base()))?;
    let frame = "SELECT LENGTH('')".len() + 1;
    for payload in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD] {
        let len = payload - frame;
        let answer = client.query(&format!("SELECT LENGTH('{}')", "x".repeat(len)))?;
        ensure!(only_value(&answer)? == len.to_string());
    }
    Ok(())
}

#[test]
fn this_server_answers_as_the_captured_one() -> Result<()> {
    let server = Server::shared()?;
    for (combination, capabilities) in cases::combinations() {
        let mut client = Client::connect(&server.socket(), root(capabilities))?;
        for sql in cases::SETUP.iter().chain(cases::TRACKERS) {
            client.run(sql)?;
        }
        for (case, capture) in cases::all().iter().zip(capture_file::read(combination)?) {
            ensure!(case.name == capture.name, "captures are not of these cases: run the capture example");
            client.send(&case.payload)?;
            let response = client.response(case.kind, cases::FILE)?;
            let [now, then] = [&response, &capture.bytes].map(|b| trace(case.kind, capabilities, [&b[..]]));
            let (now, then) = (now?, then?);
            // The process list has as many rows as there are connections.
            let rows = now.rows == then.rows || case.name == "process_info";
            ensure!(now.kinds() == then.kinds() && rows, "{combination}: {}", case.name);
        }
    }
    Ok(())
}
