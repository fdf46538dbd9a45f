"""Child processes that cannot outlive the test run."""

import subprocess


def spawn(command, **options):
    """Starts `command`. A run that is killed, even with SIGKILL, takes it along."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], **options)


def run_quietly(command, **options):
    """Runs `command` to its end; what it said is shown only where it fails."""
    done = subprocess.run(command, capture_output=True, check=False, **options)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said[-4000:]}"
