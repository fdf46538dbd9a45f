//! The functions that look at a text again for what depends on its literals.

use sql::{
    HadalShow, KillTarget, Mode, Scope, SpanKind, Target, explain_route, kill, processlist_references,
    set_autocommit, set_names, show_hadal, shows_closed_statements, simple_set, spans, text_prepare_name,
    transaction_start, use_schema,
};

const MODE: Mode = Mode { ansi_quotes: false, no_backslash_escapes: false, multibyte_unsafe: false };

#[test]
fn kills() {
    for (text, query_only, soft, target, span) in [
        ("KILL 5", false, false, KillTarget::Id(5), "5"),
        ("kill connection 17 ;", false, false, KillTarget::Id(17), "17"),
        ("KILL /* x */ HARD QUERY 5", true, false, KillTarget::Id(5), "5"),
        ("KILL SOFT CONNECTION 5", false, true, KillTarget::Id(5), "5"),
        ("KILL QUERY ID 99", true, false, KillTarget::QueryId(99), "99"),
        ("KILL USER 'a'@'b'", false, false, KillTarget::User("'a'@'b'".into()), "'a'@'b'"),
        ("KILL CONNECTION_ID()", false, false, KillTarget::Expression, "CONNECTION_ID()"),
        ("KILL QUERY @a + 1", true, false, KillTarget::Expression, "@a + 1"),
        ("KILL 99999999999999999999999", false, false, KillTarget::Expression, "99999999999999999999999"),
    ] {
        let kill = kill(text.as_bytes(), MODE).expect(text);
        assert_eq!((kill.query_only, kill.soft, kill.target), (query_only, soft, target), "{text}");
        assert_eq!(&text[kill.span], span);
    }
    for text in ["KILL", "KILL 5 6, 7", "KILL 5; SELECT 1", "SELECT 5", "KILL (5"] {
        assert_eq!(kill(text.as_bytes(), MODE), None, "{text}");
    }
}

#[test]
fn commands_to_hadal() {
    assert_eq!(show_hadal(b"show hadal sessions;"), Some(HadalShow::Sessions));
    assert_eq!(show_hadal(b"SHOW HADAL Digests"), Some(HadalShow::Digests));
    assert_eq!(show_hadal(b"SHOW HADAL nonsense"), Some(HadalShow::Unknown("nonsense".into())));
    assert_eq!(show_hadal(b"SHOW HADAL"), Some(HadalShow::Unknown(String::new())));
    assert_eq!(show_hadal(b"SHOW TABLES"), None);
    for (text, shows) in [
        ("SHOW SESSION STATUS LIKE 'Com_stmt_close'", true),
        ("show status like \"com_STMT_close\" ;", true),
        ("SHOW GLOBAL STATUS LIKE 'Com_stmt_close'", false),
        ("SHOW STATUS LIKE 'Com_stmt%'", false),
        ("SHOW STATUS LIKE 'Com_stmt_close' AND 1", false),
    ] {
        assert_eq!(shows_closed_statements(text.as_bytes(), Mode::default()), shows, "{text}");
    }
    assert_eq!(explain_route(b"explain /* x */ ROUTE  SELECT 1"), Some(&b"SELECT 1"[..]));
    assert_eq!(explain_route(b"EXPLAIN SELECT 1"), None);
}

#[test]
fn names() {
    assert_eq!(use_schema(b"USE shop;"), Some(b"shop".to_vec()));
    assert_eq!(use_schema(b"use `a``b`"), Some(b"a`b".to_vec()));
    assert_eq!(use_schema(b"USE a; SELECT 1"), None);
    assert_eq!(use_schema(b"USE 'a'"), None);
    assert_eq!(text_prepare_name(b"PREPARE Stmt FROM 'x'", MODE).as_deref(), Some("stmt"));
    assert_eq!(text_prepare_name(b"EXECUTE `S`", MODE).as_deref(), Some("s"));
    assert_eq!(text_prepare_name(b"DROP PREPARE s", MODE).as_deref(), Some("s"));
    assert_eq!(text_prepare_name(b"deallocate prepare s", MODE).as_deref(), Some("s"));
    assert_eq!(text_prepare_name(b"EXECUTE IMMEDIATE 'x'", MODE), None);
    assert_eq!(text_prepare_name(b"DROP TABLE s", MODE), None);
}

