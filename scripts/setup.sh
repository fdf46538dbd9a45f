#!/usr/bin/env bash
# Installs what the playground, the tests and the benchmarks need on Debian or Ubuntu, and says what it installs.
#
#   scripts/setup.sh [build] [server] [plugins] [mysql] [coordination] [python] [node] [faults] [bench]   default: all but the last
#
# What is there already is left alone: the second run only looks. Rust itself is expected (https://rustup.rs).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hadal"
venv="${HADAL_VENV:-$cache/venv}"
requirements="$here/tests/requirements.txt"
node_modules="$cache/node"
# An ordinary user's PATH has no sbin, where Debian keeps the server.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Two of these at once would write into one environment; the second waits and then finds everything done.
only_one() {
  mkdir -p "$cache"
  exec 9>"$cache/setup.lock"
  flock --nonblock 9 || { say "waiting for another setup to finish"; flock 9; }
}

# `as_root` is `sudo` where that is needed; `what` is said to who cannot have it.
as_root=()
need_root() {
  [ "$(id -u)" -eq 0 ] && return
  has sudo || die "only root can install $* and there is no sudo; as root: apt-get install $*"
  as_root=(sudo)
}

# What apt says is shown when it fails. Its lock is held while others install too, as on a machine that has just booted.
apt() {
  local log="$cache/apt.log"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 ||
    { tail -n 40 "$log" >&2; return 1; }
}

apt_updated=
apt_install() {
  has apt-get || die "apt-get is missing; install by hand: $*"
  need_root "$@"
  say "installing Debian packages: $*"
  [ -n "$apt_updated" ] || apt update || die "apt-get update failed; install by hand: $*"
  apt_updated=yes
  apt install --no-install-recommends "$@" || die "apt-get cannot install: $*. Debian 12 and Ubuntu 24.04 are the oldest that have all of them"
}

