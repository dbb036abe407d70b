/** Images, profiles and graphs as text, and a graph as Graphviz DOT. Dumps are deterministic, one item a line, for comparisons. */
import { badOption } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { printRegs } from '../base/regset.ts';
import { type Addr, hex } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { print } from '../isa/text.ts';
import { blocksOf } from '../profile/blocks.ts';
import { OUTSIDE, type Profile } from '../profile/profile.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, type CfgEdge, cfgKey, insnsOf } from './build.ts';
import type { CfgFunction } from './functions.ts';
import type { Liveness } from './liveness.ts';
import { loopsOf } from './loops.ts';

const flags = ({ read, write, execute }: Image['segments'][number]['flags']): string =>
  `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`;

/** Header, segments, sections and the number of symbols. */
export function dumpImage(image: Image): string {
  const lines = [
    `image ${printable(image.file)}`,
    `hash ${image.hash}`,
    `kind ${image.relocatable ? 'position independent' : 'fixed address'}, entry ${hex(image.entry)}, end ${hex(image.end)}`,
    ...image.segments.map(
      (segment) =>
        `segment ${hex(segment.address)} size ${hex(segment.size)} file ${hex(segment.offset)}+${hex(segment.bytes.length)} ${flags(segment.flags)}`,
    ),
    ...image.sections
      .filter(({ type }) => type !== 0)
      .map(
        ({ name, address, size, offset }) =>
          `section ${printable(name) || '(unnamed)'} ${hex(address)} size ${hex(size)} file ${hex(offset)}`,
      ),
    `symbols ${image.symbols.length}, functions ${image.symbols.filter(({ kind }) => kind === 'function').length}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** All counts of a profile; with the image that they belong to, also its blocks and edges. */
export function dumpProfile(profile: Profile, image?: Image): string {
  const lines = [`profile runs ${profile.runs} instructions ${profile.instructions}`];
  for (const part of profile.images) {
    lines.push(`image ${printable(part.name)} hash ${part.hash}`);
    for (const other of part.others) lines.push(`other ${other}`);
    for (const { at, count } of part.starts) lines.push(`start ${hex(at)} ${count}`);
    for (const { at, count } of part.stops) lines.push(`stop ${hex(at)} ${count}`);
    for (const { from, to, count } of part.transfers)
      lines.push(`transfer ${hex(from)} ${to === OUTSIDE ? OUTSIDE : hex(to)} ${count}`);
    if (image === undefined || part.hash !== image.hash) continue;
    const { blocks, edges, retired } = blocksOf(part, image);
    for (const { start, end, insns, count } of blocks)
      lines.push(`block ${hex(start)}..${hex(end)} insns ${insns} count ${count}`);
    for (const { from, site, to, kind, count } of edges)
      lines.push(`edge ${hex(from)} at ${hex(site)} ${kind} ${to === OUTSIDE ? OUTSIDE : hex(to)} ${count}`);
    lines.push(`retired ${retired}`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * A function by name or by an address in it.
 * @throws bad-option if there is no such function
 */
export function findFunction(cfg: Cfg, wanted: string): CfgFunction {
  for (const func of cfg.functions.values()) if (func.name === wanted) return func;
  const symbol = cfg.image.symbols.find(({ name, kind }) => name === wanted && kind === 'function');
  const address =
    symbol?.address ?? (/^(0x)?[0-9a-f]+$/i.test(wanted) ? Number.parseInt(wanted.replace(/^0x/i, ''), 16) : undefined);
  const block = address === undefined ? undefined : cfg.blockOver(address);
  const func = block && cfg.functions.get(block.function);
  if (func === undefined)
    throw badOption(`no function ${wanted} in ${cfg.image.file}`, 'give a symbol or a hexadecimal address');
  return func;
}

function edgesOf(cfg: Cfg, block: CfgBlock): CfgEdge[] {
  const found: CfgEdge[] = [];
  cfg.graph.forEachOutEdge(cfgKey(block.start), (_, edge) => {
    found.push(edge);
  });
  return found.sort((a, b) => a.to - b.to);
}

export interface CfgDumpOptions {
  /** Only this function; default: all. */
  readonly only?: CfgFunction | undefined;
  /** Prints live registers at block starts. */
  readonly liveness?: Liveness | undefined;
}

/** Functions, loops, blocks with their instructions, and edges. */
export function dumpCfg(cfg: Cfg, { only, liveness }: CfgDumpOptions = {}): string {
  const lines: string[] = [];
  for (const func of only === undefined ? cfg.functions.values() : [only]) {
    const { loops, irreducible, depthOf } = loopsOf(cfg, func.entry);
    lines.push(
      `function ${printable(func.name)} ${hex(func.entry)} blocks ${func.blocks.length}${irreducible ? ' irreducible' : ''}`,
    );
    for (const { header, blocks, latches, parent, depth } of loops)
      lines.push(
        `  loop ${hex(header)} depth ${depth} blocks ${blocks.length} latches ${latches.map(hex).join(' ')}${parent === undefined ? '' : ` in ${hex(parent)}`}`,
      );
    for (const start of func.blocks) {
      const block = cfg.blockAt(start)!;
      lines.push(`  block ${hex(start)} count ${block.count} depth ${depthOf(start)} ${block.evidence}`);
      if (liveness !== undefined) lines.push(`    live ${printRegs(liveness.liveIn(start))}`);
      for (const { at, insn } of insnsOf(cfg, block)) lines.push(`    ${hex(at)}  ${print(insn, at)}`);
      for (const { kind, to, count } of edgesOf(cfg, block)) lines.push(`    ${kind} ${hex(to)} ${count}`);
      if (!block.flowKnown) lines.push('    and elsewhere');
    }
  }
  return `${lines.join('\n')}\n`;
}

const quoted = (text: string): string => `"${printable(text).replace(/["\\]/g, '\\$&')}"`;

