"""MariaDB Connector/C's own tests, compiled against the distribution's library: the C client under most others."""

import os
import shutil
import subprocess
import time

from harness.cache import Unavailable
from harness.execute import execute
from harness.outcome import Run
from harness.tap import outcomes

from .base import Suite

PROGRAMS = """conc336 bulk1 basic-t fetch charset logs cursor errors view ps ps_bugs sp result connection misc ps_new
    thread features-10_2 rpl_api async""".split()
FILE_LIMIT = 120
# What the sources ask of a configured build, answered for Linux; they are compiled without their build system.
PRESENT = """ALLOCA_H SETLOCALE NL_LANGINFO DLFCN_H FCNTL_H FLOAT_H LIMITS_H LINUX_LIMITS_H PWD_H STDDEF_H STDINT_H
    STDLIB_H STRING_H SYS_IOCTL_H SYS_SELECT_H SYS_SOCKET_H SYS_STAT_H SYS_TYPES_H SYS_UN_H UNISTD_H UCONTEXT_H DLERROR
    DLOPEN GETPWUID MEMCPY POLL STRTOK_R STRTOL STRTOLL STRTOUL STRTOULL VASPRINTF VSNPRINTF INT LONG LONG_LONG SIZE_T
    UINT USHORT ULONG SOCKLEN_T CHARP""".split()
SIZES = {"CHARP": 8, "INT": 4, "LONG": 8, "LONG_LONG": 8, "SIZE_T": 8, "UINT": 4, "USHORT": 2, "ULONG": 8,
         "SOCKLEN_T": 4}


class ConnectorC(Suite):
    """One program per subject, each speaking TAP."""

    name = "connector-c"
    databases = ("test",)

    def fetch(self, cache):
        cache.need_packages(["libmariadb-dev", "gcc"])
        source = cache.debian_source("mariadb", older=True)
        self.folder = os.path.join(source, "libmariadb", "unittest", "libmariadb")

        def build(folder):
            _build(os.path.join(source, "libmariadb"), folder)
        self.programs = cache.item("connector-c-programs", build)

    def run(self, target, work, scope):
        environment = {"MARIADB_CC_TEST": "1", "MYSQL_TEST_HOST": target.host, "MYSQL_TEST_PORT": str(target.port),
                       "MYSQL_TEST_USER": target.user, "MYSQL_TEST_PASSWD": target.password, "MYSQL_TEST_DB": "test",
                       "MYSQL_TMP_DIR": work}
        # Some tests read data.csv from where they are and write files beside it.
        folder = os.path.join(work, "source")
        shutil.copytree(self.folder, folder)
        run, began = Run(), time.monotonic()
        for name in PROGRAMS:
            program = os.path.join(self.programs, name)
            if os.path.exists(program):
                done = execute([program], os.path.join(work, name + ".log"), FILE_LIMIT, cwd=folder, env=environment)
                for outcome in outcomes(name, done):
                    run.add(outcome)
        run.seconds = time.monotonic() - began
        return run


def _build(library, folder):
    """Compile every program; the ones that do not compile against this release's headers are left out."""
    with open(os.path.join(folder, "ma_config.h"), "w", encoding="ascii") as file:
        file.writelines(f"#define HAVE_{name} 1\n" for name in PRESENT)
        file.writelines(f"#define SIZEOF_{name} {size}\n" for name, size in SIZES.items())
        file.write('#define SOCKET_SIZE_TYPE socklen_t\n#define ENABLED_LOCAL_INFILE 2\n'
                   '#define MARIADB_DEFAULT_CHARSET "utf8mb4"\n#define LOCAL_INFILE_MODE_OFF 0\n'
                   '#define LOCAL_INFILE_MODE_ON 1\n#define LOCAL_INFILE_MODE_AUTO 2\n')
    tests = os.path.join(library, "unittest")
    flags = ["-w", "-O1", "-D_GNU_SOURCE", "-DLIBMARIADB", f"-I{folder}", "-I/usr/include/mariadb",
             f"-I{tests}/mytap", f"-I{tests}/libmariadb", f"-I{library}/include"]
    shared = [f"{tests}/mytap/tap.c", f"{tests}/libmariadb/ma_getopt.c"]
    built, complaint = 0, ""
    for name in PROGRAMS:
        done = subprocess.run(["gcc", *flags, f"{tests}/libmariadb/{name}.c", *shared, "-o", os.path.join(folder, name),
                               "-lmariadb", "-lpthread", "-lm", "-ldl"], capture_output=True, text=True, check=False,
                              timeout=120)
        built += done.returncode == 0
        complaint = complaint or done.stderr[-600:]
    if built < len(PROGRAMS) // 2:
        raise Unavailable(f"only {built} programs of Connector/C's tests compile: {complaint}")
