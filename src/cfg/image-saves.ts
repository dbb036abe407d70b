/**
 * The saves in all code of an image, with all that is known of jumps to addresses in registers: one that is seen to read tables leads to
 * their entries, and of whole addresses to labels too; one that computes its target unseen anywhere in its function, any other to labels.
 */
import { derived } from '../base/derived.ts';
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { imageAccesses, possibleTargets } from './accesses.ts';
import { imageCfg } from './build.ts';
import type { JumpTargets } from './function-saves.ts';
import { groupAt, groupsByBlock } from './groups.ts';
import { jumpsByGroup, labelsByGroup } from './landings.ts';
import { changedByCall, functionAnalysis, type Saves, savesIn, savesOf } from './saves.ts';
import { hasUnseenTarget } from './unseen-jumps.ts';

/** The same object for the same image, as for liveness. */
export const imageSaves = derived('saves of an image', (image: Image): Saves => {
  const cfg = imageCfg(image);
  const { found, changed } = savesOf(cfg);
  const groupOf = groupsByBlock(cfg);
  const tables = new Map<Addr, Addr[]>();
  for (const read of imageAccesses(image).reads) {
    const labels = read.base === 0 ? (labelsByGroup(cfg).get(groupAt(cfg, read.site)!) ?? []) : [];
    tables.set(read.site, [...(tables.get(read.site) ?? []), ...possibleTargets(cfg, read), ...labels]);
  }
  const isUnseen = hasUnseenTarget(cfg);
  const analyse = functionAnalysis(
    cfg,
    (block): JumpTargets => tables.get(block.site) ?? (isUnseen(block) ? 'anywhere' : 'labels'),
    (block) => changedByCall(block, groupOf, changed),
  );
  const again = new Map(found);
  for (const group of jumpsByGroup(cfg).keys()) again.set(group, analyse(group));
  return savesIn(again.values());
});
