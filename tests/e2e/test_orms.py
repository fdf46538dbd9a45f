"""SQLAlchemy, Flask-SQLAlchemy and Django through their own interfaces, and the example shops' own tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["pymysql", "mysqldb"])
def engine(endpoint, request):
    engine = sa.create_engine(endpoint.url(request.param))
    yield engine
    engine.dispose()


@pytest.fixture
def items(engine, request):
    metadata = sa.MetaData()
    items = sa.Table(
        f"items_{engine.driver}",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("price", sa.Numeric(10, 2)),
        sa.Column("data", sa.JSON),
        sa.Column("at", sa.DateTime),
    )
    metadata.drop_all(engine)
    metadata.create_all(engine)
    yield items
    metadata.drop_all(engine)


def test_sqlalchemy_connects_and_knows_the_server(engine, topology):
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
        assert engine.dialect.is_mariadb
        version = topology.primary.variable("version").split("-")[0]
        assert engine.dialect.server_version_info[:3] == tuple(map(int, version.split(".")))


def test_sqlalchemy_core_round_trip(engine, items):
    with engine.begin() as connection:
        connection.execute(items.insert(), [{"name": f"n{n}", "price": n, "data": {"n": [n]}} for n in range(100)])
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(items)) == 100
        row = connection.execute(sa.select(items).where(items.c.name == "n7")).one()
        assert row.data == {"n": [7]} and row.price == 7


def test_sqlalchemy_rolls_back(engine, items):
    with pytest.raises(RuntimeError), engine.begin() as connection:
        connection.execute(items.insert().values(name="gone"))
        raise RuntimeError
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(items)) == 0


def test_sqlalchemy_reads_its_writes_across_pooled_connections(engine, items):
    for number in range(50):
        with engine.begin() as connection:
            connection.execute(items.insert().values(name=f"n{number}"))
            assert connection.scalar(sa.select(sa.func.count()).select_from(items)) == number + 1


def test_sqlalchemy_isolation_levels(engine):
    serial = engine.execution_options(isolation_level="SERIALIZABLE")
    with serial.connect() as connection:
        assert connection.scalar(sa.text("SELECT @@tx_isolation")) == "SERIALIZABLE"
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT @@tx_isolation")) == "REPEATABLE-READ"
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        assert connection.scalar(sa.text("SELECT @@autocommit")) == 1


def test_sqlalchemy_savepoints_and_streaming(engine, items):
    with Session(engine) as session, session.begin():
        session.execute(items.insert().values(name="kept"))
        nested = session.begin_nested()
        session.execute(items.insert().values(name="dropped"))
        nested.rollback()
    with engine.connect() as connection:
        assert connection.scalars(sa.select(items.c.name)).all() == ["kept"]
        streamed = connection.execution_options(stream_results=True).execute(sa.text("SELECT seq FROM seq_1_to_20000"))
        assert sum(row[0] for row in streamed) == 20000 * 20001 // 2


def test_sqlalchemy_reflects_tables(engine, items):
    inspector = sa.inspect(engine)
    assert items.name in inspector.get_table_names()
    assert [column["name"] for column in inspector.get_columns(items.name)] == ["id", "name", "price", "data", "at"]


def run_in(folder, endpoint, *command, **environment):
    """Runs a command of an example with the endpoint in its environment; returns what it said."""
    variables = {
        **os.environ,
        "DATABASE_URL": endpoint.url("pymysql"),
        "DB_HOST": endpoint.host,
        "DB_PORT": str(endpoint.port),
        "DB_USER": endpoint.user,
        "DB_PASSWORD": endpoint.password,
        "DB_NAME": endpoint.database,
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    variables.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_the_flask_shop_passes_its_own_tests(endpoint, driver):
    said = run_in(
        EXAMPLES / "flask-shop",
        endpoint,
        sys.executable,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull, "test_shop.py"),
        PYTHONPATH=".",
        DATABASE_URL=endpoint.url(driver),
    )
    assert "5 passed" in said


def test_the_django_shop_passes_its_own_tests(endpoint):
    said = run_in(EXAMPLES / "django-shop", endpoint, sys.executable, "manage.py", "test", "--noinput")
    assert "Ran 5 tests" in said and "OK" in said


def test_django_migrates_checks_and_inspects(endpoint, topology):
    folder = EXAMPLES / "django-shop"
    assert "no issues" in run_in(folder, endpoint, sys.executable, "manage.py", "check", "--database", "default")
    assert "OK" in run_in(folder, endpoint, sys.executable, "manage.py", "migrate", "--noinput")
    # The next process is another session.
    topology.settle()
    assert "class ShopProduct" in run_in(folder, endpoint, sys.executable, "manage.py", "inspectdb", "shop_product")
    run_in(folder, endpoint, sys.executable, "manage.py", "migrate", "shop", "zero")
