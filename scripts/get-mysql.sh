#!/usr/bin/env bash
# Puts a MySQL server and its client into a folder, beside whatever the machine has: MySQL is not in Debian's releases,
# and its packages want newer libraries than those have. So the packages of Debian's unstable suite are unpacked with
# all libraries that they load, and started with those. Nothing is installed, root is not needed.
#
#   scripts/get-mysql.sh FOLDER      makes FOLDER/bin/mysqld, FOLDER/bin/mysql and FOLDER/VERSION
#
# About 60 MB are loaded, 200 MB are kept. MYSQL_MIRROR names another Debian mirror than the one that apt uses. The
# folder may be moved. Needs apt-get, dpkg-deb and Debian's archive keys, on amd64 or arm64.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$(dirname "$1")"
folder="$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || { echo "get-mysql: $keys is missing: install debian-archive-keyring" >&2; exit 1; }
mirror=${MYSQL_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 -E '/debian/?$' || true)}
[ -n "$mirror" ] || { echo "get-mysql: apt uses no Debian mirror: name one in MYSQL_MIRROR" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch" "$folder.new"' EXIT

# An apt of its own: its lists, no packages installed, so that its answer names every library. The machine's settings of
# how to reach a mirror still apply, its sources and preferences do not.
mkdir -p "$scratch"/{lists/partial,archives/partial,empty,debs,root}
: >"$scratch/status"
echo "deb [signed-by=$keys] $mirror sid main" >"$scratch/sources.list"
options=(-qq -o APT::Sandbox::User= -o APT::Install-Recommends=0 -o Acquire::Retries=3 -o Acquire::Languages=none
  -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts="$scratch/empty"
  -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts="$scratch/empty"
  -o Dir::State="$scratch" -o Dir::State::Lists="$scratch/lists" -o Dir::State::Status="$scratch/status"
  -o Dir::Cache="$scratch" -o Dir::Cache::Archives="$scratch/archives"
  -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
  -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
  -o APT::Update::Post-Invoke::= -o APT::Update::Post-Invoke-Success::= -o DPkg::Pre-Install-Pkgs::=)
apt-get "${options[@]}" update
# All that would be installed, but for what no program here loads.
mapfile -t packages < <(apt-get "${options[@]}" -y --print-uris install mysql-server-core mysql-client-core |
  awk '/^\x27/ { sub(/_.*/, "", $2); print $2 }' | grep -vE '^(perl|libperl|libgdbm|libdb5|debconf|libc-gconv)' | sort -u)
[ ${#packages[@]} -gt 0 ] || { echo "get-mysql: $mirror has no mysql-server-core for this machine" >&2; exit 1; }
(cd "$scratch/debs" && apt-get "${options[@]}" download "${packages[@]}")

rm -rf "$folder.new"
mkdir -p "$folder.new/bin"
for package in "$scratch"/debs/*.deb; do
  dpkg-deb --extract "$package" "$folder.new/root"
done
rm -rf "$folder.new"/root/usr/share/{doc,man,locale,lintian,bash-completion}
find "$folder.new"/root/usr/bin -mindepth 1 ! -name mysql -delete
dpkg-deb --field "$scratch"/debs/mysql-server-core_*.deb Version >"$folder.new/VERSION"

# Started by the unpacked loader with the unpacked libraries; without a `--defaults…` of their own they read no options.
program() {
  cat >"$folder.new/bin/$1" <<END
#!/usr/bin/env bash
root=\$(cd "\$(dirname "\$(readlink -f "\${BASH_SOURCE[0]}")")/../root" && pwd)
unset LD_LIBRARY_PATH LD_PRELOAD
libraries=\$(echo "\$root"/usr/lib/*-linux-gnu)
first=--no-defaults
case "\${1:-}" in --defaults*) first=\$1; shift ;; esac
exec "\$libraries"/ld-linux-*.so.* --argv0 "\$0" --library-path "\$libraries:\$root/usr/lib/mysql/private" \\
  "\$root/$2" "\$first" --character-sets-dir="\$root/usr/share/mysql/charsets" --plugin-dir="\$root/usr/lib/mysql/plugin" $3 "\$@"
END
  chmod +x "$folder.new/bin/$1"
}
# Debian's own folder for files to load and to write is not there, and without it the server does not start.
program mysqld usr/sbin/mysqld '--basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" --secure-file-priv=NULL'
program mysql usr/bin/mysql ''
"$folder.new/bin/mysqld" --version >/dev/null
"$folder.new/bin/mysql" --version >/dev/null

rm -rf "$folder"
mv "$folder.new" "$folder"
