"""Accounts by the name of a client's host, on servers that resolve names: who gets in is who gets in at the server.

What the machine's resolver says is not the tests' to choose: names that it has to be asked for are tested in
`crates/gateway/src/names.rs`, with a resolver made for it.
"""

import contextlib

import pymysql
import pytest
from e2e.harness.topology import Endpoint, Topology


@pytest.fixture(scope="module")
def resolving(scratch, template, binary):
    made = Topology(scratch / "resolving", template, binary=binary, replicas=0)
    options = made.primary.folder / "server.cnf"
    options.write_text(options.read_text().replace("skip-name-resolve = 1", "skip-name-resolve = 0"))
    try:
        made.start()
        accounts = {"here@localhost": "here", "'starts'@'local%'": "starts", "there@'web.invalid'": "there"}
        for account, password in accounts.items():
            made.primary.sql(f"CREATE USER {account} IDENTIFIED BY '{password}'", f"GRANT ALL ON app.* TO {account}")
        yield made
    finally:
        made.destroy()


def outcomes(topology, user, source):
    """What comes of a login from `source` through hadal, and at the server."""
    said = []
    for port in (topology.endpoint.port, topology.primary.port):
        options = Endpoint(port).keywords(user=user, password=user, bind_address=source)
        try:
            with contextlib.closing(pymysql.connect(**options)):
                said.append("welcome")
        except pymysql.err.MySQLError as error:
            said.append(error.args)
    return said


@pytest.mark.gateway
@pytest.mark.parametrize("user", ["here", "starts", "there"])
def test_the_loopback_is_localhost(resolving, user):
    ours, theirs = outcomes(resolving, user, "127.0.0.1")
    assert ours == theirs
    assert (ours == "welcome") == (user != "there")


@pytest.mark.gateway
@pytest.mark.parametrize("user", ["here", "starts", "there"])
def test_the_rest_of_the_loopback_network_is_not(resolving, user):
    ours, theirs = outcomes(resolving, user, "127.0.0.77")
    assert theirs[0] in (1045, 1130)
    assert ours[0] == 1045


@pytest.mark.gateway
def test_nobody_has_a_name_where_servers_resolve_none(topology, connect):
    topology.primary.sql("CREATE USER 'here'@'localhost' IDENTIFIED BY 'here'")
    try:
        ours, theirs = outcomes(topology, "here", "127.0.0.1")
        assert ours == theirs
        assert ours[0] == 1045
    finally:
        topology.primary.sql("DROP USER 'here'@'localhost'")
