#!/usr/bin/env python3
"""How many of a Flask-SQLAlchemy application's reads replicas serve, for each way of running its transactions.

    offload.py --hadal target/fast/hadal [--requests 2000] [--seed 1] [--json]

Runs examples/flask-shop, unchanged but for the settings named in the table, on a primary, two replicas and hadal. A
scripted shop of twenty customers browses, looks at products, fills carts and orders; the requests are the same in every
mode. The servers themselves tell who was asked: reads of the shop's tables are counted in their general logs, but for
locking reads, which only a primary can serve. All statements of the application are counted by hadal's metrics.
"""

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples/flask-shop")]

from e2e.harness.gateway import Gateway  # noqa: E402
from e2e.harness.mariadb import make_template  # noqa: E402
from e2e.harness.topology import Endpoint, Topology  # noqa: E402
from flask import Flask, request  # noqa: E402
from shop.models import db  # noqa: E402
from shop.views import shop  # noqa: E402
from sqlalchemy import text  # noqa: E402

PRODUCTS, CUSTOMERS, STOCK = 40, 20, 100_000
# Of a hundred requests. The rest go to the list of products.
PAGE, CART, ORDER, LOOK_AT_ORDER = 40, 12, 4, 6


def nothing():
    """The application as it is."""


def read_in_autocommit():
    if request.method == "GET":
        db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def read_in_read_only_transactions():
    if request.method == "GET":
        db.session.execute(text("START TRANSACTION READ ONLY"))


@dataclass(frozen=True)
class Mode:
    """What is set in hadal, in the engine, and before each request."""

    name: str
    cluster: str = ""
    engine: tuple = ()
    before: Callable = nothing


SPLIT = 'transaction_split = "until-first-write"'
READ_COMMITTED = (("isolation_level", "READ COMMITTED"),)
MODES = [
    Mode("all defaults"),
    Mode("`transaction_split` alone (REPEATABLE READ)", SPLIT),
    Mode("`transaction_split`, engine at READ COMMITTED", SPLIT, READ_COMMITTED),
    Mode("GET requests in READ ONLY transactions", before=read_in_read_only_transactions),
    Mode("GET requests in AUTOCOMMIT", before=read_in_autocommit),
    Mode("GET requests in AUTOCOMMIT, `transaction_split`, READ COMMITTED", SPLIT, READ_COMMITTED, read_in_autocommit),
]


def application(port, mode):
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="only for the measurement",
        SQLALCHEMY_DATABASE_URI=Endpoint(port).url("pymysql"),
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True, "pool_recycle": 300, **dict(mode.engine)},
    )
    db.init_app(app)
    app.register_blueprint(shop)
    app.before_request(mode.before)
    return app


def fill(app):
    """A shop with products; returns their ids."""
    with app.app_context():
        db.drop_all()
        db.create_all()
    client = app.test_client()
    products = [{"name": f"product {n}", "price": "9.99", "stock": STOCK} for n in range(PRODUCTS)]
    return [checked(client.post("/products", json=product)).json["id"] for product in products]


def checked(answer):
    assert answer.status_code < 300, (answer.status_code, answer.data)
    return answer


def visit(app, products, requests, seed):
    """The customers' requests; returns how many pieces they have ordered."""
    dice, ordered = random.Random(seed), 0
    customers = [{"client": app.test_client(), "cart": 0, "order": None} for _ in range(CUSTOMERS)]
    for _ in range(requests):
        customer, roll = dice.choice(customers), dice.randrange(100)
        product, client = dice.choice(products), customer["client"]
        if roll < PAGE:
            checked(client.get(f"/products/{product}"))
        elif roll < PAGE + CART or (roll < PAGE + CART + ORDER and not customer["cart"]):
            checked(client.post("/cart", json={"product": product}))
            customer["cart"] += 1
        elif roll < PAGE + CART + ORDER:
            customer["order"] = checked(client.post("/orders", json={"customer": "Ada"})).json["id"]
            ordered, customer["cart"] = ordered + customer["cart"], 0
        elif roll < PAGE + CART + ORDER + LOOK_AT_ORDER and customer["order"]:
            checked(client.get(f"/orders/{customer['order']}"))
        else:
            assert len(checked(client.get("/products")).json) == PRODUCTS
    return ordered


READ = re.compile(rb" Query\tSELECT flask_")
LOCKING = re.compile(rb" FOR UPDATE\s*$", re.MULTILINE)
STATEMENTS = re.compile(r"^hadal_queries_total\{.*\} (\d+)", re.MULTILINE)


def log_of(server):
    return server.folder / "general.log"


def reads_so_far(server):
    """Reads of the shop's tables that the server was asked."""
    log = log_of(server).read_bytes()
    return len(READ.findall(log)) - len(LOCKING.findall(log))


def counts(topology):
    """Reads on replicas, reads on the primary, statements in all."""
    statements = sum(map(int, STATEMENTS.findall(topology.gateway.http("/metrics")[1])))
    return sum(map(reads_so_far, topology.replicas)), reads_so_far(topology.primary), statements


def measure(mode, folder, topology, options):
    gateway = Gateway(options.hadal, folder, topology.servers, cluster=mode.cluster)
    gateway.start()
    topology.gateway = gateway
    try:
        app = application(gateway.port, mode)
        products = fill(app)
        topology.settle()
        pieces = 0

        def sample():
            nonlocal pieces
            before = counts(topology)
            pieces += visit(app, products, options.requests, options.seed)
            return [late - early for early, late in zip(before, counts(topology), strict=True)]

        on_replicas, on_primary, statements = topology.undisturbed(sample)
        with app.app_context():
            left = db.session.execute(text("SELECT SUM(stock) FROM flask_product")).scalar()
            db.engine.dispose()
        assert PRODUCTS * STOCK - left == pieces > 0, "orders and stock do not agree"
    finally:
        gateway.stop()
    return {"mode": mode.name, "on_replicas": on_replicas, "on_primary": on_primary, "statements": statements}


def table(results):
    lines = ["| mode | reads on replicas | reads on the primary | share of replicas | all statements |", "|---|---|---|---|---|"]
    for result in results:
        reads = result["on_replicas"] + result["on_primary"]
        share = f"{100 * result['on_replicas'] / max(reads, 1):.0f} %"
        numbers = (result["on_replicas"], result["on_primary"], share, result["statements"])
        lines.append(f"| {result['mode']} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hadal", required=True, help="the binary")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hadal-offload-"))
    topology = None
    try:
        make_template(folder / "template")
        topology = Topology(folder / "servers", folder / "template").start()
        for server in topology.servers:
            server.sql(f"SET GLOBAL general_log_file = '{log_of(server)}'", "SET GLOBAL general_log = 1")
        results = [measure(mode, folder / f"hadal-{n}", topology, options) for n, mode in enumerate(MODES)]
    finally:
        if topology:
            topology.gateway = None
            topology.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(results, indent=1) if options.json else table(results))


if __name__ == "__main__":
    main()
