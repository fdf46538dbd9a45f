"""Node's mysql2, unchanged: its tests are in tests/node/."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "node"
MODULES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hadal/node"


@pytest.mark.skipif(not shutil.which("node") or not MODULES.is_dir(), reason="run scripts/setup.sh node")
def test_mysql2(endpoint):
    environment = {
        **os.environ,
        "HADAL_NODE": str(MODULES),
        "DB_HOST": endpoint.host,
        "DB_PORT": str(endpoint.port),
        "DB_USER": endpoint.user,
        "DB_PASSWORD": endpoint.password,
        "DB_NAME": endpoint.database,
    }
    command = ["node", "--test", str(TESTS / "mysql2.test.js")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
