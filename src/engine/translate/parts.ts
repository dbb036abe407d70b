/** The parts of an engine that all of the translator works with. */
import type { Memory } from '../../machine/memory.ts';
import type { Predecoder } from '../predecode.ts';
import type { Counters } from './counters.ts';
import type { Destinations } from './destinations.ts';
import type { CodeInsns } from './insns.ts';
import type { Ranges } from './ranges.ts';
import type { Regions } from './regions.ts';

export interface Parts {
  readonly memory: Memory;
  readonly code: Predecoder;
  readonly insns: CodeInsns;
  readonly regions: Regions;
  readonly counters: Counters;
  readonly ranges: Ranges;
  readonly destinations: Destinations;
}