# Crates with C or assembly need a linker, everything else needs make; tests send signals with the program `kill`.
need_build() {
  has cargo || die "Rust is missing: install it from https://rustup.rs and run this again"
  local missing=()
  has cc || missing+=(gcc libc6-dev)
  has make || missing+=(make)
  type -P kill >/dev/null || missing+=(procps)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# The server's programs without its service: nothing starts by itself and nothing listens on 3306.
need_server() {
  local missing=()
  { has mariadbd && has mariadb-install-db; } || missing+=(mariadb-server-core)
  has mariadb || missing+=(mariadb-client-core)
  # Makes a server anew from another one's data.
  { has mariadb-backup && has mbstream; } || missing+=(mariadb-backup)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# Some tests log in with ed25519. Debian keeps that plugin in the package that also has the service, so the one file is
# taken out of the package.
need_plugins() {
  need_server
  local folder package plugin=auth_ed25519.so scratch
  folder=$(mariadbd --no-defaults --help --verbose 2>/dev/null | awk '$1 == "plugin-dir" { sub("/$", "", $2); print $2 }')
  [ ! -e "$folder/$plugin" ] || return 0
  package="mariadb-server=$(dpkg-query --show --showformat='${Version}' mariadb-server-core 2>/dev/null)" ||
    die "$folder has no $plugin, and the server is not Debian's: install the plugin as its maker says"
  need_root mariadb-server
  say "installing $plugin of $package in $folder, without the rest of the package"
  [ -n "$apt_updated" ] || apt update || die "apt-get update failed"
  scratch=$(mktemp -d)
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2) || die "apt-get cannot download $package"
  dpkg-deb --fsys-tarfile "$scratch"/*.deb | tar -x -C "$scratch" --wildcards "*/$plugin"
  "${as_root[@]}" install -D -m 644 "$(find "$scratch" -name "$plugin")" "$folder/$plugin"
  rm -rf "$scratch"
}

# Proofs of passwords that only MySQL asks for are tested on a MySQL. It stays in a folder of its own.
need_mysql() {
  [ ! -s "$cache/mysql/VERSION" ] || return 0
  [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || apt_install debian-archive-keyring
  say "installing MySQL of Debian's unstable suite in $cache/mysql"
  rm -f "$cache/mysql-missing"
  retry "$here/scripts/get-mysql.sh" "$cache/mysql" >&2 && return
  # Not every machine has a mirror of that suite, and all but a few tests do without.
  say "MySQL cannot be had here: the tests that log in to one are left out"
  date >"$cache/mysql-missing"
}

# The tests start etcd and ZooKeeper themselves. Debian's package of etcd has a service that would start at once, so the one
# program is taken out of it, into a folder of its own; ZooKeeper's library has no service.
need_coordination() {
  local missing=()
  has java || missing+=(default-jre-headless)
  [ -e /usr/share/java/zookeeper.jar ] || missing+=(libzookeeper-java)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  { has etcd || [ -x "$cache/etcd/etcd" ]; } && return
  need_root etcd-server
  say "installing the program of etcd-server in $cache/etcd, without the rest of the package"
  [ -n "$apt_updated" ] || apt update || die "apt-get update failed"
  apt_updated=yes
  local scratch
  scratch=$(mktemp -d)
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download etcd-server >&2) || die "apt-get cannot download etcd-server"
  dpkg-deb --fsys-tarfile "$scratch"/*.deb | tar -x -C "$scratch" ./usr/bin/etcd
  install -D -m 755 "$scratch/usr/bin/etcd" "$cache/etcd/etcd"
  rm -rf "$scratch"
}

# mysqlclient is compiled against the C library; everything else comes as wheels. The tests also run mariadb-dump.
need_python() {
  local missing=()
  has python3 || missing+=(python3)
  { has mariadb_config || has mysql_config; } || missing+=(libmariadb-dev)
  has pkg-config || missing+=(pkg-config)
  has mariadb-dump || missing+=(mariadb-client)
  { has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; } || missing+=(python3-venv)
  if ! has python3 || [ ! -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]; then
    missing+=(python3-dev)
  fi
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  local wanted
  wanted=$(cat "$requirements" && python3 --version)
  if "$venv/bin/python" --version >/dev/null 2>&1 && [ "$(cat "$venv/hadal-requirements.txt" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  say "installing Python packages of tests/requirements.txt in $venv"
  mkdir -p "$(dirname "$venv")"
  # From nothing: what was interrupted, or made by another Python, is no base to build on.
  python3 -m venv --clear "$venv"
  retry "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  printf '%s\n' "$wanted" >"$venv/hadal-requirements.txt"
}

need_node() {
  if ! { has node && has npm; }; then
    has node && apt_install npm || apt_install nodejs npm
  fi
  local wanted
  wanted=$(cat "$here/tests/node/package-lock.json")
  [ "$(cat "$node_modules/hadal-lock.json" 2>/dev/null)" != "$wanted" ] || return 0
  say "installing Node packages of tests/node/package.json in $node_modules"
  mkdir -p "$node_modules"
  cp "$here"/tests/node/package{,-lock}.json "$node_modules/"
  (cd "$node_modules" && retry npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >&2)
  printf '%s\n' "$wanted" >"$node_modules/hadal-lock.json"
}

# Networks, disks and clocks of their own, for tests/chaos. Where they cannot be had, the faults that need them are skipped.
need_faults() {
  local missing=()
  has ip || missing+=(iproute2)
  has nft || missing+=(nftables)
  has mkfs.ext4 || missing+=(e2fsprogs)
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

need_bench() {
  local missing=()
  has python3 || missing+=(python3)
  has sysbench || missing+=(sysbench)
  has haproxy || missing+=(haproxy)
  has valgrind || missing+=(valgrind)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# A package registry that drops one connection must not fail a whole run.
retry() {
  "$@" || { say "trying again: $1"; "$@"; }
}

[ $# -gt 0 ] || set -- build server plugins mysql coordination python node faults
for what in "$@"; do
  case "$what" in
    build | server | plugins | mysql | coordination | python | node | faults | bench) ;;
    *) die "unknown part '$what': build, server, plugins, mysql, coordination, python, node, faults or bench" ;;
  esac
done
only_one
need_build
for what in "$@"; do
  "need_$what"
done
