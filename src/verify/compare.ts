/**
 * Are two processes in the same state, under the address map? Two words are the same if they are equal, or if the map pairs them: a
 * return address in optimized code stands for the original one. All other permitted differences are listed in `tolerated`.
 */
import { type Addr, PAGE, type Reg, type RunAddr, SP } from '../base/units.ts';
import type { AddressMap } from '../emit/map.ts';
import { PERMISSION } from '../machine/memory.ts';
import type { Process } from '../machine/process.ts';

/** The new segment of the optimized image, run-time addresses: code, then tables that only unwinders read. */
export interface NewSegment {
  readonly start: RunAddr;
  readonly codeStart: RunAddr;
  readonly codeEnd: RunAddr;
  readonly end: RunAddr;
}

export interface MemoryDifference {
  /** Address of the aligned 8-byte word, or of the page. */
  readonly address: Addr;
  readonly original: bigint;
  readonly optimized: bigint;
  /** The difference is in the page's permissions, not in a word. */
  readonly permission?: true;
}

/** Bytes below any stack pointer, also one that is not on the first thread's stack, that count as dead. */
const DEAD_BYTES = 65536;
/** Largest frame that the kernel makes for a signal handler (struct rt_sigframe), rounded up. */
const SIGNAL_FRAME_BYTES = 2048;

export class Comparison {
  readonly #original: Process;
  readonly #optimized: Process;
  readonly #map: AddressMap;
  readonly #segment: NewSegment;
  readonly #words: readonly [BigUint64Array, BigUint64Array];
  readonly #buffers: readonly [Buffer, Buffer];
  /** Words that differ in the two files: patched tables. */
  readonly #initial = new Map<Addr, readonly [bigint, bigint]>();
  /** Pairs of values besides the map's: places where control was in a syscall. `original,optimized`. */
  readonly #pairs = new Set<string>();
  /** Signal frames that hold dead registers: [low, high). */
  #frames: { low: Addr; high: Addr }[] = [];
  /** The first thread's stack pointer when it was last on its own stack. */
  #stackPointer: Addr;
  /** Bytes of memory compared so far. */
  compared = 0;
  /** The most words that differed at once: on the live stack, and others that were adopted. */
  staleWords = 0;
  /**
   * Words that differ may be without consequence: a stack pointer outside the first thread's stack was seen, or an alarm has come, which
   * interrupts each program at a place of its own.
   */
  adoptable = false;

