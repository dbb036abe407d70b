/**
 * The translating engine: hot guest functions become wasm functions, the rest is interpreted by records. See translate/.
 */
import type { Memory } from '../machine/memory.ts';
import type { Engine } from './engine.ts';
import { RecordEngine } from './record-engine.ts';
import { type TranslateOptions, Translator } from './translate/translator.ts';

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

/**
 * @param memory the memory of every hart that this engine will run
 * @param options for tests and measurements
 */
export function makeTranslate(memory: Memory, options: Partial<TranslateOptions> = {}): Engine {
  const made: Translator[] = [];
  const translator = (): Translator => made[0]!;
  return new RecordEngine(
    'translate',
    memory,
    (routines, places, imports) => translator().generate(routines, places, imports),
    (code) => {
      made.push(new Translator(memory, code, { ...DEFAULTS, ...options }));
      return translator();
    },
  );
}
