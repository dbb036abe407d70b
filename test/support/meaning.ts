/** What terms of memories and of what is loaded from them are, byte by byte, for given addresses. Memory is 0 at the start. */
import { concrete } from '../../src/domain/concrete.ts';
import type { Term } from '../../src/domain/term.ts';
import { originOf, storedByte } from '../../src/verify/prove/stored.ts';

export class Meaning {
  readonly #inputs: Readonly<Record<string, bigint>>;
  constructor(inputs: Readonly<Record<string, bigint>>) {
    this.#inputs = inputs;
  }

  of(term: Term): bigint {
    if (term.value !== undefined) return term.value;
    const input = this.#inputs[term.name ?? ''];
    if (input !== undefined) return input;
    const load = /^load(\d)$/.exec(term.name ?? '');
    if (load) {
      let value = 0n;
      const place = this.of(term.args[1]!);
      for (let i = Number(load[1]) - 1; i >= 0; i--)
        value = (value << 8n) | BigInt(this.byte(term.args[0]!, place + BigInt(i)));
      return value;
    }
    const extension = /^([sz]ext)(8|16|32)$/.exec(term.op);
    const args = term.args.map((arg) => this.of(arg));
    if (extension) return concrete[extension[1] as 'zext'](args[0]!, Number(extension[2]) as 8 | 16 | 32);
    return concrete[term.op as 'add'](args[0]!, args[1]!);
  }

  byte(memory: Term, place: bigint): number {
    for (let at = memory; ; ) {
      const stored = storedByte(at, place, (term) => this.of(term));
      if (stored !== undefined) return Number((this.of(stored.value) >> BigInt(8 * stored.at)) & 0xffn);
      const origin = originOf(at);
      if (origin.name !== 'barrier') return 0;
      at = origin.args[0]!;
    }
  }
}
