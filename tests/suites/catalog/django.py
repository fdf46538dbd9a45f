"""Django's own tests with its MySQL backend over mysqlclient: the labels that talk to the database."""

import json
import os

from harness.execute import execute
from harness.outcome import Run, read_lines

from .base import FULL, PLUGINS, QUICK, Suite

VERSION = "4.2.16"
QUICK_LABELS = """backends transactions transaction_hooks basic bulk_create custom_pk get_or_create
    select_for_update introspection multiple_database aggregation expressions lookup queries select_related
    prefetch_related timezones update fixtures""".split()
FULL_LABELS = QUICK_LABELS + """admin_changelist aggregation_regress annotations cache constraints
    contenttypes_tests custom_columns custom_lookups custom_managers datatypes dates datetimes db_functions db_typecasts
    db_utils defer delete delete_regress distinct_on_fields empty expressions_case expressions_window
    extra_regress filtered_relation fixtures_regress force_insert_update foreign_object from_db_value
    generic_relations indexes inspectdb known_related_objects m2m_through many_to_many many_to_one
    max_lengths migrations model_fields model_inheritance null_fk null_queries one_to_one or_lookups
    order_with_respect_to ordering proxy_models queryset_pickle raw_query schema
    serializers sessions_tests signals string_lookup test_utils
    update_only_fields validation xor_lookups""".split()


class Django(Suite):
    """`runtests.py` of the source distribution, with settings written here."""

    name = "django"
    databases = ()
    setup = ("DROP DATABASE IF EXISTS test_django_main; DROP DATABASE IF EXISTS test_django_other;"
             "CREATE DATABASE IF NOT EXISTS django_main; CREATE DATABASE IF NOT EXISTS django_other;")
    limits = {QUICK: 400, FULL: 3600}

    def fetch(self, cache):
        cache.need_packages(["libmariadb-dev", "pkg-config", "gcc", "python3-dev"])
        self.folder = cache.python_sdist("Django", VERSION)
        venv = cache.virtualenv(self.name, ["mysqlclient==2.2.6", "asgiref", "sqlparse", "jinja2", "pyyaml", "tzdata",
                                            "pymemcache", "setuptools"])
        self.python = f"{venv}/bin/python"

    def run(self, target, work, scope):
        report = os.path.join(work, "report.jsonl")
        with open(os.path.join(work, "hadal_django_settings.py"), "w", encoding="utf-8") as file:
            file.write(_settings(target))
        labels = FULL_LABELS if scope == FULL else QUICK_LABELS
        command = [self.python, "runtests.py", "--settings=hadal_django_settings", "--parallel=1", "--noinput", *labels]
        environment = {"HADAL_REPORT": report, "PYTHONDONTWRITEBYTECODE": "1",
                       "PYTHONPATH": f"{work}:{PLUGINS}:{self.folder}"}
        done = execute(command, os.path.join(work, "log"), self.limits[scope],
                       cwd=os.path.join(self.folder, "tests"), env=environment)
        return Run(read_lines(report), done.complaint(), done.seconds)


def _settings(target):
    databases = {}
    for alias in ("default", "other"):
        name = "django_main" if alias == "default" else "django_other"
        databases[alias] = {"ENGINE": "django.db.backends.mysql", "NAME": name, "HOST": target.host,
                            "PORT": str(target.port), "USER": target.user, "PASSWORD": target.password,
                            "TEST": {"CHARSET": "utf8mb4"}}
    return (f"import json\nDATABASES = json.loads({json.dumps(databases)!r})\n"
            "SECRET_KEY = 'suites'\nUSE_TZ = False\nDEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n"
            "PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']\n"
            "TEST_RUNNER = 'hadal_django_runner.Runner'\n")
