"""Django's test runner, reporting every outcome through `hadal_report`."""

import unittest

from django.test.runner import DiscoverRunner
from hadal_report import ReportResult


class Runner(DiscoverRunner):
    """The same tests in the same order; only the result object differs."""

    def get_resultclass(self):
        return ReportResult

    def run_suite(self, suite, **kwargs):
        return unittest.TextTestRunner(verbosity=1, resultclass=ReportResult).run(suite)
