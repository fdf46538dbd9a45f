"""Clients that prove themselves by `caching_sha2_password`, with MySQL's own client."""

import os
import subprocess
from pathlib import Path

import pytest
from e2e.harness.mariadb import APP_PASSWORD
from e2e.harness.topology import Topology

MYSQL = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hadal/mysql/bin/mysql"
SHA2 = "--default-auth=caching_sha2_password"
# A client that asks for a key waits for an answer that must come.
KEY = "--get-server-public-key"
pytestmark = [
    pytest.mark.gateway,
    pytest.mark.skipif(not MYSQL.exists(), reason="run scripts/setup.sh mysql"),
]


def mysql(endpoint, *options, password=APP_PASSWORD):
    """Exit code and words of MySQL's own client. It must not hang, whatever happens: twenty seconds are many."""
    command = [MYSQL, "-h", endpoint.host, "-P", endpoint.port, "-u", endpoint.user, "-D", endpoint.database]
    command += [*options, "-N", "-B", "-e", "SELECT CURRENT_USER(), 40 + 2"]
    env = {**os.environ, "MYSQL_PWD": password}
    done = subprocess.run([*map(str, command)], env=env, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.fixture(scope="module")
def configured(scratch, template, binary):
    """A hadal that knows the password of `app`, and so can check this proof of it."""
    made = Topology(scratch / "sha2", template, binary=binary, replicas=0, user=f'password = "{APP_PASSWORD}"')
    try:
        yield made.start().endpoint
    finally:
        made.destroy()


@pytest.mark.parametrize("options", [(), (SHA2,), (SHA2, KEY)], ids=str)
def test_a_configured_password_lets_the_client_in(configured, options):
    assert mysql(configured, *options) == (0, "app@%\t42")


@pytest.mark.parametrize("options", [(), (SHA2,), (SHA2, KEY)], ids=str)
@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused_at_once(configured, options, password):
    code, said = mysql(configured, *options, password=password)
    assert code == 1
    assert said.startswith("ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1'"), said
    assert f"(using password: {'YES' if password else 'NO'})" in said


@pytest.mark.parametrize("options", [(), (SHA2,), (SHA2, KEY)], ids=str)
def test_without_a_configured_password_the_client_is_asked_for_the_native_proof(endpoint, options):
    assert mysql(endpoint, *options) == (0, "app@%\t42")
