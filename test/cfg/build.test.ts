import { describe, expect, test } from 'vitest';
import { buildCfg, cfgKey } from '../../src/cfg/build.ts';
import { dotCfg, dumpCfg, findFunction } from '../../src/cfg/dump.ts';
import { livenessOf } from '../../src/cfg/liveness.ts';
import { functionDominators, loopsOf } from '../../src/cfg/loops.ts';
import { readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { blocksOf } from '../../src/profile/blocks.ts';
import { collect } from '../../src/profile/collect.ts';
import { decodeProfile, encodeProfile, profileOf } from '../../src/profile/store.ts';
import { compile, needs } from '../support/tools.ts';
import { assemble } from './assembly.ts';

const program = assemble(`
Main:
  addi a0,zero,3
loop:
  addi a0,a0,-1
  jal ra,@Leaf
back:
  bne a0,zero,@loop
  jal zero,@Tail
dark:
  addi a1,a1,1
  beq a1,zero,@inside
  jalr zero,0(ra)
Leaf:
  addi a2,a2,1
inside:
  addi a2,a2,1
  jalr zero,0(ra)
Tail:
  ecall
after:
  ebreak
`);
const { at } = program;
const profile = {
  hash: program.image.hash,
  name: 'test',
  starts: [{ at: at('Main'), count: 1 }],
  stops: [{ at: at('after'), count: 1 }],
  others: [],
  transfers: [
    { from: at('loop') + 4, to: at('Leaf'), count: 3 },
    { from: at('back'), to: at('loop'), count: 2 },
    { from: at('back'), to: at('back') + 4, count: 1 },
    { from: at('back') + 4, to: at('Tail'), count: 1 },
    { from: at('inside') + 4, to: at('back'), count: 3 },
    { from: at('Tail'), to: at('after'), count: 1 },
  ],
};
const cfg = buildCfg(program.image, profile);

describe('a small program', () => {
  test('what ran has its counts; what did not is there with 0', () => {
    expect(cfg.blocks.map(({ start, count, evidence }) => [start - at('Main'), count, evidence])).toEqual([
      [at('Main') - at('Main'), 1, 'executed'],
      [at('loop') - at('Main'), 3, 'executed'],
      [at('back') - at('Main'), 3, 'executed'],
      [at('back') + 4 - at('Main'), 1, 'executed'],
      [at('dark') - at('Main'), 0, 'swept'],
      [at('dark') + 8 - at('Main'), 0, 'swept'],
      // Split where the dark code leads into it.
      [at('Leaf') - at('Main'), 3, 'executed'],
      [at('inside') - at('Main'), 3, 'executed'],
      [at('Tail') - at('Main'), 1, 'executed'],
      [at('after') - at('Main'), 0, 'executed'],
    ]);
    expect(cfg.blockAt(at('inside') + 4)).toBeUndefined();
    expect(cfg.blockOver(at('inside') + 4)?.start).toBe(at('inside'));
    expect(cfg.blockOver(at('inside') + 2)).toBeUndefined();
  });

  test('edges have kinds and counts', () => {
    const edge = (from: string, to: string) => {
      const { kind, count } = cfg.graph.getEdgeAttributes(cfgKey(at(from)), cfgKey(at(to)));
      return `${kind} ${count}`;
    };
    expect(edge('loop', 'Leaf')).toBe('call 3');
    expect(edge('inside', 'back')).toBe('return 3');
    expect(edge('Leaf', 'inside')).toBe('fall 3');
    expect(edge('Main', 'loop')).toBe('fall 1');
    expect(edge('back', 'loop')).toBe('taken 2');
    expect(edge('dark', 'inside')).toBe('taken 0');
    expect(edge('Tail', 'after')).toBe('syscall 1');
  });

  test('functions, loops, dominators', () => {
    expect([...cfg.functions.values()].map(({ name }) => name)).toEqual(['Main', 'Leaf', 'Tail']);
    expect(cfg.enteredFromOutside(at('inside'))).toBe(true);
    expect(cfg.enteredFromOutside(at('Leaf'))).toBe(false);
    const { loops, irreducible, depthOf } = loopsOf(cfg, at('Main'));
    expect(irreducible).toBe(false);
    expect(loops).toEqual([
      { header: at('loop'), blocks: [at('loop'), at('back')], latches: [at('back')], parent: undefined, depth: 1 },
    ]);
    expect([depthOf(at('back')), depthOf(at('dark'))]).toEqual([1, 0]);
    expect(functionDominators(cfg, at('Main')).get(at('back'))).toBe(at('loop'));
  });

  test('without symbols, functions are what calls lead to', () => {
    const { functions } = buildCfg({ ...program.image, symbols: [] }, profile);
    expect([...functions.keys()]).toEqual(expect.arrayContaining([at('Main'), at('Leaf')]));
    expect(functions.get(at('Leaf'))?.blocks).toEqual([at('Leaf'), at('inside')]);
    expect(functions.get(at('Main'))?.name).toBe(`sub_${at('Main').toString(16)}`);
  });

  test('dumps name everything', () => {
    const text = dumpCfg(cfg, { only: findFunction(cfg, 'Leaf'), liveness: livenessOf(cfg) });
    expect(text).toContain(`function Leaf 0x${at('Leaf').toString(16)} blocks 2`);
    expect(text).toMatch(/block 0x\w+ count 3 depth 0 executed\n {4}live .*a2/);
    expect(dotCfg(cfg, findFunction(cfg, `0x${at('back').toString(16)}`))).toMatch(
      /"0x\w+" -> "0x\w+" \[label="taken 2"/,
    );
    expect(() => findFunction(cfg, 'Nobody')).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});

const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(int argc, char **argv) {
  static int table[500];
  for (int i = 0; i < 500; i++) table[i] = (i * 7919) % 1009;
  qsort(table, 500, sizeof *table, order);
  char *text = malloc(64);
  switch (argc) { case 1: strcpy(text, "one"); break; case 2: strcpy(text, "two"); break; case 3: strcpy(text, "three"); break;
    case 4: strcpy(text, "four"); break; case 5: strcpy(text, "five"); break; default: strcpy(text, "many"); }
  printf("%s %d %.3f\\n", text, table[17], table[18] / 7.0);
  return 3;
}`;

describe.runIf(needs('a graph of a real program', 'gcc'))('a static glibc program', () => {
  test.each([false, true])('stripped: %s', (stripped) => {
    const image = readImage(compile(SOURCE, stripped ? ['-O2', '-static', '-s'] : ['-O2', '-static']));
    expect(image.symbols.length === 0).toBe(stripped);
    const guest = createProcess({ image, args: ['x'] });
    const engine = makeEngine('dispatch', guest.memory);
    const { exit, instructions } = execute(guest, engine);
    expect(exit).toEqual({ kind: 'status', status: 3 });
    const counted = collect({
      transfers: engine.transfers(),
      starts: guest.starts,
      stops: guest.stops,
      links: guest.links,
      instructions,
    });
    const found = profileOf(decodeProfile(encodeProfile(counted), 'test'), image);
    const { blocks, retired } = blocksOf(found, image);
    expect(retired).toBe(instructions);

    const graph = buildCfg(image, found);
    expect(blocks.filter(({ start, count }) => graph.blockAt(start)?.count !== count)).toEqual([]);
    expect(graph.blocks.reduce((sum, { insns, count }) => sum + insns * count, 0)).toBe(instructions);
    expect(graph.graph.order).toBe(graph.blocks.length);
    expect(graph.blocks.length).toBeGreaterThan(5 * blocks.length);
    // Every block is in one function; every executed address is in its block.
    const inFunctions = [...graph.functions.values()].reduce((sum, { blocks: list }) => sum + list.length, 0);
    expect(inFunctions).toBe(graph.blocks.length);
    const live = livenessOf(graph);
    const strict = livenessOf(graph, { assumeAbi: false });
    let dead = 0;
    const contradictions: number[] = [];
    for (const { start, count } of graph.blocks) {
      const { x, f } = live.liveIn(start);
      const { x: strictX, f: strictF } = strict.liveIn(start);
      // The strict mode never knows less to be live.
      if (((x & ~strictX) | (f & ~strictF)) !== 0) contradictions.push(start);
      if (x !== ~1) dead += count;
    }
    expect(contradictions).toEqual([]);
    const executions = blocks.reduce((sum, { count }) => sum + count, 0);
    expect(dead / executions).toBeGreaterThan(0.9);
  });
});
