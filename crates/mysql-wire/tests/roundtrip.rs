//! What is encoded is decoded to the same values, for values of every kind; and no bytes make a decoder panic.

use mysql_wire::attributes::{Attributes, put_attribute};
use mysql_wire::frame::{Assembler, Payload};
use mysql_wire::lenenc::{Put, lenenc_len};
use mysql_wire::resultset::{TextResult, TextRow};
use mysql_wire::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Text that ends with a zero byte on the wire.
fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(1u8..=255, 0..40)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    (any::<u32>(), any::<u32>())
        .prop_map(|(low, extended)| Capabilities::join(low | Capabilities::PROTOCOL_41.low(), extended))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lenenc(value: u64, shift in 0u32..64) {
        let value = value >> shift;
        let mut out = Vec::new();
        out.put_lenenc_int(value);
        prop_assert_eq!(out.len(), lenenc_len(value));
        let mut reader = Reader::new(&out, "test");
        prop_assert_eq!(reader.lenenc_int(), Ok(value));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn packets(payloads in vec(bytes(), 1..5), seq: u8) {
        let (mut out, mut next) = (Vec::new(), seq);
        payloads.iter().for_each(|payload| write_packet(&mut out, &mut next, payload));
        let (assembler, mut rest) = (Assembler::new(300), &out[..]);
        for (nth, payload) in payloads.iter().enumerate() {
            let frame = assembler.next_packet(rest)?.ok_or(TestCaseError::fail("incomplete"))?;
            prop_assert_eq!(frame.bytes(rest), &payload[..]);
            prop_assert_eq!(frame.last_seq, seq.wrapping_add(nth as u8));
            for end in 0..frame.consumed {
                prop_assert_eq!(assembler.next_packet(&rest[..end])?, None);
            }
            rest = &rest[frame.consumed..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn greetings(version in "[ -~]{0,30}", plugin in "[a-z_]{0,20}", caps in capabilities(), scramble: [u8; 20], collation: u8, thread_id: u32, status: u16) {
        let auth_plugin = if caps.contains(Capabilities::PLUGIN_AUTH) { plugin } else { String::new() };
        let status = StatusFlags(status);
        let greeting = Greeting { protocol: 10, version, thread_id, scramble, capabilities: caps, collation, status, auth_plugin };
        prop_assert_eq!(Greeting::parse(&greeting.encode()), Ok(greeting));
    }

    #[test]
    fn responses(user in name(), auth in name(), database in option::of(name()), plugin in option::of(name()), pairs in vec((bytes(), bytes()), 0..4), caps in capabilities(), max_packet: u32, collation: u8) {
        let mut raw = Vec::new();
        pairs.iter().for_each(|(name, value)| put_attribute(&mut raw, name, value));
        let mut caps = caps.with(Capabilities::SECURE_CONNECTION).without(Capabilities::CONNECT_WITH_DB | Capabilities::PLUGIN_AUTH);
        let database = database.as_deref().filter(|name| !name.is_empty());
        if database.is_some() { caps |= Capabilities::CONNECT_WITH_DB; }
        if plugin.is_some() { caps |= Capabilities::PLUGIN_AUTH; }
        let attributes = if caps.contains(Capabilities::CONNECT_ATTRS) { &raw[..] } else { &[] };
        let response = HandshakeResponse { capabilities: caps, max_packet, collation, user: &user, auth: &auth, database, plugin: plugin.as_deref(), attributes };
        let encoded = response.encode();
        prop_assert_eq!(HandshakeResponse::parse(&encoded), Ok(response));
        prop_assert!(!SslRequest::is(&encoded) || encoded.len() == SslRequest::LEN);
        if caps.contains(Capabilities::CONNECT_ATTRS) {
            let read = response.attributes().map(|pair| pair.map(|(n, v)| (n.to_vec(), v.to_vec()))).collect::<Result<Vec<_>, _>>();
            prop_assert_eq!(read, Ok(pairs));
        }
    }

    #[test]
    fn change_users(user in name(), auth in name(), database in option::of(name()), collation: u16, plugin in name(), raw in bytes()) {
        let caps = Capabilities::SECURE_CONNECTION | Capabilities::PLUGIN_AUTH | Capabilities::CONNECT_ATTRS;
        let database = database.as_deref().filter(|name| !name.is_empty());
        let packet = ChangeUser { user: &user, auth: &auth, database, collation: Some(collation), plugin: Some(&plugin), attributes: &raw };
        let encoded = packet.encode(caps);
        prop_assert_eq!(ChangeUser::parse(&encoded, caps), Ok(packet));
    }

    #[test]
    fn oks(affected_rows: u64, last_insert_id: u64, status: u16, warnings: u16, info in bytes(), state in bytes(), tracked: bool) {
        let caps = if tracked { Capabilities::SESSION_TRACK } else { Capabilities::NONE };
        let status = StatusFlags(status).without(StatusFlags::SESSION_STATE_CHANGED);
        let state = if tracked { &state[..] } else { &[] };
        let ok = OkPacket { affected_rows, last_insert_id, warnings, info: &info, ..OkPacket::new(status) }.with_session_state(state);
        let mut out = Vec::new();
        ok.encode(caps, &mut out);
        prop_assert_eq!(OkPacket::parse(&out, caps), Ok(ok));
    }

    #[test]
    fn session_states(variables in vec((bytes(), bytes()), 0..5), schema in bytes(), gtid in bytes()) {
        let mut changes: Vec<_> = variables.iter().map(|(name, value)| StateChange::SystemVariable { name, value }).collect();
        changes.extend([StateChange::Schema(&schema), StateChange::Gtid(&gtid), StateChange::StateChanged(true)]);
        changes.push(StateChange::Unknown { kind: 99, data: &gtid });
        let mut out = Vec::new();
        changes.iter().for_each(|change| change.encode(&mut out));
        prop_assert_eq!(StateChanges::new(&out).collect::<Result<Vec<_>, _>>(), Ok(changes));
    }

    #[test]
    fn executions(params in 1u16..40, with_types: bool, values in bytes(), id: u32, flags: u8) {
        let types: Vec<u8> = (0..2 * params).map(|at| at as u8).collect();
        let mut sent = vec![Command::StmtExecute as u8];
        sent.put_u32(id);
        sent.push(flags);
        sent.put_u32(1);
        sent.resize(sent.len() + usize::from(params).div_ceil(8), 0x55);
        sent.push(u8::from(with_types));
        if with_types { sent.extend_from_slice(&types); }
        sent.extend_from_slice(&values);
        let execute = Execute::parse(&sent, params)?;
        prop_assert_eq!((execute.types, execute.values), (with_types.then_some(&types[..]), &values[..]));
        prop_assert_eq!(&sent[execute.values_at..], &values[..]);
        let mut same = Vec::new();
        execute.with_types(id, None, &mut same);
        prop_assert_eq!(&same, &sent);
        let mut injected = Vec::new();
        execute.with_types(4711, Some(&types), &mut injected);
        let expected = Execute { id: 4711, types: Some(&types), values_at: injected.len() - values.len(), ..execute };
        prop_assert_eq!(Execute::parse(&injected, params), Ok(expected));
    }

    #[test]
    fn results(names in vec("[a-z]{1,9}", 1..5), rows in 0usize..4, cells in vec(option::of(bytes()), 16), deprecate_eof: bool) {
        let caps = if deprecate_eof { Capabilities::DEPRECATE_EOF } else { Capabilities::NONE };
        let mut result = TextResult::new(names.iter().map(|name| ColumnDef::text(name, 80)).collect());
        (0..rows).for_each(|nth| result.push(cells[nth..nth + names.len()].to_vec()));
        let (mut out, mut seq) = (Vec::new(), 1);
        result.encode(caps, StatusFlags::AUTOCOMMIT, 0, &mut seq, &mut out);

        let mut scanner = ResponseScanner::new(ResponseKind::Query, caps);
        let mut at = 0;
        while !scanner.is_done() {
            at += scanner.scan(&out[at..])?.steering.ok_or(TestCaseError::fail("stuck")).map(|steering| steering.end)?;
        }
        prop_assert_eq!((at, scanner.rows(), scanner.last_seq().wrapping_add(1)), (out.len(), rows as u64, seq));
        prop_assert_eq!(read_rows(&out, names.len(), deprecate_eof), Ok(result.rows));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(junk in bytes(), caps in any::<u64>().prop_map(Capabilities), params: u16) {
        let _ = (Greeting::parse(&junk), HandshakeResponse::parse(&junk), ChangeUser::parse(&junk, caps));
        let _ = (OkPacket::parse(&junk, caps), ErrPacket::parse(&junk), Eof::parse(&junk), PrepareOk::parse(&junk));
        let _ = (ColumnDef::parse(&junk, caps), Execute::parse(&junk, params), BulkExecute::parse(&junk, params));
        let _ = (AuthSwitchRequest::parse(&junk), AuthMoreData::parse(&junk), err::Progress::parse(&junk));
        let _ = (StateChanges::new(&junk).count(), Attributes::new(&junk).count(), TextRow::new(&junk).count());
        let _ = Assembler::new(100).next_packet(&junk);
    }
}

type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// The rows of an encoded result, by hand.
fn read_rows(mut out: &[u8], columns: usize, deprecate_eof: bool) -> Result<Rows, Malformed> {
    let mut packets = Vec::new();
    while let Some(header) = Header::parse(out) {
        packets.push(&out[4..4 + header.len]);
        out = &out[4 + header.len..];
    }
    packets.pop();
    let head = 1 + columns + usize::from(!deprecate_eof);
    let values = |row| TextRow::new(row).map(|value| Ok(value?.map(<[u8]>::to_vec))).collect();
    packets.into_iter().skip(head).map(values).collect()
}

#[test]
fn packets_of_sixteen_megabytes_and_more() {
    for len in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 2 * MAX_PAYLOAD + 5] {
        let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let (mut out, mut seq) = (Vec::new(), 255);
        write_packet(&mut out, &mut seq, &payload);
        let parts = len / MAX_PAYLOAD + 1;
        assert_eq!((out.len(), seq), (len + 4 * parts, 255u8.wrapping_add(parts as u8)));
        let frame = Assembler::new(len).next_packet(&out).unwrap().unwrap();
        assert_eq!(frame.bytes(&out), payload);
        assert_eq!(matches!(frame.payload, Payload::Joined(_)), parts > 1);
        assert_eq!(Assembler::new(len).next_packet(&out[..out.len() - 1]), Ok(None));
        let too_long = Assembler::new(len - 1).next_packet(&out);
        assert!(matches!(too_long, Err(FrameError::TooLong { .. })));
    }
}

#[test]
fn a_packet_that_is_too_long_is_refused_by_its_header() {
    let refused = Assembler::new(1000).next_packet(&[0xE9, 3, 0, 0]);
    assert_eq!(refused, Err(FrameError::TooLong { len: 1001, limit: 1000 }));
    assert_eq!(Assembler::new(1001).next_packet(&[0xE9, 3, 0, 0]), Ok(None));
}

#[test]
fn parts_out_of_order_are_refused() {
    let (mut out, mut seq) = (Vec::new(), 0);
    write_packet(&mut out, &mut seq, &vec![0; MAX_PAYLOAD + 1]);
    out[4 + MAX_PAYLOAD + 3] = 2;
    let refused = Assembler::new(1 << 25).next_packet(&out);
    assert_eq!(refused, Err(FrameError::OutOfOrder { expected: 1, got: 2 }));
}

#[test]
fn extended_flags_hold_only_where_the_server_is_mariadb() {
    let low = Capabilities::PROTOCOL_41.low();
    assert!(Capabilities::join(low, 4).contains(Capabilities::MARIADB_STMT_BULK));
    assert_eq!(Capabilities::join(low | 1, 4).extended(), 0);
}

#[test]
fn clients_from_before_4_1_and_wishes_for_tls() {
    let tls = SslRequest {
        capabilities: Capabilities::SSL | Capabilities::PROTOCOL_41,
        max_packet: 1,
        collation: 8,
    };
    assert!(SslRequest::is(&tls.encode()));
    assert_eq!(SslRequest::parse(&tls.encode()), Ok(tls));
    let plain = SslRequest { capabilities: Capabilities::PROTOCOL_41, ..tls };
    assert!(!SslRequest::is(&plain.encode()));
    assert!(HandshakeResponse::parse(b"\x85\x24\0\0\0root\0\0").is_err());
}

#[test]
fn commands_have_their_codes() {
    for &command in Command::ALL {
        assert_eq!(Command::from_byte(command as u8), Some(command));
    }
    assert_eq!(Command::ALL.iter().filter(|command| command.is_silent()).count(), 3);
    assert_eq!(Command::from_byte(0x7F), None);
}

#[test]
fn transaction_states() {
    use session_state::TransactionState;
    let state = TransactionState::parse(b"T_R_W_S_").unwrap();
    assert!(state.explicit && !state.implicit && state.read && state.wrote && state.sent_result);
    assert!(!state.locked_tables && !state.unsafe_statement);
    assert!(TransactionState::parse(b"I_______").unwrap().implicit);
    assert!(TransactionState::parse(b"_______L").unwrap().locked_tables);
    assert_eq!(TransactionState::parse(b"T"), None);
}
