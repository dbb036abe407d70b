/** Valid programs that came out wrong once, as a table: test/verify/corners.test.ts tells of them. */
import { join } from 'node:path';
import { withRuntime } from '../campaign/optimized/runtime.ts';
import { findTool, ROOT, run, tool } from './tools.ts';

export const CORNERS_FOLDER = join(ROOT, 'test/verify/corners');
const STATIC = ['-O2', '-w', '-static'];
/** With a tiny C library: there is less to look through. Without a compiler it is not made, nor is what is linked with it. */
const TINY = ['-O2', '-w', '-fno-stack-protector', ...(findTool('gcc') ? withRuntime() : []), '-lgcc'];
const CXX = [...STATIC, '-lstdc++'];
/** For clang. */
const CLANG = ['--target=riscv64-linux-gnu', '-isystem', '/usr/riscv64-linux-gnu/include', ...STATIC];
const BARE = ['-nostdlib', '-no-pie', '-static'];
export interface Corner {
  readonly file: string;
  /** Files that are linked with it. */
  readonly with?: readonly string[];
  readonly flags?: readonly string[];
  /** Arguments: trained with the first, run with all. */
  readonly inputs: readonly (readonly string[])[];
}

export const CORNERS: readonly Corner[] = [
  // An address that is near a return address is not computed from it.
  { file: 'link-as-base.c', inputs: [[]] },
  // What is linked through another register than ra and t0 is a value.
  { file: 'link-in-a1.S', flags: BARE, inputs: [[]] },
  { file: 'irelative-stub.c', inputs: [[]] },
  // Whoever knows that may come back by it.
  { file: 'call-by-t4.S', flags: BARE, inputs: [['1'], ['2'], ['7']] },
  // What is stored to pass it, or to show it, is not saved.
  { file: 'alloca-by-value.c', inputs: [[], ['0']] },
  { file: 'global-register.c', flags: [...STATIC, '-ffixed-s11'], inputs: [['20000'], ['3'], ['777']] },
  { file: 'global-in-object.c', flags: [...BARE, '-O2', '-w', '-ffixed-s11', '-fno-stack-protector'], inputs: [[]] },
  // A frame is reached by more than one base.
  { file: 'two-bases.c', inputs: [['20000'], ['3'], ['500']] },
  // Functions written by hand return in any register.
  { file: 't-registers.c', with: ['t-registers-asm.S'], inputs: [[]] },
  // Jumps that compute where they lead lead to any label of their function.
  { file: 'label-distances.c', flags: [...STATIC, '-s'], inputs: [['1'], ['15'], ['10'], ['12']] },
  { file: 'self-distances.S', flags: BARE, inputs: [['0'], ['7'], ['2'], ['4']] },
  { file: 'self-distances.S', flags: [...BARE, '-s'], inputs: [['0'], ['7'], ['2'], ['4']] },
  { file: 'labels-kept.c', flags: ['-O1', '-w', '-static'], inputs: [['0'], ['1']] },
  // Not all that jumps by ra or t0 returns.
  { file: 'jump-by-link.S', flags: BARE, inputs: [['0'], ['1']] },
  // Not all return to where they were called from.
  { file: 'return-behind.S', flags: BARE, inputs: [['0'], ['1']] },
  // Instructions that are not known may read whatever is kept for them.
  { file: 'unknown-reads.S', flags: BARE, inputs: [['0'], ['1']] },
  // What does not come back writes nothing, and what runs on into the next function does come back.
  { file: 'never-back.S', flags: BARE, inputs: [['0'], ['1']] },
  { file: 'passed-by-t0.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'returned-by-t0.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'jump-by-stack.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'back-by-ra.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'back-by-stack.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'both-links.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'link-copied.c', inputs: [['0'], ['1']] },
  { file: 'link-on-stack.c', flags: TINY, inputs: [['0'], ['1']] },
  // Callers are seen behind instructions that are not known, and behind data in the text.
  { file: 'behind-unknown.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'data-in-text.c', flags: [...TINY, '-s'], inputs: [['0'], ['1']] },
  // Data in the text may be a table that leads into the midst of a function, at any multiple of four.
  ...['8', '4', '0'].map((width) => ({
    file: 'table-in-text.S',
    flags: [...BARE, `-DWIDTH=${width}`],
    inputs: [['1'], ['1', '2']],
  })),
  // Entries of a table may be apart, and before the address that code makes.
  { file: 'table-of-records.S', flags: ['-static'], inputs: [[], ['1']] },
  { file: 'table-from-middle.c', flags: ['-Os', '-w', '-static'], inputs: [[], ['1']] },
  // A jump to an address in a register leads into lines that are also fallen into, with other registers.
  ...[[], ['-DHOLE']].map((how) => ({ file: 'label-fallen-into.S', flags: [...BARE, ...how], inputs: [[], ['1']] })),
  ...['a0', 't0'].map((by) => ({ file: 'link-by-table.S', flags: [...BARE, `-DBY=${by}`], inputs: [[], ['1']] })),
  { file: 'label-of-distances.c', inputs: [[], ['1']] },
  { file: 'loop-at-entry.c', flags: ['-Os', '-w', '-static'], inputs: [[], ['1']] },
  { file: 'table-behind-constant.c', inputs: [[], ['1']] },
  { file: 'cold-part-jumps.c', flags: [...STATIC, '-freorder-blocks-and-partition'], inputs: [[], ['1']] },
  // A table may begin before the address that is made, have holes, and be written to.
  { file: 'table-from-middle-cold.c', flags: [...STATIC, '-freorder-blocks-and-partition', '-s'], inputs: [[], ['1']] },
  { file: 'table-and-middle.c', flags: ['-Os', '-w', '-static'], inputs: [[], ['1']] },
  { file: 'table-with-hole.c', inputs: [[], ['1']] },
  { file: 'distances-with-hole.c', flags: ['-Os', '-w', '-static'], inputs: [[], ['1']] },
  { file: 'table-written.c', flags: ['-Os', '-w', '-static'], inputs: [[], ['1']] },
  ...['self-distances-behind.S', 'unseen-into-line.S', 'link-by-unseen.S'].map((file) => ({
    file,
    flags: BARE,
    inputs: [[], ['1']],
  })),
  { file: 'pad-of-jump.cpp', flags: CXX, inputs: [[], ['1']] },
  // What is kept may have been computed before.
  ...[0, 1, 2, 3].map((kept) => ({
    file: 'target-kept.c',
    flags: [...(kept === 3 ? STATIC : ['-O0', '-w', '-static']), `-DKEPT=${kept}`],
    inputs: [[], ['1']],
  })),
  // A function may come back at a label of its own, to which another jumps.
  { file: 'back-by-label.c', flags: [...BARE, '-O2', '-w', '-fno-stack-protector'], inputs: [[], ['1']] },
  { file: 'builtin-setjmp.c', inputs: [[], ['1']] },
  // A landing pad may be fallen into, or jumped to.
  { file: 'pad-jumped-into.cpp', flags: CXX, inputs: [[], ['1']] },
  // Callees that are called by name may change what the convention preserves, and come back by a landing pad.
  ...[[], ['-DBY_T1']].map((how) => ({
    file: 'callee-changes-saved.S',
    flags: [...BARE, ...how],
    inputs: [[], ['1']],
  })),
  ...['back-by-pad-throws.cpp', 'back-by-pad-noreturn.cpp'].map((thrower) => ({
    file: 'back-by-pad.c',
    with: [thrower],
    flags: ['-Os', '-w', '-fexceptions', '-static', '-lstdc++'],
    inputs: [[], ['1']],
  })),
  // Tables lead out of what symbols call the function: into a part under another name, or none, or before a second entry; or from operation to operation.
  { file: 'cold-alias.c', flags: [...TINY, '-freorder-blocks-and-partition'], inputs: [['0'], ['1']] },
  { file: 'cold-alias.c', flags: [...TINY, '-freorder-blocks-and-partition', '-Wl,-x'], inputs: [['0'], ['1']] },
  { file: 'two-entries.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'threaded-ops.c', flags: TINY, inputs: [['0'], ['1']] },
  { file: 'plain-labels.c', flags: TINY, inputs: [['0'], ['1']] },
  // An environment is no argument, but passed all the same.
  { file: 'static-chain.c', inputs: [['20000'], ['100000']] },
  // A table's address in registers holds only on the ways that are seen: pointers, callees, gp and unknown instructions may change it.
  ...[
    'table-by-pointer.S',
    'label-from-elsewhere.S',
    'elsewhere-by-table.S',
    'callee-changes-base.S',
    'millicode-changes-base.S',
    'gp-changes.S',
    'unknown-in-callee.S',
    'unknown-in-line.S',
    'unknown-before-entry.S',
    'masked-pointer.S',
    'into-unrolled.S',
    'long-table.S',
    'call-within.S',
    'second-row.S',
    'label-by-return.S',
    'label-by-call.S',
    'return-from-outer.S',
    'link-by-hand.S',
    't0-by-hand.S',
  ].map((file) => ({ file, flags: BARE, inputs: [['0'], ['1']] })),
  { file: 'cold-by-goto.c', flags: [...STATIC, '-freorder-blocks-and-partition'], inputs: [['0'], ['1']] },
  // Not every load of ra and jump to it returns from a call.
  { file: 'first-return.c', inputs: [['2000'], ['3']] },
  { file: 'return-as-next.c', inputs: [['0'], ['1']] },
  // Direct callers that the sweep misses are callers.
  ...['ODD', 'DIST', 'UNAL'].map((form) => ({
    file: 'hidden-caller.c',
    flags: [...STATIC, '-s', `-D${form}`],
    inputs: [['0'], ['1']],
  })),
  // Who looks at the whole sees its parts.
  { file: 'table-in-object.c', flags: CLANG, inputs: [['20000'], ['3', 'whole']] },
  // What unwinders go by is more than where registers are.
  { file: 'odd-frames.cpp', flags: CXX, inputs: [['90'], ['300']] },
  { file: 'odd-frames.cpp', flags: [...CXX, '-DSIGNAL'], inputs: [['90'], ['300']] },
  // Code that lies in the data is none of the image's.
  { file: 'code-in-data.c', inputs: [[], ['anew']] },
  // A system call reads a0 to a7.
  { file: 'syscall-setup.S', flags: BARE, inputs: [[]] },
  // What was saved in a frame that is given back is no part of the next one.
  { file: 'frame-again.c', inputs: [['3000'], ['7'], ['100']] },
];

/** Compiles one into a folder. @returns the executable */
export function buildCorner({ file, with: others = [], flags = STATIC }: Corner, folder: string): string {
  const out = join(folder, `${file}.elf`);
  const files = [file, ...others].map((name) => join(CORNERS_FOLDER, name));
  // The linker names objects in the symbol table: their names are to be the same each time.
  const result = run(tool(flags === CLANG ? 'clang' : 'gcc'), [...files, ...flags, '-save-temps=obj', '-o', out]);
  if (result.status !== 0) throw new Error(`${file}: ${result.stderr}`);
  return out;
}