#[test]
fn spans_of_what_hadal_answers() {
    let cut = |text: &str, kind| -> Vec<String> {
        spans(text.as_bytes(), MODE, kind).into_iter().map(|span| text[span].to_owned()).collect()
    };
    let text = "SELECT connection_id(), 'connection_id()', Connection_Id /* */ ( ), x.connection_id() -- connection_id()";
    assert_eq!(cut(text, SpanKind::ConnectionId), ["connection_id()", "Connection_Id /* */ ( )"]);
    assert_eq!(cut("SELECT connection_id", SpanKind::ConnectionId), [""; 0]);
    let text = "SELECT * FROM information_schema.processlist WHERE information_schema.processlist.id = 1";
    assert_eq!(cut(text, SpanKind::ProcessList), ["information_schema.processlist"]);
    let text = "SELECT * FROM INFORMATION_SCHEMA.`PROCESSLIST` AS p, information_schema.processlist q JOIN t";
    assert_eq!(
        cut(text, SpanKind::ProcessList),
        ["INFORMATION_SCHEMA.`PROCESSLIST` AS p", "information_schema.processlist q"]
    );
    let references = processlist_references(text.as_bytes(), MODE);
    let aliases: Vec<_> = references.into_iter().map(|r| &text[r.alias.expect("an alias")]).collect();
    assert_eq!(aliases, ["p", "q"]);
}

#[test]
fn transactions() {
    let parse =
        |text: &str| transaction_start(text.as_bytes(), MODE).map(|s| (s.read_only, s.consistent_snapshot));
    assert_eq!(parse("BEGIN"), Some((None, false)));
    assert_eq!(parse("begin work ;"), Some((None, false)));
    assert_eq!(parse("START TRANSACTION"), Some((None, false)));
    assert_eq!(parse("START TRANSACTION READ ONLY"), Some((Some(true), false)));
    assert_eq!(parse("START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT"), Some((Some(false), true)));
    for text in ["BEGIN NOT ATOMIC SELECT 1; END", "START SLAVE", "START TRANSACTION READ", "BEGIN; SELECT 1"]
    {
        assert_eq!(parse(text), None, "{text}");
    }
    assert_eq!(parse("START TRANSACTION READ ONLY READ WRITE"), None);
}

#[test]
fn autocommit() {
    for (text, expected) in [
        ("SET autocommit=0", Some(false)),
        ("set AUTOCOMMIT = 1;", Some(true)),
        ("SET SESSION autocommit = OFF", Some(false)),
        ("SET @@autocommit = ON", Some(true)),
        ("SET @@session.autocommit := 'off'", Some(false)),
        ("SET autocommit = DEFAULT", Some(true)),
        ("SET GLOBAL autocommit = 0", None),
        ("SET autocommit = @a", None),
        ("SET autocommit = 0, sql_mode = ''", None),
        ("SET @autocommit = 0", None),
        ("SET autocommit = 2", None),
        ("SET autocommit = 0; SELECT 1", None),
    ] {
        assert_eq!(set_autocommit(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn assignments() {
    let text = "SET @A = f(1, 2), sql_mode := 'a,b', GLOBAL x = 1, y = default, @@session.z = (SELECT 1), @`q r` = 2";
    let set = simple_set(text.as_bytes(), MODE).expect("simple");
    let got: Vec<_> =
        set.iter().map(|a| (a.target, a.name.as_str(), &text[a.value_span.clone()], a.is_default)).collect();
    assert_eq!(
        got,
        [
            (Target::User, "a", "f(1, 2)", false),
            (Target::System(Scope::Unsaid), "sql_mode", "'a,b'", false),
            (Target::System(Scope::Global), "x", "1", false),
            (Target::System(Scope::Global), "y", "default", true),
            (Target::System(Scope::Session), "z", "(SELECT 1)", false),
            (Target::User, "q r", "2", false),
        ]
    );
    for text in [
        "SET NAMES utf8",
        "SET TRANSACTION READ ONLY",
        "SET PASSWORD FOR a = 'x'",
        "SET PASSWORD = 'x'",
        "SET a = 1, password = 'x'",
        "SET STATEMENT a = 1 FOR SELECT 1",
        "SET a = 1, NAMES utf8",
        "SET a = ",
        "SET a = 1; SET b = 2",
        "SET ROLE a",
        "SELECT 1",
        "SET a = (1",
    ] {
        assert_eq!(simple_set(text.as_bytes(), MODE), None, "{text}");
    }
}

#[test]
fn character_sets() {
    let parse = |text: &str| {
        set_names(text.as_bytes(), MODE).map(|s| (s.charset, s.collation, s.default, s.character_set))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(parse("SET NAMES utf8mb4"), Some((some("utf8mb4"), None, false, false)));
    assert_eq!(
        parse("set names 'utf8mb4' collate 'utf8mb4_bin';"),
        Some((some("utf8mb4"), some("utf8mb4_bin"), false, false))
    );
    assert_eq!(parse("SET NAMES DEFAULT"), Some((None, None, true, false)));
    assert_eq!(parse("SET NAMES 'it''s\\n'"), Some((some("it's\n"), None, false, false)));
    assert_eq!(parse("SET CHARACTER SET latin1"), Some((some("latin1"), None, false, true)));
    assert_eq!(parse("SET CHARSET latin1"), Some((some("latin1"), None, false, true)));
    for text in ["SET NAMES utf8, a = 1", "SET names = 1", "SET CHARACTER SET a COLLATE b", "SET NAMES"] {
        assert_eq!(parse(text), None, "{text}");
    }
}
