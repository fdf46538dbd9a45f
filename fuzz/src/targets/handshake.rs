//! The packets of a login: the first byte chooses the packet, the second the capabilities.

use anyhow::Result;
use mysql_wire::attributes::put_attribute;
use mysql_wire::{
    AuthMoreData, AuthSwitchRequest, Capabilities, ChangeUser, Greeting, HandshakeResponse, SslRequest,
    StatusFlags,
};

pub(crate) fn run(input: &[u8]) {
    let [kind, choice, payload @ ..] = input else { return };
    match kind % 4 {
        0 => greeting(payload),
        1 => response(payload),
        2 => change_user(payload, super::capabilities(*choice)),
        _ => auth(payload),
    }
}

fn greeting(payload: &[u8]) {
    if let Ok(greeting) = Greeting::parse(payload) {
        assert_eq!(Greeting::parse(&greeting.encode()), Ok(greeting));
    }
}

fn response(payload: &[u8]) {
    let Ok(response) = HandshakeResponse::parse(payload) else { return };
    let _ = response.attributes().count();
    let _ = SslRequest::is(payload);
    let encoded = response.encode();
    let again = HandshakeResponse::parse(&encoded);
    // An empty database counts as none, and the flag goes with it.
    let capabilities = match response.database {
        Some(_) => response.capabilities,
        None => response.capabilities.without(Capabilities::CONNECT_WITH_DB),
    };
    assert_eq!(again, Ok(HandshakeResponse { capabilities, ..response }));
}

fn change_user(payload: &[u8], caps: Capabilities) {
    let Ok(packet) = ChangeUser::parse(payload, caps) else { return };
    let _ = packet.attributes().count();
    let encoded = packet.encode(caps);
    assert_eq!(ChangeUser::parse(&encoded, caps), Ok(packet));
}

fn auth(payload: &[u8]) {
    if let Ok(request) = AuthSwitchRequest::parse(payload) {
        let encoded = request.encode();
        assert_eq!(AuthSwitchRequest::parse(&encoded), Ok(request));
    }
    if let Ok(more) = AuthMoreData::parse(payload) {
        assert_eq!(more.encode(), payload);
    }
}

pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let mut seeds = vec![
        [
            &[3, 0][..],
            &AuthSwitchRequest { plugin: b"mysql_native_password", data: b"12345678901234567890\0" }.encode(),
        ]
        .concat(),
        [&[3, 0][..], &AuthMoreData { data: &[4] }.encode()].concat(),
    ];
    for caps in [Capabilities(0x81BF_F7DF), Capabilities(0x1F_81BF_F7FE), Capabilities(0x0004_8200)] {
        seeds.push([&[0, 0][..], &greeting_seed(caps).encode()].concat());
        seeds.push([&[1, 0][..], &response_seed(caps)].concat());
    }
    for choice in [0x04, 0x0C, 0x1C] {
        seeds.push([&[2, choice][..], &change_user_seed(super::capabilities(choice))].concat());
    }
    Ok(seeds)
}

pub(super) fn greeting_seed(capabilities: Capabilities) -> Greeting {
    Greeting {
        protocol: 10,
        version: "5.5.5-10.11.6-MariaDB-log".to_owned(),
        thread_id: 4711,
        scramble: *b"12345678901234567890",
        capabilities,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        auth_plugin: "mysql_native_password".to_owned(),
    }
}

fn attributes() -> Vec<u8> {
    let mut raw = Vec::new();
    put_attribute(&mut raw, b"_client_name", b"libmariadb");
    put_attribute(&mut raw, b"_pid", b"4711");
    raw
}

fn response_seed(capabilities: Capabilities) -> Vec<u8> {
    HandshakeResponse {
        capabilities,
        max_packet: 1 << 24,
        collation: 45,
        user: b"app",
        auth: &[7; 20],
        database: Some(b"shop"),
        plugin: Some(b"mysql_native_password"),
        attributes: &attributes(),
    }
    .encode()
}

fn change_user_seed(caps: Capabilities) -> Vec<u8> {
    ChangeUser {
        user: b"app",
        auth: &[7; 20],
        database: Some(b"shop"),
        collation: Some(45),
        plugin: Some(b"mysql_native_password"),
        attributes: &attributes(),
    }
    .encode(caps)
}
