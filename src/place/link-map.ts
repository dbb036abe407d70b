/** The images in guest memory. Today a process has one. */
import type { RunAddr } from '../base/units.ts';
import type { Place } from './place.ts';

export class LinkMap {
  /** They do not overlap. */
  readonly places: readonly Place[];
  constructor(places: readonly Place[]) {
    this.places = places;
  }

  /** The place of the image that has code at a run-time address. */
  codeAt(run: RunAddr): Place | undefined {
    return this.places.find((place) => place.holdsCode(run));
  }
}
