//! Proofs of passwords: published values, both sides against each other, and the client's login step by step.

use anyhow::{Result, bail};
use mysql_wire::auth::{CACHING_SHA2, CLEAR, ED25519, NATIVE, caching_sha2, ed25519, native};
use mysql_wire::{
    AuthMoreData, AuthSwitchRequest, Capabilities, Challenge, ClientLogin, ForwardStep, ForwardedLogin,
    Greeting, HandshakeResponse, LoginError, LoginRequest, LoginStep, OkPacket, Secret, ServerError,
    StatusFlags,
};

const SCRAMBLE: [u8; 20] = *b"abcdefghijklmnopqrst";

#[test]
fn published_hashes() {
    // SELECT PASSWORD('secret'), and the value in MariaDB's documentation of the ed25519 plugin.
    assert_eq!(
        native::parse_stored("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"),
        Some(native::stored(b"secret"))
    );
    let key = ed25519::parse_stored("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY");
    assert_eq!(key, Some(ed25519::public_key(b"secret")));
}

#[test]
fn stored_hashes_of_another_form_are_none() {
    for text in [
        "",
        "*",
        "14E65567ABDB5135D0CFD9A70B3032C179A49EE7",
        "*14E65567ABDB5135D0CFD9A70B3032C179A49EE",
        "*G4E65567ABDB5135D0CFD9A70B3032C179A49EE7",
        "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7 ",
    ] {
        assert_eq!(native::parse_stored(text), None, "{text}");
    }
    assert_eq!(ed25519::parse_stored("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ"), None);
    assert_eq!(ed25519::parse_stored("ZIgUREUg5PVgQ6LskhXmO*eZLS0nC8be6HPjYWR4YJY"), None);
}

#[test]
fn native_proofs_give_back_what_proves_elsewhere() {
    let stored = native::stored(b"secret");
    let token = native::scramble_password(&SCRAMBLE, b"secret");
    let stage1 = native::verify(&token, &SCRAMBLE, &stored);
    assert_eq!(stage1, Some(native::stage1(b"secret")));
    let elsewhere = native::from_stage1(b"another scramble 123", &native::stage1(b"secret"));
    assert_eq!(elsewhere.to_vec(), native::scramble_password(b"another scramble 123", b"secret"));
    assert_eq!(native::verify(&native::scramble_password(&SCRAMBLE, b"Secret"), &SCRAMBLE, &stored), None);
    assert_eq!(native::verify(&token, b"another scramble 123", &stored), None);
    assert_eq!(native::verify(&[], &SCRAMBLE, &stored), None);
    assert_eq!(native::verify(&token[1..], &SCRAMBLE, &stored), None);
}

#[test]
fn sha2_proofs_hold_for_their_password_only() {
    let stored = caching_sha2::stored(b"secret");
    let token = caching_sha2::scramble_password(&SCRAMBLE, b"secret");
    assert!(caching_sha2::verify(&token, &SCRAMBLE, &stored).is_some());
    assert!(caching_sha2::verify(&token, b"another scramble 123", &stored).is_none());
    let wrong = caching_sha2::scramble_password(&SCRAMBLE, b"Secret");
    assert!(caching_sha2::verify(&wrong, &SCRAMBLE, &stored).is_none());
    assert!(caching_sha2::verify(&token[..31], &SCRAMBLE, &stored).is_none());
}

#[test]
fn ed25519_signatures_hold_for_their_password_and_scramble_only() {
    let scramble = [7; ed25519::SCRAMBLE_LEN];
    for password in [&b""[..], b"s", b"secret", &[b'x'; 300]] {
        let key = ed25519::public_key(password);
        let signature = ed25519::sign(&scramble, password);
        assert!(ed25519::verify(&signature, &scramble, &key));
        assert!(!ed25519::verify(&signature, &[8; 32], &key));
        assert!(!ed25519::verify(&ed25519::sign(&scramble, b"other"), &scramble, &key));
        let mut broken = signature;
        broken[63] ^= 0x80;
        assert!(!ed25519::verify(&broken, &scramble, &key));
        assert!(!ed25519::verify(&signature[..63], &scramble, &key));
    }
}

fn greeting(plugin: &str) -> Vec<u8> {
    Greeting {
        protocol: 10,
        version: "8.0.36".to_owned(),
        thread_id: 7,
        scramble: SCRAMBLE,
        capabilities: Capabilities(0xFFFF_FFFF),
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        auth_plugin: plugin.to_owned(),
    }
    .encode()
}

fn login(secret: Secret) -> ClientLogin {
    ClientLogin::new(LoginRequest {
        user: b"app".to_vec(),
        secret,
        database: None,
        capabilities: Capabilities::TRANSACTIONS,
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
    })
}

