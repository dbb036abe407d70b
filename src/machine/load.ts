/** Puts an image and its initial stack into memory as Linux does (fs/binfmt_elf.c, load_elf_binary and create_elf_tables). */
import { alignDown, alignUp } from '../base/bits.ts';
import { badOption, overLimit, unsupported } from '../base/errors.ts';
import { type Addr, hex, PAGE, type RunAddr } from '../base/units.ts';
import { PF, PT } from '../elf/constants.ts';
import type { Image } from '../elf/image.ts';
import type { Place } from '../place/place.ts';
import { heapStartOf, type Layout, placeFor, STACK_SIZE } from './layout.ts';
import { PERMISSION } from './memory.ts';
import type { AddressSpace } from './space.ts';

/** Keys of the auxiliary vector (uapi/linux/auxvec.h). */
const AT = {
  NULL: 0,
  PHDR: 3,
  PHENT: 4,
  PHNUM: 5,
  PAGESZ: 6,
  BASE: 7,
  FLAGS: 8,
  ENTRY: 9,
  UID: 11,
  EUID: 12,
  GID: 13,
  EGID: 14,
  HWCAP: 16,
  CLKTCK: 17,
  SECURE: 23,
  RANDOM: 25,
  EXECFN: 31,
} as const;

/** One bit for each single-letter extension, A = bit 0 (riscv uapi/asm/hwcap.h). */
const HWCAP = [...'IMAFDC'].reduce((bits, letter) => bits | (1 << (letter.charCodeAt(0) - 65)), 0);
/** `addi a7,x0,139; ecall`: rt_sigreturn, as in the vDSO of Linux (__vdso_rt_sigreturn). */
const TRAMPOLINE = [0x08b00893, 0x00000073];

export interface Loaded {
  readonly place: Place;
  readonly entry: RunAddr;
  /** The first address of the heap (the initial program break). */
  readonly heapStart: Addr;
  readonly sp: Addr;
}

export interface LoadOptions {
  readonly image: Image;
  readonly layout: Layout;
  /** As ProcessOptions.heapStart. */
  readonly heapStart?: Addr | undefined;
  /** argv, with argv[0]. */
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** AT_EXECFN. */
  readonly fileName: string;
  /** 16 bytes, AT_RANDOM. */
  readonly random: Uint8Array;
  readonly uid: number;
}

/** Maps image, stack and trampoline. Throws IsoformError if they do not fit into memory. */
export function load(space: AddressSpace, options: LoadOptions): Loaded {
  const { image, layout } = options;
  const place = placeFor(image);
  mapImage(space, place, layout);
  const heapStart = options.heapStart ?? heapStartOf(image);
  if (heapStart % PAGE !== 0 || heapStart < place.toRun(image.end) || heapStart > layout.mappingTop)
    throw overLimit(`${image.file}: no room for its heap at ${hex(heapStart)}`, 'raise --memory');
  space.map(layout.trampoline, PAGE, PERMISSION.READ | PERMISSION.EXECUTE);
  for (const [index, word] of TRAMPOLINE.entries())
    space.memory.view.setUint32(layout.trampoline + 4 * index, word, true);
  const executable = image.programHeaders.some((h) => h.type === PT.GNU_STACK && (h.flags & PF.EXECUTE) !== 0);
  const stack = PERMISSION.READ | PERMISSION.WRITE | (executable ? PERMISSION.EXECUTE : 0);
  space.map(layout.stackLow, STACK_SIZE, stack);
  const entry = place.toRun(image.entry);
  return { place, entry, heapStart, sp: buildStack(space, options, place) };
}

