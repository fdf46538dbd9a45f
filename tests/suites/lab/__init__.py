"""Real servers for measuring and for foreign suites: MariaDB, HAProxy and hadal, each in a folder of its own.

Everything binds 127.0.0.1 on a free port, and stopping ends exactly the processes that were started here.
"""