fn sent(step: LoginStep) -> Result<Vec<u8>> {
    match step {
        LoginStep::Send(payload) => Ok(payload),
        other => bail!("nothing to send: {other:?}"),
    }
}

fn switch(plugin: &str) -> Vec<u8> {
    AuthSwitchRequest { plugin: plugin.as_bytes(), data: b"zyxwvutsrqponmlkjihg\0" }.encode()
}

fn ok_payload() -> Vec<u8> {
    let mut out = Vec::new();
    OkPacket::new(StatusFlags::AUTOCOMMIT).encode(Capabilities::PROTOCOL_41, &mut out);
    out
}

#[test]
fn the_fast_path_of_sha2() -> Result<()> {
    let mut login = login(Secret::password("secret"));
    let response = sent(login.handle(&greeting(CACHING_SHA2))?)?;
    let response = HandshakeResponse::parse(&response)?;
    assert_eq!(response.plugin, Some(CACHING_SHA2.as_bytes()));
    assert!(caching_sha2::verify(response.auth, &SCRAMBLE, &caching_sha2::stored(b"secret")).is_some());
    assert_eq!(login.handle(&AuthMoreData { data: &[caching_sha2::FAST_OK] }.encode())?, LoginStep::Wait);
    assert!(matches!(login.handle(&ok_payload())?, LoginStep::Done(session) if session.thread_id == 7));
    assert!(login.handle(&ok_payload()).is_err(), "the login is over");
    Ok(())
}

#[test]
fn the_password_itself_is_sent_over_a_secure_transport_only() -> Result<()> {
    let full = AuthMoreData { data: &[caching_sha2::FULL_AUTH] }.encode();
    let mut secure = login(Secret::password("secret")).over_secure_transport();
    secure.handle(&greeting(CACHING_SHA2))?;
    assert_eq!(sent(secure.handle(&full)?)?, b"secret\0");

    let refusal = |question: &[u8]| -> Result<Result<LoginStep, LoginError>> {
        let mut insecure = login(Secret::password("secret"));
        insecure.handle(&greeting(CACHING_SHA2))?;
        Ok(insecure.handle(question))
    };
    assert!(matches!(refusal(&full)?, Err(LoginError::NotCached)));
    assert!(matches!(refusal(&switch(CLEAR))?, Err(LoginError::NeedsSecureTransport { .. })));
    Ok(())
}

#[test]
fn the_server_may_switch_to_another_plugin() -> Result<()> {
    let mut login = login(Secret::password("secret"));
    login.handle(&greeting(CACHING_SHA2))?;
    let answer = sent(login.handle(&switch(NATIVE))?)?;
    assert!(native::verify(&answer, b"zyxwvutsrqponmlkjihg", &native::stored(b"secret")).is_some());
    assert!(matches!(login.handle(&ok_payload())?, LoginStep::Done(_)));
    Ok(())
}

#[test]
fn an_unknown_default_plugin_does_not_keep_accounts_with_a_known_one_out() -> Result<()> {
    for plugin in ["parsec", CLEAR, ED25519] {
        let mut login = login(Secret::NativeStage1(native::stage1(b"secret")));
        let response = sent(login.handle(&greeting(plugin))?)?;
        assert_eq!(HandshakeResponse::parse(&response)?.plugin, Some(NATIVE.as_bytes()), "{plugin}");
        let unsupported = login.handle(&switch("parsec"));
        assert!(matches!(unsupported, Err(LoginError::UnsupportedPlugin(name)) if name == "parsec"));
    }
    Ok(())
}

#[test]
fn a_scramble_may_end_with_a_zero_byte() -> Result<()> {
    let mut scramble = [5; ed25519::SCRAMBLE_LEN];
    scramble[31] = 0;
    let mut login = login(Secret::password("secret"));
    login.handle(&greeting(NATIVE))?;
    let question = AuthSwitchRequest { plugin: ED25519.as_bytes(), data: &scramble };
    let signature = sent(login.handle(&question.encode())?)?;
    assert!(ed25519::verify(&signature, &scramble, &ed25519::public_key(b"secret")));
    Ok(())
}

#[test]
fn a_scramble_that_is_too_short_is_refused() -> Result<()> {
    for plugin in [NATIVE, CACHING_SHA2, ED25519] {
        let mut login = login(Secret::password("secret"));
        login.handle(&greeting(NATIVE))?;
        let question = AuthSwitchRequest { plugin: plugin.as_bytes(), data: b"short\0" };
        assert!(matches!(login.handle(&question.encode()), Err(LoginError::Malformed(_))), "{plugin}");
    }
    Ok(())
}