  /** Takes the processes before their first instruction. */
  constructor(original: Process, optimized: Process, map: AddressMap, segment: NewSegment) {
    this.#original = original;
    this.#optimized = optimized;
    this.#map = map;
    this.#segment = segment;
    const words = (process: Process) => new BigUint64Array(process.memory.linear.buffer, 0, process.memory.size / 8);
    const buffer = (process: Process) => Buffer.from(process.memory.linear.buffer, 0, process.memory.size);
    this.#words = [words(original), words(optimized)];
    this.#buffers = [buffer(original), buffer(optimized)];
    this.#stackPointer = Number(original.hart.get(SP));
    for (const { address, original: o, optimized: p } of this.#differences(() => false))
      this.#initial.set(address, [o, p]);
  }

  /** May `optimized` stand where the original program has `original`? */
  same(original: bigint, optimized: bigint): boolean {
    return original === optimized || this.#tolerated(original, optimized);
  }

  #tolerated(original: bigint, optimized: bigint): boolean {
    if (this.#pairs.has(`${original},${optimized}`)) return true;
    // Code addresses are below 2^47, and exact as numbers; other values are no addresses.
    if (optimized >= 1n << 47n || original >= 1n << 47n) return false;
    const { place } = this.#original;
    const [o, p] = [Number(original) as RunAddr, Number(optimized) as RunAddr];
    if (this.#map.isPair(place.toLinked(o), place.toLinked(p))) return true;
    const { codeStart, codeEnd, end } = this.#segment;
    const area = place.areaAt(o);
    if (area === undefined || area.segment.flags.write) return false;
    // An unwinder keeps addresses of the tables that it has read (a pending exception holds the address of its handler table)...
    if (p >= codeEnd && p < end) return true;
    // ... and the start of the described code, which for a call in optimized code is the call's last two bytes.
    return p >= codeStart && p < codeEnd && this.#map.toOriginal(place.toLinked(p) + 2) !== undefined;
  }

  /** Both harts have stopped in the same syscall or fault: their pcs become a pair, since a signal frame will hold the pc. */
  pairPlaces(): void {
    const [o, p] = [this.#original.hart.pc, this.#optimized.hart.pc];
    if (o !== p) this.#pairs.add(`${BigInt(o)},${BigInt(p)}`);
  }

  /** A syscall or fault has been served: if a signal handler was entered, its frame holds registers that may be dead. */
  noteFrame(stackPointerBefore: Addr): void {
    const now = Number(this.#original.hart.get(SP));
    if (now === stackPointerBefore) return;
    this.#noteStack(now);
    const near = stackPointerBefore > now && stackPointerBefore - now < SIGNAL_FRAME_BYTES;
    this.#frames.push({ low: now, high: near ? stackPointerBefore : now + SIGNAL_FRAME_BYTES });
  }

  /** The first register of `registers` that differs. */
  register(registers: Iterable<Reg>): Reg | undefined {
    const [o, p] = [this.#original.hart, this.#optimized.hart];
    for (const reg of registers) if (!this.same(o.get(reg), p.get(reg))) return reg;
    return undefined;
  }

  /**
   * The first word of memory that differs; code, and the stack below the stack pointer, are left out. Stack words above the stack pointer
   * are only counted: a frame may hold words that earlier, deeper frames left behind (the unwinder's, or dead registers), and a word that
   * matters shows in later events.
   * @param adopt copy words that differ, other than on the stack, from the optimized program to the original
   */
  memory(adopt: boolean): MemoryDifference | undefined {
    const sp = Number(this.#original.hart.get(SP));
    const { stack } = this.#original;
    this.#noteStack(sp);
    this.#frames = this.#frames.filter(({ low }) => sp <= low);
    const dead = (address: Addr) =>
      (address >= stack.address && address < this.#stackPointer) ||
      (address < sp && address >= sp - DEAD_BYTES) ||
      this.#frames.some(({ low, high }) => address >= low && address < high);
    const [words] = this.#words;
    let first: MemoryDifference | undefined;
    let staleWords = 0;
    for (const difference of this.#differences(dead)) {
      const { address, original, optimized, permission } = difference;
      const initial = this.#initial.get(address);
      if (initial?.[0] === original && initial[1] === optimized) continue;
      if (this.#tolerated(original, optimized)) continue;
      if (permission) return difference;
      if (!this.#onStack(address)) {
        first ??= difference;
        if (!adopt) break;
        words[address / 8] = optimized;
      }
      staleWords++;
    }
    this.staleWords = Math.max(this.staleWords, staleWords);
    return first;
  }

  #noteStack(sp: Addr): void {
    if (this.#onStack(sp)) this.#stackPointer = sp;
    else this.adoptable = true;
  }
  #onStack(address: Addr): boolean {
    const { stack } = this.#original;
    return address >= stack.address && address < stack.address + stack.size;
  }

  *#differences(dead: (address: Addr) => boolean): Generator<MemoryDifference> {
    const memories = [this.#original.memory, this.#optimized.memory] as const;
    const [left, right] = [memories[0].permissions, memories[1].permissions];
    const [lefts, rights] = memories.map(
      ({ linear, permissionsAt, permissions }) => new Uint32Array(linear.buffer, permissionsAt, permissions.length / 4),
    ) as [Uint32Array, Uint32Array];
    const [o, p] = this.#words;
    const [first, second] = this.#buffers;
    const { stack } = this.#original;
    const deadStack = { from: stack.address, to: this.#stackPointer - (this.#stackPointer % PAGE) };
    for (let page = 1; page < left.length; page++) {
      if (left[page] === 0 && right[page] === 0) {
        // Most of the address space is empty: four pages are skipped at a time.
        while ((page & 3) === 3 && lefts[(page + 1) >> 2] === 0 && rights[(page + 1) >> 2] === 0) page += 4;
        continue;
      }
      const at = page * PAGE;
      if (at >= this.#segment.start && at < this.#segment.end) continue;
      if (at >= deadStack.from && at < deadStack.to) continue;
      const code = PERMISSION.EXECUTE;
      // Text differs by design, where it was patched; a page that can be written and executed is compared.
      const isText = (permission: number) => (permission & code) !== 0 && (permission & PERMISSION.WRITE) === 0;
      if (isText(left[page]!) && isText(right[page]!)) continue;
      this.compared += PAGE;
      if (left[page] !== right[page]) {
        yield { address: at, original: BigInt(left[page]!), optimized: BigInt(right[page]!), permission: true };
        continue;
      }
      if (first.compare(second, at, at + PAGE, at, at + PAGE) === 0) continue;
      for (let word = at / 8; word < (at + PAGE) / 8; word++)
        if (o[word] !== p[word] && !dead(word * 8))
          yield { address: word * 8, original: o[word]!, optimized: p[word]! };
    }
  }
}