/** One function (or all) as DOT: dark blocks ran often, and an edge's width grows with its count. Calls and returns are left out. */
export function dotCfg(cfg: Cfg, only?: CfgFunction): string {
  const lines = [`digraph ${quoted(only?.name ?? 'cfg')} {`, '  node [shape=box, fontname=monospace, style=filled];'];
  const functions = only === undefined ? [...cfg.functions.values()] : [only];
  const inside = new Set<Addr>(functions.flatMap(({ blocks }) => blocks));
  let hottest = 1;
  for (const start of inside) hottest = Math.max(hottest, cfg.blockAt(start)!.count);
  for (const func of functions) {
    lines.push(`  subgraph ${quoted(`cluster_${func.name}`)} {`, `    label=${quoted(func.name)};`);
    for (const start of func.blocks) {
      const block = cfg.blockAt(start)!;
      const text = [`${hex(start)}  ${block.count}`, ...insnsOf(cfg, block).map(({ at, insn }) => print(insn, at))];
      const heat = (0.6 * block.count) / hottest;
      // \\l ends a left-aligned line in a DOT label.
      lines.push(
        `    ${quoted(hex(start))} [label="${text.map((line) => line.replace(/["\\]/g, '\\$&')).join('\\l')}\\l", fillcolor="0.08 ${heat.toFixed(3)} 1.0"];`,
      );
    }
    lines.push('  }');
    for (const start of func.blocks)
      for (const { to, kind, count } of edgesOf(cfg, cfg.blockAt(start)!)) {
        if (!inside.has(to) || kind === 'call' || kind === 'indirect-call' || kind === 'return') continue;
        const width = (1 + (3 * count) / hottest).toFixed(2);
        lines.push(
          `  ${quoted(hex(start))} -> ${quoted(hex(to))} [label=${quoted(`${kind} ${count}`)}, penwidth=${width}${count === 0 ? ', style=dashed' : ''}];`,
        );
      }
  }
  lines.push('}');
  return `${lines.join('\n')}\n`;
}
