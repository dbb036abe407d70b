/**
 * The translating engine: hot guest functions become wasm functions, the rest is interpreted by records. See translate/.
 */
import type { Memory } from '../machine/memory.ts';
import type { Engine } from './engine.ts';
import { RecordEngine } from './record-engine.ts';
import type { Kept } from './translate/kept.ts';
import type { TranslateOptions } from './translate/policy.ts';
import { Translator } from './translate/translator.ts';

const DEFAULTS: TranslateOptions = {
  threshold: 8000,
  perInsn: 100,
  perInsnAgain: 600,
  batch: 16,
  pace: 40_000,
  counting: true,
  mostRegions: 20_000,
  mostInsns: 400_000,
};

/** For a run that begins with kept code: the little code still missing will be kept too, and so is worth more than this run pays for it. */
const IN_LATER_RUNS: Partial<TranslateOptions> = {
  perInsn: DEFAULTS.perInsn / 10,
  perInsnAgain: DEFAULTS.perInsnAgain / 10,
};

/**
 * @param memory the memory of every hart that this engine will run
 * @param options for tests and measurements
 * @param kept the result of `keep` from the engine of an earlier run
 */
export function makeTranslate(memory: Memory, options: Partial<TranslateOptions> = {}, kept?: Kept): Engine {
  const made: Translator[] = [];
  const translator = (): Translator => made[0]!;
  const engine = new RecordEngine(
    'translate',
    memory,
    (routines, places, imports) => translator().generate(routines, places, imports),
    (code) => {
      const later = kept === undefined ? {} : IN_LATER_RUNS;
      made.push(new Translator(memory, code, { ...DEFAULTS, ...later, ...options }, kept));
      return translator();
    },
  );
  return Object.assign(engine, { keep: () => translator().keep() });
}
