"""The suites that can be run, most valuable first; one file per client or framework."""

from .django import Django
from .mysqlclient import MysqlClient
from .pymysql import PyMysql
from .sqlalchemy import SqlAlchemy


def all_suites():
    """Fresh objects: a suite keeps where it was fetched to."""
    return [SqlAlchemy("pymysql"), SqlAlchemy("mysqlclient"), Django(), PyMysql(), MysqlClient()]
