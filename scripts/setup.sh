#!/usr/bin/env bash
# Installs what the playground, the tests and the benchmarks need on Debian or Ubuntu, and says what it installs.
#
#   scripts/setup.sh [server] [python] [node] [bench]      default: server python node
#
# What is there already is left alone: the second run only looks. Rust itself is expected (https://rustup.rs).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hadal"
venv="${HADAL_VENV:-$cache/venv}"
requirements="$here/tests/requirements.txt"
node_modules="$cache/node"

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

apt_updated=
apt_install() {
  has apt-get || die "apt-get is missing; install by hand: $*"
  local run=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || die "needs root to install: $* (there is no sudo)"
    run=(sudo)
  fi
  say "installing Debian packages: $*"
  # Held while others install too, as on a machine that has just booted.
  local apt=("${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300)
  if [ -z "$apt_updated" ]; then
    "${apt[@]}" update >&2
    apt_updated=yes
  fi
  "${apt[@]}" install --no-install-recommends "$@" >&2
}

need_cargo() {
  has cargo || die "Rust is missing: install it from https://rustup.rs and run this again"
  # Crates with C or assembly need a linker.
  has cc || apt_install gcc libc6-dev
}

# The server's programs without its service: nothing starts by itself and nothing listens on 3306.
need_server() {
  local missing=()
  { has mariadbd && has mariadb-install-db; } || missing+=(mariadb-server-core)
  has mariadb || missing+=(mariadb-client-core)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# mysqlclient is compiled against the C library; everything else comes as wheels.
need_python() {
  local missing=()
  has python3 || missing+=(python3)
  { has mariadb_config || has mysql_config; } || missing+=(libmariadb-dev)
  has pkg-config || missing+=(pkg-config)
  has cc || missing+=(gcc libc6-dev)
  { has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; } || missing+=(python3-venv)
  if ! has python3 || [ ! -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]; then
    missing+=(python3-dev)
  fi
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  local wanted
  wanted=$(cat "$requirements")
  if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/hadal-requirements.txt" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  say "installing Python packages of tests/requirements.txt in $venv"
  mkdir -p "$(dirname "$venv")"
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  printf '%s\n' "$wanted" >"$venv/hadal-requirements.txt"
}

need_node() {
  if ! { has node && has npm; }; then
    has node && apt_install npm || apt_install nodejs npm
  fi
  if [ -e "$node_modules/hadal-package.json" ] && cmp -s "$here/tests/node/package.json" "$node_modules/hadal-package.json"; then
    return
  fi
  say "installing Node packages of tests/node/package.json in $node_modules"
  mkdir -p "$node_modules"
  cp "$here/tests/node/package.json" "$node_modules/package.json"
  (cd "$node_modules" && npm install --no-audit --no-fund --loglevel=error >&2)
  cp "$here/tests/node/package.json" "$node_modules/hadal-package.json"
}

need_bench() {
  local missing=()
  has sysbench || missing+=(sysbench)
  has haproxy || missing+=(haproxy)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

[ $# -gt 0 ] || set -- server python node
need_cargo
for what in "$@"; do
  case "$what" in
    server | python | node | bench) "need_$what" ;;
    *) die "unknown part '$what': server, python, node or bench" ;;
  esac
done
