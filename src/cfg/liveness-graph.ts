/**
 * The graph that liveness is solved over: blocks, by their indexes, with the registers that they read and write, the rules by which control
 * leaves them, and the blocks that control may come to.
 */
import type { Addr } from '../base/units.ts';
import { SYSCALL_READS } from '../code/endings.ts';
import { facts } from '../domain/record.ts';
import { imageAccesses, possibleTargets } from './accesses.ts';
import { type CfgBlock, entersUnknown } from './block.ts';
import type { Cfg } from './build.ts';
import { functionGroups } from './groups.ts';
import { type Rule, rulesIn } from './liveness-rules.ts';
import { Lists, Sets } from './sets.ts';
import { uncalled } from './uncalled.ts';

export class LivenessGraph {
  readonly cfg: Cfg;
  /** Assumption A1 is made. */
  readonly assumeAbi: boolean;
  /** The blocks of the graph, and behind them the pseudo-block that stands for functions without a known call (uncalled.ts). */
  readonly blocks: readonly CfgBlock[];
  /** Index of the pseudo-block. */
  readonly pool: number;
  readonly index: ReadonlyMap<Addr, number>;
  /** By block: registers that it reads; that it reads before it writes them; that it writes. */
  readonly reads: Sets;
  readonly generated: Sets;
  readonly killed: Sets;
  readonly rules: readonly Rule[];
  /** By block: index of its callee; of the group that an unknown jump in it may stay in. -1: none. */
  readonly callee: Int32Array;
  readonly group: Int32Array;
  /** By group, its unknown jumps. */
  readonly jumpsOfGroup: readonly (readonly number[])[];
  /** By block: indexes of its successors. */
  readonly flow: Lists;
  /** By block: the blocks whose sets depend on its live-in. */
  readonly dependents: Lists;
  /** By block: 1 if control may go on to bytes that do not decode: an unknown extension's instruction may read any register. */
  readonly holes: Uint8Array;

  constructor(cfg: Cfg, assumeAbi: boolean) {
    const blocks = [...cfg.blocks, uncalled(cfg)];
    const size = blocks.length;
    this.cfg = cfg;
    this.assumeAbi = assumeAbi;
    this.blocks = blocks;
    this.pool = size - 1;
    this.index = new Map(blocks.map(({ start }, i) => [start, i]));
    this.reads = new Sets(size);
    this.generated = new Sets(size);
    this.killed = new Sets(size);
    for (const [i, block] of blocks.entries()) this.#summarise(block, i);
    this.callee = this.#callees();
    const rules = this.#rulesByEnding();
    const groups = this.#wholeGroups(rules);
    this.group = new Int32Array(size).fill(-1);
    this.jumpsOfGroup = groups.map(({ jumps }) => jumps);
    for (const [group, { members }] of groups.entries()) for (const i of members) this.group[i] = group;
    this.flow = this.#makeFlow(rules);
    this.rules = rules;
    const { starts, items } = this.flow;
    this.dependents = new Lists(size, (add) => {
      for (let i = 0; i < size; i++) {
        for (let k = starts[i]!; k < starts[i + 1]!; k++) add(items[k]!, i);
        if (this.callee[i]! >= 0) add(this.callee[i]!, i);
      }
    });
    this.holes = Uint8Array.from(blocks, (block) => Number(entersUnknown(block)));
  }

  #summarise(block: CfgBlock, i: number): void {
    const { code } = this.cfg;
    for (let at = block.start; at < block.end; ) {
      const insn = code.insnAt(at)!;
      at += insn.size;
      const { reads, writes, control } = facts(insn);
      // The system call reads the kernel's argument registers besides the registers of the instruction.
      if (control === 'syscall') {
        this.reads.add(i, SYSCALL_READS, 0);
        this.generated.add(i, SYSCALL_READS & ~this.killed.x[i]!, 0);
      }
      for (const reg of reads) {
        const [x, f] = reg < 32 ? [1 << reg, 0] : [0, 1 << (reg - 32)];
        this.reads.add(i, x, f);
        this.generated.add(i, x & ~this.killed.x[i]!, f & ~this.killed.f[i]!);
      }
      if (writes !== undefined) this.killed.add(i, writes < 32 ? 1 << writes : 0, writes < 32 ? 0 : 1 << (writes - 32));
    }
  }

  #callees(): Int32Array {
    return Int32Array.from(this.blocks, ({ ending, target }) =>
      (ending === 'call' || ending === 'indirect-call') && target !== undefined ? (this.index.get(target) ?? -1) : -1,
    );
  }

  #rulesByEnding(): Rule[] {
    const ruleOf = rulesIn(this.cfg);
    return this.blocks.map((block, i) => {
      if (i === this.pool) return 'flow';
      const rule = ruleOf(block, this.callee[i]! >= 0);
      return this.assumeAbi || rule === 'flow' || rule === 'syscall' ? rule : 'all';
    });
  }

  /**
   * Functions that an unknown jump may stay in, with their parts. All their bytes must be known to be code, else the jump's rule becomes
   * 'all'.
   */
  #wholeGroups(rules: Rule[]): { readonly members: readonly number[]; readonly jumps: readonly number[] }[] {
    const groups: { members: number[]; jumps: number[] }[] = [];
    for (const blocks of functionGroups(this.cfg).values()) {
      const members = blocks.map(({ start }) => this.index.get(start)!);
      const jumps = members.filter((i) => rules[i] === 'unknown-jump');
      if (jumps.length === 0) continue;
      if (this.#isWhole(blocks)) groups.push({ members, jumps });
      else for (const i of jumps) rules[i] = 'all';
    }
    return groups;
  }

  /** Are all bytes of the functions that these blocks make up known to be code, as their symbols' sizes tell? */
  #isWhole(members: readonly CfgBlock[]): boolean {
    const { functions } = this.cfg;
    const covered = new Map<Addr, Addr>();
    for (const { start, end, function: owner } of members) {
      const to = covered.get(owner) ?? owner;
      covered.set(owner, start <= to ? Math.max(to, end) : to);
    }
    return [...covered].every(([entry, to]) => to >= entry + (functions.get(entry)!.size ?? Number.POSITIVE_INFINITY));
  }

  /**
   * Successors of blocks: the known ones; of an unknown jump also the targets outside its function of tables that it is seen to read, and
   * the functions without a known call. A jump with a target in the middle of a block elsewhere gets the rule 'all'.
   */
  #makeFlow(rules: Rule[]): Lists {
    const { cfg, blocks, index, group } = this;
    const tables = new Map<Addr, Addr[]>();
    for (const read of imageAccesses(cfg.image).reads)
      tables.set(read.site, [...(tables.get(read.site) ?? []), ...possibleTargets(cfg, read)]);
    const led = blocks.map((block, i) => {
      if (rules[i] !== 'unknown-jump') return [];
      const out = new Set<number>([this.pool]);
      for (const target of tables.get(block.site) ?? []) {
        const over = cfg.blockAt(target) ?? cfg.blockOver(target);
        const to = over && index.get(over.start)!;
        if (to !== undefined && group[to] === group[i]) continue;
        if (over?.start !== target) rules[i] = 'all';
        else if (!block.flow.includes(target)) out.add(to!);
      }
      return [...out];
    });
    return new Lists(blocks.length, (add) => {
      for (const [i, { flow }] of blocks.entries()) {
        for (const to of flow) add(i, index.get(to)!);
        for (const to of led[i]!) add(i, to);
      }
    });
  }
}
