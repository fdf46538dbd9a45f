"""Where suites and the clients under them are fetched to: a folder outside the checkout, filled once.

Everything comes from package registries through their ordinary clients (pip, apt, npm, cargo), at a fixed version.
A finished item has a marker file, so that an interrupted download is done again and a finished one is not.
"""

import contextlib
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile


class Unavailable(Exception):
    """A suite or a program it needs cannot be had on this machine."""


def default_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("HADAL_SUITES_CACHE") or os.path.join(base, "hadal-suites")


class Cache:
    """A folder of fetched things; `say` reports what is being installed."""

    def __init__(self, root, say=print):
        self.root, self.say = os.path.abspath(root), say
        self._lock = None
        os.makedirs(self.root, exist_ok=True)

    def item(self, key, build):
        """The folder for `key`, made by `build(folder)` if it is not there yet."""
        folder = os.path.join(self.root, key)
        marker = folder + ".done"
        if os.path.exists(marker):
            # Another process may be minutes into fetching something else.
            return folder
        with self._locked():
            if not os.path.exists(marker):
                self.say(f"suites: fetching {key}")
                shutil.rmtree(folder, ignore_errors=True)
                os.makedirs(folder)
                build(folder)
                with open(marker, "w", encoding="ascii"):
                    pass
        return folder

    @contextlib.contextmanager
    def _locked(self):
        """One process at a time; entered again by the builder of an item that needs another item."""
        if self._lock:
            yield
            return
        with open(os.path.join(self.root, ".lock"), "w", encoding="ascii") as self._lock:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                self._lock = None

    def python_sdist(self, name, version):
        """The unpacked source distribution of a Python package."""
        def build(folder):
            pip = os.path.join(self.virtualenv("pip-tools", ["setuptools", "wheel", "cython", "flit_core",
                                                             "hatchling"]), "bin", "pip")
            # Without isolation, so that reading the metadata needs nothing beyond this environment.
            _run([pip, "download", "--quiet", "--no-deps", "--no-build-isolation", "--no-binary", ":all:",
                  "--dest", folder, f"{name}=={version}"])
            _unpack_only(folder)
        return _single(self.item(f"sdist-{name}-{version}", build))

    def virtualenv(self, name, requirements):
        """A virtual environment with exactly these requirements; changing them makes a new one."""
        def build(folder):
            self.say(f"suites: installing {' '.join(requirements)}")
            _run([sys.executable, "-m", "venv", folder])
            _run([os.path.join(folder, "bin", "pip"), "install", "--quiet", *requirements])
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", "_".join(requirements))[:80]
        return self.item(f"venv-{name}-{slug}", build)

    def debian_source(self, package, older=False):
        """The upstream source that a Debian package is built from; `older` takes the release's first version."""
        def build(folder):
            options = self._source_lists()
            version = _source_version(options, package, older)
            # apt fails as a whole where a packaging archive is missing from a mirror; only upstream's is needed.
            done = _run(["apt-get", *options, "source", "--download-only", "--quiet", f"{package}={version}"],
                        cwd=folder, check=False)
            if not glob.glob(os.path.join(folder, "*.orig.tar.*")):
                raise Unavailable(f"no source of {package}: {done[-500:]}")
            _unpack_only(folder)
        return _single(self.item(f"debian-{package}", build))

    def _source_lists(self):
        """apt options that read source packages from the machine's own mirrors, without touching its settings."""
        folder = self.item("apt-lists", _source_sources)
        options = ["-o", f"Dir::Etc::sourcelist={folder}/source.sources", "-o", "Dir::Etc::sourceparts=/dev/null",
                   "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache",
                   "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
        if os.path.exists(f"{folder}/source.list"):
            options[1] = f"Dir::Etc::sourcelist={folder}/source.list"
        if not glob.glob(f"{folder}/lists/*Sources*"):
            _run(["apt-get", *options, "update", "--quiet"])
        return options

    def need_programs(self, **packages):
        """Install the Debian packages of programs that are not there: `need_programs(php="php-cli")`."""
        missing = [package for program, package in packages.items() if not shutil.which(program.replace("_", "-"))]
        if missing:
            self.need_packages(missing)

    def need_packages(self, packages):
        """Install Debian packages, saying so."""
        have = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Status}\n", *packages], capture_output=True,
                              text=True, check=False).stdout
        missing = [name for name in packages if f"{name} install ok installed" not in have]
        if not missing:
            return
        self.say(f"suites: installing {' '.join(missing)}")
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        _run([*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet",
              "--no-install-recommends", *missing])


def _source_sources(folder):
    os.makedirs(os.path.join(folder, "lists", "partial"))
    os.makedirs(os.path.join(folder, "cache", "archives", "partial"))
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "main" in text:
            with open(os.path.join(folder, "source.sources"), "a", encoding="utf-8") as out:
                out.write(re.sub(r"(?m)^Types:.*$", "Types: deb-src", text) + "\n")
    if os.path.exists("/etc/apt/sources.list") and not os.path.exists(os.path.join(folder, "source.sources")):
        with open("/etc/apt/sources.list", encoding="utf-8") as file:
            lines = [re.sub(r"^deb\s", "deb-src ", line) for line in file if re.match(r"deb\s", line)]
        with open(os.path.join(folder, "source.list"), "w", encoding="utf-8") as out:
            out.writelines(lines)


def _source_version(options, package, older):
    shown = _run(["apt-cache", *options, "showsrc", "--only-source", package])
    versions = re.findall(r"(?m)^Version: (\S+)$", shown)
    if not versions:
        raise Unavailable(f"apt knows no source package {package}")
    order = subprocess.run(["sort", "-V"], input="\n".join(versions), capture_output=True, text=True, check=True)
    versions = order.stdout.split()
    return versions[0] if older else versions[-1]


def _unpack_only(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.tar.*"))):
        if path.endswith((".asc", ".debian.tar.xz")):
            continue
        with tarfile.open(path) as archive:
            # Older interpreters have no filters; what is unpacked comes from a signed or hashed registry.
            safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(folder, **safe)


def _single(folder):
    inside = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
    if len(inside) != 1:
        raise Unavailable(f"expected one folder in {folder}, found {len(inside)}")
    return inside[0]


def _run(command, cwd=None, check=True, env=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900,
                          env={**os.environ, **(env or {})})
    if check and done.returncode:
        raise Unavailable(f"{' '.join(command[:6])} ...: {done.stdout[-800:]}{done.stderr[-1500:]}")
    return done.stdout + done.stderr
