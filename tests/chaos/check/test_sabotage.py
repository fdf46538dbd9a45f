"""The checker on real servers: what is done behind everybody's back is found, and named."""

import pytest

from chaos.load.outcome import ACKNOWLEDGED

pytestmark = [pytest.mark.by_hand, pytest.mark.short]


def test_sabotage_is_found(lab):
    with lab.load() as load:
        pass
    assert lab.judge(load), "nothing was done yet"
    primary, (replica, _) = lab.primary(), lab.replicas()
    lost, twice = [o.token for o in load.outcomes if o.kind == "writer" and o.state == ACKNOWLEDGED][:2]
    halved = next(o.token for o in load.outcomes if o.kind == "transaction" and o.state == ACKNOWLEDGED)
    primary.sql(
        f"DELETE FROM app.tokens WHERE token = {lost}",
        f"INSERT INTO app.tokens (token, part, parts) VALUES ({twice}, 0, 1)",
        "INSERT INTO app.tokens (token, part, parts) VALUES (1, 0, 1)",
        f"DELETE FROM app.tokens WHERE token = {halved} AND part = 1",
    )
    replica.sql("SET sql_log_bin = 0", f"DELETE FROM app.tokens WHERE token = {twice} LIMIT 1")
    replica.sql("SET gtid_domain_id = 77", "CREATE TABLE app.errant (id INT)")
    on_all = {f"{kind} on {server.label}" for kind in ("lost", "half a transaction", "strange rows") for server in lab.servers}
    of_replica = {f"{kind} on {replica.label}" for kind in ("history of its own", "other rows than the primary")}
    key, text = primary.sql("SELECT k, v FROM app.lists ORDER BY LENGTH(v) DESC LIMIT 1")[0]
    values = text.split(",")
    primary.sql(f"UPDATE app.lists SET v = '{','.join([*values[1:], values[0]])}' WHERE k = {key}")
    others = [server for server in lab.servers if server is not replica]
    expected = on_all | of_replica | {f"executed twice on {server.label}" for server in others}
    verdict = lab.judge(load)
    # Everybody who has read that list has seen another order.
    expected |= {"read is no beginning of the list"}
    assert set(verdict.violations) == expected, str(verdict)
    assert verdict.count("lost") == verdict.count("executed twice") == 1
