//! The command line as a person or a script meets it: words, streams, exit codes.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};

fn hadal(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hadal")).args(args).env_remove("HADAL_URL").output().unwrap()
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    for args in [&[][..], &["dance"], &["check"], &["check", "--config"], &["status", "--url", "https://x"]] {
        let (code, out, err) = told(&hadal(args));
        assert!(code == 2 && out.is_empty() && !err.is_empty(), "{args:?}: {code} {out} {err}");
    }
    for args in [&["--help"][..], &["check", "--help"], &["playground", "--help"], &["--version"]] {
        let (code, out, err) = told(&hadal(args));
        assert!(code == 0 && !out.is_empty() && err.is_empty(), "{args:?}: {code} {out} {err}");
    }
}

#[test]
fn check_is_0_for_a_right_file_and_1_with_line_and_key_for_a_wrong_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hadal.toml");
    let name = path.to_str().unwrap();
    let right = "[clusters.main]\nservers = [\"db1:3306\"]\nadmin_user = \"hadal\"\nadmin_password = \"x\"\n";
    std::fs::write(&path, right).unwrap();
    assert_eq!(told(&hadal(&["check", "--config", name])), (0, format!("{name}: right\n"), String::new()));
    std::fs::write(&path, format!("{right}max_lag = 3\n")).unwrap();
    let expected = format!("{name}:5: clusters.main.max_lag: unknown key, did you mean `max_lag_ms`?\n");
    assert_eq!(told(&hadal(&["check", "--config", name])), (1, String::new(), expected));
    let (code, _, err) = told(&hadal(&["check", "--config", "/no/such/file"]));
    assert!(code == 1 && err.starts_with("cannot read /no/such/file: "), "{err}");
}

#[test]
fn what_is_right_but_has_no_effect_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hadal.toml");
    let text = "[clusters.main]\nservers = [\"db1:3306\"]\nadmin_user = \"hadal\"\nadmin_password = \"x\"\nfailover = \"auto\"\n";
    std::fs::write(&path, text).unwrap();
    let (code, out, _) = told(&hadal(&["check", "--config", path.to_str().unwrap()]));
    assert!(
        code == 0 && out.contains(":5: clusters.main.failover: a former primary cannot become a replica"),
        "{out}"
    );
}

#[test]
fn nobody_there_or_somebody_else_there_is_one_clear_line() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let stranger = std::thread::spawn(move || {
        let (mut stream, _) = free.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"SSH-2.0-not-hadal\r\n").unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let (code, out, err) = told(&hadal(&["status", "--url", &url]));
    assert!(stranger.join().unwrap().starts_with("GET /readyz HTTP/1.0\r\n"));
    assert!(code == 1 && out.is_empty() && err.lines().count() == 1, "{code} {out} {err}");
    assert!(err.contains("is not hadal's admin API"), "{err}");
    let (code, out, err) = told(&hadal(&["explain", "--url", &url, "SELECT 1"]));
    assert!(code == 1 && out.is_empty() && err.lines().count() == 1, "{code} {out} {err}");
    assert!(err.contains("is hadal running?"), "{err}");
}
