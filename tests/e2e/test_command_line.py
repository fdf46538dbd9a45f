"""The mysql and mariadb command-line clients, and mariadb-dump where it is installed."""

import shutil
import subprocess

import pytest

CLIENTS = [name for name in ("mariadb", "mysql") if shutil.which(name)]


@pytest.fixture(params=CLIENTS)
def mysql(request, endpoint):
    def run(*statements, stdin=None, check=True, options=()):
        command = [request.param, "--no-defaults", "--batch", "--skip-column-names", *options]
        command += ["-h", endpoint.host, "-P", str(endpoint.port), "-u", endpoint.user, f"-p{endpoint.password}"]
        command += [endpoint.database]
        if statements:
            command += ["-e", "; ".join(statements)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=check)

    return run


def test_a_script_of_statements(mysql, table):
    done = mysql(f"INSERT INTO {table} (note) VALUES ('cli')", f"SELECT note FROM {table} WHERE note = 'cli'")
    assert done.stdout == "cli\n"


def test_a_script_on_standard_input_with_delimiters(mysql):
    script = (
        "DROP PROCEDURE IF EXISTS cli_hello;\nDELIMITER //\n"
        "CREATE PROCEDURE cli_hello() BEGIN SELECT 'hello'; SELECT 'again'; END//\nDELIMITER ;\n"
        "CALL cli_hello();\nDROP PROCEDURE cli_hello;\n"
    )
    assert mysql(stdin=script).stdout == "hello\nagain\n"


def test_errors_are_the_servers(mysql):
    done = mysql("SELECT * FROM not_there", check=False)
    assert done.returncode == 1
    assert "ERROR 1146 (42S02)" in done.stderr and "Table 'app.not_there' doesn't exist" in done.stderr


def test_status_names_the_server(mysql, topology):
    said = mysql("status").stdout
    assert topology.primary.variable("version") in said and "app@" in said


def test_quick_mode_streams(mysql):
    lines = mysql("SELECT seq FROM seq_1_to_100000", options=["--quick"]).stdout.split()
    assert len(lines) == 100000 and lines[-1] == "100000"


def test_local_infile(mysql, table, tmp_path):
    (tmp_path / "rows").write_text("70\tseventy\n")
    statement = f"LOAD DATA LOCAL INFILE '{tmp_path}/rows' INTO TABLE {table}"
    mysql(statement, options=["--local-infile=1"])
    assert mysql(f"SELECT note FROM {table} WHERE id = 70 FOR UPDATE").stdout == "seventy\n"


@pytest.mark.skipif(not shutil.which("mariadb-dump"), reason="mariadb-dump is not installed")
def test_a_dump_can_be_loaded_again(endpoint, mysql, table):
    command = ["mariadb-dump", "--no-defaults", "--single-transaction", "--no-tablespaces", "-h", endpoint.host]
    command += ["-P", str(endpoint.port), "-u", endpoint.user, f"-p{endpoint.password}", endpoint.database, table]
    dump = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    mysql(f"DROP TABLE {table}")
    mysql(stdin=dump)
    assert mysql(f"SELECT COUNT(*) FROM {table} FOR UPDATE").stdout == "3\n"
