"""The suites that can be run, most valuable first; one file per client or framework."""

from .connector_c import ConnectorC
from .django import Django
from .go import GoMysql
from .mysqlclient import MysqlClient
from .node import Node
from .perl import PerlDriver
from .php import Php
from .pymysql import PyMysql
from .rust import RustCrate
from .sqlalchemy import SqlAlchemy


def all_suites():
    """Fresh objects: a suite keeps where it was fetched to."""
    return [SqlAlchemy("pymysql"), SqlAlchemy("mysqlclient"), Django(), PyMysql(), MysqlClient(), ConnectorC(), GoMysql(),
            Node("mysql2"), Node("mysql"), PerlDriver("mysql"), PerlDriver("MariaDB"), Php("mysqli", ["ext/mysqli"]),
            Php("pdo_mysql", ["ext/pdo_mysql"]), RustCrate("mysql"), RustCrate("mysql_async")]
