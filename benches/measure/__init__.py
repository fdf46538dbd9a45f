"""What `bench.py` measures and how: load by sysbench, processor time and memory by /proc."""

import os
import sys

# The servers of the lab are shared with the foreign suites.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                                "tests", "suites"))
