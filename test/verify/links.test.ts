/** Both forms of superblocks that are proved, run on random states: nothing differs but return addresses, wherever these are kept. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { imageLiveness } from '../../src/cfg/liveness.ts';
import { parseImage } from '../../src/elf/read.ts';
import { readNote } from '../../src/elf/write.ts';
import { decodeMap } from '../../src/emit/map.ts';
import { differenceOn } from '../../src/verify/prove/concrete.ts';
import { sidesOf } from '../../src/verify/prove/prove.ts';
import { randomStart } from '../../src/verify/prove/search.ts';
import { sample } from '../cli/support.ts';
import { isoform } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'isoform-links-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a link that an inlined callee saves is the one that the original saves', () => {
  const { elf, input } = sample('base64');
  const output = join(folder, 'optimized');
  const report = ['--report', join(folder, 'report.html')];
  expect(isoform(['pgo', '--quiet', '-o', output, ...report, '--stdin', input, elf]).status).toBe(0);
  const [original, optimized] = [elf, output].map((file) => parseImage(readFileSync(file), file)) as [never, never];
  const map = decodeMap(readNote(optimized)!, output);
  const { sides } = sidesOf(original, optimized, map, imageLiveness(original));
  let tried = 0;
  for (const { head, start } of map.data.superblocks)
    for (let seed = 1; seed <= 40; seed++, tried++) {
      const found = differenceOn(sides, { head, start, first: true, progress: true }, randomStart(seed));
      expect(found?.text, `0x${head.toString(16)}, seed ${seed}`).toBeUndefined();
    }
  expect(tried).toBeGreaterThan(500);
});
