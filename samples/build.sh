#!/bin/sh
# Rebuilds every sample, byte for byte as committed when the compiler is Debian 12's riscv64-linux-gnu-gcc.
# With --expected also rewrites the expected outputs, as qemu-riscv64 gives them.
set -eu
cd "$(dirname "$0")"
cc=${CC:-riscv64-linux-gnu-gcc}
# Without -fno-builtin and -fno-tree-loop-distribute-patterns, gcc would turn the runtime's memcpy into a call to itself.
flags='-O2 -march=rv64gc -mabi=lp64d -static -nostdlib -ffreestanding -fno-stack-protector -fno-math-errno
  -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables -Wall -Wextra -Wl,--build-id=none'
for source in */*.c; do
  name=$(dirname "$source")
  [ "$name" = runtime ] && continue
  # shellcheck disable=SC2086
  $cc $flags -I runtime runtime/start.S runtime/runtime.c "$name/$name.c" -o "$name/$name.elf"
  if [ "${1:-}" = --expected ]; then
    qemu-riscv64 "$name/$name.elf" <"$name/input" >"$name/expected"
    qemu-riscv64 "$name/$name.elf" <"$name/input.other" >"$name/expected.other"
  fi
done
