import { describe, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { ENGINES, makeEngine } from '../../src/engine/engines.ts';
import { attach, execute, runToEvent, serve } from '../../src/engine/execute.ts';
import { encode } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { createProcess, type Process } from '../../src/machine/process.ts';
import { bareElf } from '../support/bare-elf.ts';

const ENTRY = 0x10000;

/** A process whose code is these instructions. */
function make(lines: readonly string[], memorySize?: number): Process {
  const bytes = new Uint8Array(4 * lines.length);
  const view = new DataView(bytes.buffer);
  for (const [index, line] of lines.entries()) view.setUint32(4 * index, encode(parse(line, ENTRY + 4 * index)), true);
  const image = parseImage(bareElf([{ address: ENTRY, bytes, execute: true }], ENTRY), 'made');
  return createProcess({ image, grants: [], cwd: '/', ...(memorySize !== undefined && { memorySize }) });
}

const forever = [`jal zero,0x${ENTRY.toString(16)}`];
/** getpid, then exit with its low byte. */
const twoCalls = ['addi a7,zero,172', 'ecall', 'addi a7,zero,94', 'ecall'];

describe.each([...ENGINES, 'translate-soon'])('execute on %s', (name) => {
  test('the limit on instructions is exact', () => {
    const guest = make(forever);
    const engine = makeEngine(name, guest.memory);
    const outcome = execute(guest, engine, { limitInstructions: 12_345 });
    expect(outcome).toMatchObject({ exit: { kind: 'limit', limit: 'instructions', pc: ENTRY }, instructions: 12_345 });
    expect(engine.transfers()).toEqual([{ from: ENTRY, to: ENTRY, count: 12_345 }]);
    // Where it was stopped counts as a stop: what started has ended.
    expect([guest.starts, guest.stops]).toEqual([[{ at: ENTRY, count: 1 }], [{ at: ENTRY, count: 1 }]]);
  });

  test('from event to event', () => {
    const guest = make(twoCalls);
    const engine = makeEngine(name, guest.memory);
    attach(guest, engine);
    expect(runToEvent(guest, engine, 1)).toEqual({ kind: 'budget' });
    const first = runToEvent(guest, engine, 1000);
    expect(first.kind === 'syscall' && first.call).toMatchObject({ number: 172, name: 'getpid', args: [] });
    expect(guest.hart.retired).toBe(2);
    expect(serve(guest, first)).toBe('continue');
    expect(guest.hart.get(10)).toBe(1000n);
    const second = runToEvent(guest, engine, 1000);
    expect(serve(guest, second)).toEqual({ kind: 'status', status: 1000 % 256 });
    expect(guest.hart.retired).toBe(4);
    expect(guest.stops).toEqual([{ at: ENTRY + 16, count: 1 }]);
  });

  test('counters are read in a memory whose addresses have their highest bit set', () => {
    const read = [
      'addi s0,zero,200',
      'csrrs a0,instret,zero',
      'addi s0,s0,-1',
      `bne s0,zero,0x${(ENTRY + 4).toString(16)}`,
    ];
    const guest = make([...read, 'addi a7,zero,93', 'ecall'], 3 * 2 ** 30);
    const { exit, instructions } = execute(guest, makeEngine(name, guest.memory));
    // The last one was read behind the first instruction and 199 rounds.
    expect([exit, instructions]).toEqual([{ kind: 'status', status: (1 + 199 * 3) & 255 }, 1 + 200 * 3 + 2]);
  });

  test('a fault ends the guest', () => {
    const guest = make(['lw a0,0(zero)']);
    expect(execute(guest, makeEngine(name, guest.memory))).toMatchObject({
      exit: { kind: 'signal', signal: 11, name: 'SIGSEGV', pc: ENTRY, address: 0n },
      instructions: 0,
    });
  });

  test('each syscall is shown before it runs', () => {
    const guest = make(twoCalls);
    const seen: (string | undefined)[] = [];
    execute(guest, makeEngine(name, guest.memory), { onSyscall: (call) => seen.push(call.name) });
    expect(seen).toEqual(['getpid', 'exit_group']);
  });
});
