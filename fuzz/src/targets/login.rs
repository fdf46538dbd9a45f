//! The client's side of a login against a server that says anything: the input is a stream of its packets.

use anyhow::Result;
use mysql_wire::{
    Assembler, AuthMoreData, AuthSwitchRequest, Capabilities, ClientLogin, ForwardStep, ForwardedLogin,
    LoginRequest, LoginStep, OkPacket, Secret, StatusFlags, write_packet,
};

pub(crate) fn run(input: &[u8]) {
    let Some((&choice, stream)) = input.split_first() else { return };
    with_a_secret(choice, stream);
    forwarded(stream);
}

/// The same where the proofs come from elsewhere.
fn forwarded(mut stream: &[u8]) {
    let mut login = ForwardedLogin::new(request(Secret::password("geheim")));
    let assembler = Assembler::new(1 << 16);
    while let Ok(Some(frame)) = assembler.next_packet(stream) {
        match login.handle(frame.bytes(stream)) {
            Ok(ForwardStep::Send(payload)) => assert!(!has_password(&payload), "the password in the clear"),
            Ok(ForwardStep::Ask(_)) => {}
            Ok(ForwardStep::Done(_)) | Err(_) => return,
        }
        stream = &stream[frame.consumed..];
    }
}

fn with_a_secret(choice: u8, mut stream: &[u8]) {
    let secret = match choice % 3 {
        0 => Secret::None,
        1 => Secret::password("geheim"),
        _ => Secret::NativeStage1([7; 20]),
    };
    let mut login = ClientLogin::new(request(secret));
    let assembler = Assembler::new(1 << 16);
    while let Ok(Some(frame)) = assembler.next_packet(stream) {
        match login.handle(frame.bytes(stream)) {
            Ok(LoginStep::Send(payload)) => assert!(!has_password(&payload), "the password in the clear"),
            Ok(LoginStep::Wait) => {}
            Ok(LoginStep::Done(_)) | Err(_) => {
                assert!(login.handle(frame.bytes(stream)).is_err(), "a login after its end");
                return;
            }
        }
        stream = &stream[frame.consumed..];
    }
}

fn has_password(payload: &[u8]) -> bool {
    payload.windows(6).any(|window| window == b"geheim")
}

fn request(secret: Secret) -> LoginRequest {
    LoginRequest {
        user: b"app".to_vec(),
        secret,
        database: Some(b"shop".to_vec()),
        capabilities: Capabilities::SESSION_TRACK | Capabilities::DEPRECATE_EOF,
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
    }
}

pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let mut ok = Vec::new();
    OkPacket::new(StatusFlags::AUTOCOMMIT).encode(Capabilities::PROTOCOL_41, &mut ok);
    let greeting = super::handshake::greeting_seed(Capabilities(0x1F_81BF_F7FE)).encode();
    let mut plugins = Vec::new();
    for plugin in ["mysql_native_password", "caching_sha2_password", "client_ed25519", "mysql_clear_password"]
    {
        plugins.push(AuthSwitchRequest { plugin: plugin.as_bytes(), data: &[9; 32] }.encode());
    }
    let (fast, full) = (AuthMoreData { data: &[3] }.encode(), AuthMoreData { data: &[4] }.encode());
    let mut seeds = vec![stream(&[b"\xff\x10\x04Too many connections"]), stream(&[&greeting, &ok])];
    for plugin in &plugins {
        seeds.push(stream(&[&greeting, plugin, &ok]));
        seeds.push(stream(&[&greeting, plugin, &fast, &ok]));
        seeds.push(stream(&[&greeting, plugin, &full, &ok]));
    }
    Ok(seeds)
}

fn stream(payloads: &[&[u8]]) -> Vec<u8> {
    let (mut out, mut seq) = (vec![1], 0);
    payloads.iter().for_each(|payload| write_packet(&mut out, &mut seq, payload));
    out
}
