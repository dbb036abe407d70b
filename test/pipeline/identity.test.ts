/**
 * The law of identity: with no pass, lowering gives back the original instructions, one for one, same registers, same order, apart from
 * control transfers and pc-relative addresses. Read from the emitted bytes, over whole programs.
 */
import { describe, expect, test } from 'vitest';
import { hex, type Reg } from '../../src/base/units.ts';
import { codeOf } from '../../src/code/code.ts';
import { facts } from '../../src/domain/record.ts';
import type { Image } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import type { AssumptionId } from '../../src/emit/assumptions.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import type { Insn } from '../../src/isa/row.ts';
import { print } from '../../src/isa/text.ts';
import type { Optimized } from '../../src/pipeline/emit-forms.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { blocksOf } from '../../src/profile/blocks.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { type Flow, makeFlow } from '../../src/superblock/flow.ts';
import { has, program } from '../support/programs.ts';
import { SAMPLES, sample } from '../support/samples.ts';

/** All but the size; the immediate where it is not part of a pc-relative address. */
const sameInsn = (a: Insn, b: Insn, immediate: boolean): boolean =>
  a.row === b.row &&
  a.rd === b.rd &&
  a.rs1 === b.rs1 &&
  a.rs2 === b.rs2 &&
  a.rs3 === b.rs3 &&
  a.rm === b.rm &&
  a.csr === b.csr &&
  (!immediate || a.imm === b.imm);

interface Checked {
  superblocks: number;
  insns: number;
  /** Where emitted code is not as the original, as text. */
  wrong: string[];
}

function check(flow: Flow, { layout, superblocks }: Optimized): Checked {
  const pathOf = new Map(superblocks.map(({ head, path }) => [head, path]));
  const checked: Checked = { superblocks: 0, insns: 0, wrong: [] };
  const base = Math.min(...layout.superblocks.flatMap(({ insns }) => insns.map(({ address }) => address)));
  for (const { lowered, insns, start, end } of layout.superblocks) {
    const path = pathOf.get(lowered.head)!;
    checked.superblocks++;
    const emitted = insns.filter(({ address }) => address >= start && address < end);
    let next = 0;
    const relative = new Set<Reg>();
    for (const { pc, insn } of path.flatMap((block) => flow.blocks.get(block)?.insns ?? [])) {
      const { control, readsPc, writes } = facts(insn);
      const group: { insn: Insn; address: number }[] = [];
      while (emitted[next]?.pc === pc) {
        const { address } = emitted[next++]!;
        group.push({ insn: decodeAt(layout.bytes, address - base)!, address });
      }
      const wrong = (what: string) =>
        checked.wrong.push(
          `${hex(lowered.head)}: ${hex(pc)} ${print(insn, pc)} ${what}: ${group.map((g) => print(g.insn, g.address)).join('; ')}`,
        );
      if (control !== 'none') {
        // A branch compares the same registers, turned round or not.
        if (control === 'branch') {
          const [branch] = group;
          if (branch?.insn.rs1 !== insn.rs1 || branch.insn.rs2 !== insn.rs2) wrong('compares something else');
        }
        continue;
      }
      checked.insns++;
      if (readsPc) {
        const [first] = group;
        if (group.length > 2 || first?.insn.row !== insn.row || first.insn.rd !== insn.rd) wrong('is no such address');
      } else if (group.length !== 1 || !sameInsn(group[0]!.insn, insn, !relative.has(insn.rs1)))
        wrong('is not as it was');
      if (writes !== undefined) relative.delete(writes);
      if (readsPc && writes !== undefined) relative.add(writes);
    }
    // What stands for no original instruction only transfers control.
    for (const { address } of emitted.filter(({ pc }) => pc === undefined)) {
      const insn = decodeAt(layout.bytes, address - base)!;
      const { control, readsPc } = facts(insn);
      if (control === 'none' && !readsPc) checked.wrong.push(`${hex(lowered.head)}: ${print(insn)} has no original`);
    }
    if (next > emitted.length) checked.wrong.push(`${hex(lowered.head)}: is cut short`);
  }
  return checked;
}

function law(image: Image, profile: ImageProfile, without: readonly AssumptionId[]): Checked {
  return check(
    makeFlow(blocksOf(profile, image), codeOf(image)),
    optimize(image, profile, { passes: 'none', without }),
  );
}

describe('the law of identity', () => {
  for (const without of [[], ['A3'], ['A1', 'A3', 'A4']] as const)
    test.each(without.length === 1 ? SAMPLES.slice(0, 3) : SAMPLES)(
      `%s, ${without.length === 0 ? 'with every assumption' : `without ${without.join()}`}`,
      (name) => {
        const { image, profile } = sample(name);
        const { wrong, superblocks, insns } = law(image, profile, without);
        expect(wrong).toEqual([]);
        expect(superblocks).toBeGreaterThan(10);
        expect(insns).toBeGreaterThan(100);
      },
    );
});

describe.runIf(await has('bzip2'))('the law of identity, of a real program', () => {
  test('bzip2', async () => {
    const bzip2 = await program('bzip2');
    const image = readImage(bzip2.file);
    const { args, stdin, dir } = bzip2.small;
    const { profile } = profileRun({ image, input: { args, stdin, grants: [dir], cwd: dir } });
    const { wrong, insns } = law(image, profileOf(profile, image), ['A3']);
    expect(wrong).toEqual([]);
    expect(insns).toBeGreaterThan(2000);
  });
});