function mapImage(space: AddressSpace, place: Place, layout: Layout): void {
  const { memory } = space;
  const { image, areas } = place;
  const first = areas[0]!.start;
  if (first < PAGE) throw unsupported(`${image.file}: a segment lies in page 0`, 'null pointers must fault', first);
  const imageEnd = place.toRun(image.end);
  if (imageEnd > layout.mappingTop)
    throw overLimit(`${image.file}: ends at ${hex(imageEnd)}, beyond guest memory`, 'raise --memory');
  for (const { segment, ...area } of areas) {
    const start = alignDown(area.start, PAGE);
    const end = alignUp(area.end, PAGE);
    let permissions =
      (segment.flags.read ? PERMISSION.READ : 0) |
      // There is no page that can be written but not read (privileged manual, "Supervisor Address Translation": W without R is reserved).
      (segment.flags.write ? PERMISSION.WRITE | PERMISSION.READ : 0) |
      (segment.flags.execute ? PERMISSION.EXECUTE : 0);
    let fresh = start;
    // A page shared with the previous segment keeps its bytes and gets both segments' permissions.
    if (!space.free(start, PAGE)) {
      permissions |= memory.permissions[start / PAGE]!;
      memory.protect(start, PAGE, permissions);
      fresh += PAGE;
    }
    if (end > fresh) space.map(fresh, end - fresh, permissions);
    memory.bytes.set(segment.bytes, area.start);
  }
}

/**
 * AT_PHDR is the address of the table in the segment whose file part covers its offset (load_elf_binary). For a table
 * in no segment AT_PHDR is where the linked address 0 lies.
 */
function programHeaderAddress(place: Place): RunAddr {
  const { image } = place;
  const at = image.programHeaderOffset;
  const segment = image.segments.find((s) => at >= s.offset && at < s.offset + s.bytes.length);
  return place.toRun(segment ? at - segment.offset + segment.address : 0);
}

function buildStack(space: AddressSpace, options: LoadOptions, place: Place): Addr {
  const { image, layout, uid } = options;
  const { bytes, view } = space.memory;
  const encoder = new TextEncoder();
  const strings = [...options.args, ...options.env, options.fileName].map((text) => encoder.encode(text));
  const total = strings.reduce((sum, text) => sum + text.length + 1, 0) + 8 * strings.length;
  // Linux allows arguments and environment a quarter of the stack (execve(2), "Limits on size").
  if (total > STACK_SIZE / 4)
    throw badOption(`the guest's arguments and environment take ${total} bytes`, `${STACK_SIZE / 4} are the most`);
  // From the top: 8 zero bytes, the file name, the environment, the arguments, 16 random bytes, then the vectors.
  let at = layout.stackTop - 8;
  const addresses: Addr[] = [];
  for (let index = strings.length - 1; index >= 0; index--) {
    at -= strings[index]!.length + 1;
    bytes.set(strings[index]!, at);
    addresses[index] = at;
  }
  at = alignDown(at, 16) - 16;
  bytes.set(options.random.subarray(0, 16), at);
  const auxiliary: [number, number][] = [
    [AT.HWCAP, HWCAP],
    [AT.PAGESZ, PAGE],
    [AT.CLKTCK, 100],
    [AT.PHDR, programHeaderAddress(place)],
    [AT.PHENT, 56],
    [AT.PHNUM, image.programHeaders.length],
    [AT.BASE, 0],
    [AT.FLAGS, 0],
    [AT.ENTRY, place.toRun(image.entry)],
    [AT.UID, uid],
    [AT.EUID, uid],
    [AT.GID, uid],
    [AT.EGID, uid],
    [AT.SECURE, 0],
    [AT.RANDOM, at],
    [AT.EXECFN, addresses[strings.length - 1]!],
    [AT.NULL, 0],
  ];
  const argc = options.args.length;
  const words = [
    argc,
    ...addresses.slice(0, argc),
    0,
    ...addresses.slice(argc, argc + options.env.length),
    0,
    ...auxiliary.flat(),
  ];
  const sp = alignDown(at - 8 * words.length, 16);
  for (const [index, word] of words.entries()) view.setBigUint64(sp + 8 * index, BigInt(word), true);
  return sp;
}