#[test]
fn a_greeting_has_too_few_random_bytes_for_a_signature() -> Result<()> {
    let mut login = login(Secret::password("secret"));
    let response = sent(login.handle(&greeting(ED25519))?)?;
    assert_eq!(HandshakeResponse::parse(&response)?.plugin, Some(NATIVE.as_bytes()));
    Ok(())
}

#[test]
fn an_error_in_place_of_the_greeting() {
    // As MariaDB sends it when all connections are taken: without SQLSTATE.
    let refused = login(Secret::None).handle(b"\xff\x10\x04Too many connections");
    let Err(LoginError::Refused(error)) = refused else { panic!("{refused:?}") };
    assert_eq!((error.code, error.message.as_str()), (1040, "Too many connections"));
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", login(Secret::password("geheim")));
    assert!(shown.contains("Password(..)") && !shown.contains("geheim"), "{shown}");
    let stage1 = native::stage1(b"secret");
    let shown = format!("{:?}", login(Secret::NativeStage1(stage1)));
    assert!(!shown.contains(&format!("{}, {}", stage1[0], stage1[1])), "{shown}");
}

#[test]
fn who_cannot_sign_may_still_have_the_accounts_other_proof() -> Result<()> {
    // VIA ed25519 OR mysql_native_password
    let nonce = [9; ed25519::SCRAMBLE_LEN];
    let signed = AuthSwitchRequest { plugin: ED25519.as_bytes(), data: &nonce }.encode();
    let ask = || -> Result<ClientLogin> {
        let mut login = login(Secret::NativeStage1(native::stage1(b"secret")));
        login.handle(&greeting(NATIVE))?;
        let answer = sent(login.handle(&signed)?)?;
        assert!(!ed25519::verify(&answer, &nonce, &ed25519::public_key(b"secret")));
        assert_eq!(answer.len(), ed25519::SIGNATURE_LEN, "or the server blocks this host");
        Ok(login)
    };
    let mut accepted = ask()?;
    let answer = sent(accepted.handle(&switch(NATIVE))?)?;
    assert!(native::verify(&answer, b"zyxwvutsrqponmlkjihg", &native::stored(b"secret")).is_some());
    assert!(matches!(accepted.handle(&ok_payload())?, LoginStep::Done(_)));
    let refused = ask()?.handle(&ServerError::new(1045, b"28000", "Access denied").encode());
    assert!(matches!(refused, Err(LoginError::SecretCannotProve { plugin }) if plugin == ED25519));
    Ok(())
}

fn forwarded() -> ForwardedLogin {
    ForwardedLogin::new(LoginRequest {
        user: b"app".to_vec(),
        secret: Secret::password("not used"),
        database: None,
        capabilities: Capabilities::TRANSACTIONS,
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
    })
}

#[test]
fn a_forwarded_login_proves_nothing_by_itself() -> Result<()> {
    let mut login = forwarded();
    let ForwardStep::Send(response) = login.handle(&greeting(NATIVE))? else { bail!("no answer") };
    let response = HandshakeResponse::parse(&response)?;
    assert_eq!((response.user, response.auth), (&b"app"[..], &b""[..]));
    for plugin in [NATIVE, ED25519, CACHING_SHA2] {
        // A server takes an empty proof for the account's own plugin as the answer to its question.
        assert_ne!(response.plugin, Some(plugin.as_bytes()));
        let challenge = Challenge { plugin: plugin.into(), data: b"zyxwvutsrqponmlkjihg\0".to_vec() };
        assert_eq!(login.handle(&switch(plugin))?, ForwardStep::Ask(challenge));
    }
    assert!(matches!(login.handle(&ok_payload())?, ForwardStep::Done(session) if session.thread_id == 7));
    Ok(())
}

#[test]
fn a_forwarded_login_ends_with_whatever_has_no_place_in_it() -> Result<()> {
    let greeted = || -> Result<ForwardedLogin> {
        let mut login = forwarded();
        login.handle(&greeting(NATIVE))?;
        Ok(login)
    };
    let refusal = ServerError::new(1045, b"28000", "Access denied").encode();
    assert!(matches!(greeted()?.handle(&refusal), Err(LoginError::Refused(error)) if error.code == 1045));
    assert!(matches!(forwarded().handle(&refusal), Err(LoginError::Refused(_))));
    let more = AuthMoreData { data: &[caching_sha2::FAST_OK] }.encode();
    assert!(matches!(greeted()?.handle(&more), Err(LoginError::Unexpected(_))));
    assert!(greeted()?.handle(&[]).is_err());
    assert!(greeted()?.handle(&[0xfe, b'x']).is_err());
    Ok(())
}
