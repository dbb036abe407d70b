/** Origins of the targets of jumps: a search backward from a jump, on all paths within its function. */
import { derived } from '../base/derived.ts';
import { hasReg } from '../base/regset.ts';
import { type Addr, RA, type Reg } from '../base/units.ts';
import { imageLabels } from '../code/labels.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import { landingPads } from '../elf/unwind/index.ts';
import type { Insn } from '../isa/row.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, insnsOf } from './build.ts';
import { callTargets, entriesOf, groupsByBlock } from './groups.ts';
import { jumpsByGroup } from './landings.ts';
import { preservation } from './preserved.ts';

/** Operands with which instructions are tried: an instruction whose result equals each of them is a copy. */
export const TRIAL_VALUES = [0n, 0x1234n, 0xfedc_ba98_7654_3210n];

function predecessors(
  cfg: Cfg,
  comesBack: (block: CfgBlock) => boolean = () => true,
): ReadonlyMap<Addr, readonly CfgBlock[]> {
  const before = new Map<Addr, CfgBlock[]>();
  for (const block of cfg.blocks)
    for (const to of comesBack(block) && block.evidence !== 'guess' ? block.flow : []) {
      const list = before.get(to);
      if (list === undefined) before.set(to, [block]);
      else list.push(block);
    }
  return before;
}

/** The origin of a jump's target on one path. */
export interface Origin {
  /**
   * constant; loaded, or the link of a jump; computed from more than one register; passed: in a register at the function's entry; result:
   * in a register behind a call; nowhere: the path cannot be followed further.
   */
  readonly kind: 'constant' | 'loaded' | 'computed' | 'passed' | 'result' | 'nowhere';
  readonly reg: Reg;
  /** The instruction that made the value; undefined for the kinds passed, result and nowhere. */
  readonly insn: Insn | undefined;
  /** Start of the block in which the search ended. */
  readonly at: Addr;
  /** An instruction has changed the value since. */
  readonly changed: boolean;
}

/**
 * May the target be computed from parts that are not all seen? A changed constant is still a constant; a path that cannot be followed to its
 * beginning may compute anything.
 */
export const mayBeComputed = ({ kind, changed }: Origin): boolean =>
  kind === 'computed' || kind === 'nowhere' || (changed && kind !== 'constant');

type Origins = (jump: CfgBlock, of?: Reg) => Generator<Origin>;

/** Where targets come from, with all code behind calls reached. */
export const originsOf = derived('origins', (cfg: Cfg): Origins => originsIn(cfg));

/**
 * Follows the target of a jump backward, on all paths within its function. A path also ends where a jump that is not followed may come in:
 * at a label that the data or the code shows, or a landing pad. A jump to an address in a register may lead to any block of its function.
 * Given another register, its value at the jump is followed instead of the target.
 * @param anywhere groups of functions in which a jump may lead to any instruction
 */
export function originsIn(
  cfg: Cfg,
  comesBack?: (block: CfgBlock) => boolean,
  anywhere: ReadonlySet<Addr> = new Set(),
): Origins {
  const before = predecessors(cfg, comesBack);
  const preserved = preservation(cfg);
  const labels = imageLabels(cfg.image);
  const pads = landingPads(cfg.image);
  const entries = entriesOf(cfg);
  const called = callTargets(cfg);
  const groupOf = groupsByBlock(cfg);
  const jumps = jumpsByGroup(cfg);
  const isAnywhere = ({ start }: CfgBlock) => anywhere.has(groupOf.get(start)!);
  const isLabel = (at: Addr) => pads.has(at) || (labels.has(at) && !entries.has(at));
  return function* (jump, of) {
    const last = cfg.code.insnAt(jump.site)!;
    const seen = new Set<string>();
    const open: { readonly block: CfgBlock; readonly reg: Reg; readonly end: Addr; readonly changed: boolean }[] = [
      { block: jump, reg: of ?? last.rs1, end: jump.site, changed: of === undefined && last.imm !== 0 },
    ];
    const lead = (from: readonly CfgBlock[], reg: Reg, changed: boolean): void => {
      for (const block of from) {
        const key = `${block.start},${reg},${changed}`;
        if (seen.has(key)) continue;
        seen.add(key);
        open.push({ block, reg, end: block.end, changed });
      }
    };
    for (let way = open.pop(); way !== undefined; way = open.pop()) {
      const { block } = way;
      let { reg, changed } = way;
      const made = (kind: Origin['kind'], insn?: Insn): Origin => ({ kind, reg, insn, at: block.start, changed });
      // A callee that returns through one link register preserves the other, so ra is followed past a call that links in t0.
      const passes = way.end !== block.end || hasReg(preserved(block), reg);
      if (!passes && (reg !== RA || block.leavesLink || facts(cfg.code.insnAt(block.site)!).writes === RA)) {
        yield made(block.leavesLink ? 'nowhere' : 'result');
        continue;
      }
      let found: Origin | undefined;
      /** A label is passed: a jump to an address in a register may come in there. */
      let entered = false;
      const comesIn = () => {
        entered = true;
        lead(jumps.get(groupOf.get(block.start)!) ?? [], reg, changed);
      };
      const within = isAnywhere(block);
      if (within || isLabel(way.end === block.site ? block.site : block.start)) comesIn();
      for (const { at, insn } of insnsOf(cfg, { start: block.start, end: way.end }).reverse()) {
        if (facts(insn).writes === reg) {
          const from = sourceOf(insn);
          if (typeof from === 'string') {
            found = made(from, insn);
            break;
          }
          reg = from.reg;
          changed ||= from.changed;
        }
        if (within || isLabel(at)) comesIn();
      }
      if (entered) yield made('nowhere');
      if (found !== undefined) {
        yield found;
        continue;
      }
      const isEntry = entries.has(block.start);
      if (isEntry || called.has(block.start)) yield made('passed');
      // Who comes to an entry from elsewhere passes the register; the function itself may come back there.
      const group = groupOf.get(block.start)!;
      const all = before.get(block.start) ?? [];
      const ways = isEntry ? all.filter((from) => groupOf.get(from.start) === group) : all;
      if (ways.length === 0 && !isEntry) yield made('nowhere');
      if (ways.some((from) => from.behindUnknown === block.start)) yield made('nowhere');
      lead(
        ways.filter((from) => from.behindUnknown !== block.start),
        reg,
        changed,
      );
      lead(jumps.get(group) ?? [], reg, changed);
    }
  };
}

/** The source of an instruction's result: one register (`changed` unless the result is a copy), no operands, a load, or a computation. */
export function sourceOf(
  insn: Insn,
): 'constant' | 'loaded' | 'computed' | { readonly reg: Reg; readonly changed: boolean } {
  const { pure, reads, load, control } = facts(insn);
  if (load !== undefined || control !== 'none') return 'loaded';
  if (reads.length === 0) return pure ? 'constant' : 'loaded';
  if (!pure || reads.length > 1) return 'computed';
  const [from] = reads;
  const value = (role: Reg, tried: bigint) => (role === from ? tried : undefined);
  const copies = (tried: bigint) => {
    const [rs1, rs2] = [value(insn.rs1, tried), value(insn.rs2, tried)];
    return evaluate(insn, { ...(rs1 !== undefined && { rs1 }), ...(rs2 !== undefined && { rs2 }) }) === tried;
  };
  return { reg: from!, changed: !TRIAL_VALUES.every(copies) };
}
