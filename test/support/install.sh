#!/bin/sh
# Says in one line what is missing of the tools that tests compare against; suites that need them are left out. Installs it where
# that is asked for, by ISOFORM_INSTALL=1 or a CI that is neither empty, 0 nor false, and possible: on Debian and Ubuntu, as root or
# with a sudo that wants no password. ISOFORM_INSTALL=0 turns installing off in CI too.
# The script never fails: a test run without the tools is still worth something.
set -u

case "${ISOFORM_INSTALL:-${CI:-}}" in
'' | 0 | false) asked=no ;;
*) asked=yes ;;
esac

missing=
want() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
want riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu
want riscv64-linux-gnu-g++ g++-riscv64-linux-gnu
command -v clang >/dev/null 2>&1 || want clang-19 clang-19
want csmith csmith
want strace strace
[ -e /usr/include/csmith/csmith.h ] || want /usr/include/csmith/csmith.h libcsmith-dev
want riscv64-linux-gnu-objdump binutils-riscv64-linux-gnu
[ -e /usr/riscv64-linux-gnu/lib/libc.a ] || want /usr/riscv64-linux-gnu/lib/libc.a libc6-dev-riscv64-cross
command -v qemu-riscv64-static >/dev/null 2>&1 || want qemu-riscv64 qemu-user
command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || want chromium chromium
if [ -z "$missing" ]; then
  [ "${1:-}" = setup ] && echo "isoform tests: all tools are here" >&2
  exit 0
fi

if [ "$asked" = no ]; then
  echo "isoform tests: missing, and suites that need them are left out:$missing; on Debian and Ubuntu 'npm run setup' installs them" >&2
  exit 0
fi

cannot() {
  echo "isoform tests: missing:$missing" >&2
  echo "isoform tests: $1" >&2
  echo "isoform tests: suites that compile guests, generate programs, compare with qemu or objdump, or open the report in a browser are left out" >&2
  exit 0
}

command -v apt-get >/dev/null 2>&1 || cannot 'not installing: this is not Debian or Ubuntu'
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root='sudo -n'
else
  cannot "not installing: needs root; try: sudo apt-get install$missing"
fi

echo "isoform tests: installing$missing" >&2
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# A mirror that does not answer must not hold up the tests for longer than this.
# shellcheck disable=SC2086
timeout 180 $as_root apt-get -q -o Acquire::Retries=2 -o Acquire::http::Timeout=20 update >"$log" 2>&1 || tail -n 3 "$log" >&2
for package in $missing; do
  # One by one: where one package does not exist (chromium on Ubuntu without snap), the others are still wanted.
  # shellcheck disable=SC2086
  if ! timeout 400 $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$package" >"$log" 2>&1; then
    echo "isoform tests: could not install $package; its suites are left out" >&2
    tail -n 3 "$log" >&2
  fi
done
rm -f "$log"
exit 0
