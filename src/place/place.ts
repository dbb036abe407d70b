/**
 * Where an image lies in guest memory. An address is *linked*, as the image's file says, or *run-time*, where the byte lies now. Both are
 * numbers; a place turns one into the other, and nothing else does.
 */
import type { Addr, ByteCount, RunAddr } from '../base/units.ts';
import type { Image, Segment } from '../elf/image.ts';

/** A part of guest memory that holds a segment of an image. */
export interface Area {
  readonly start: RunAddr;
  /** First address behind it. */
  readonly end: RunAddr;
  readonly segment: Segment;
}

export class Place {
  readonly image: Image;
  /** By rising address. */
  readonly areas: readonly Area[];
  /** What loading adds to linked addresses; 0 for an image that cannot be relocated. */
  readonly #bias: ByteCount;

  constructor(image: Image, bias: ByteCount) {
    this.image = image;
    this.#bias = bias;
    this.areas = image.segments.map((segment) => ({
      start: this.toRun(segment.address),
      end: this.toRun(segment.address + segment.size),
      segment,
    }));
  }

  /** The place of another form of the image, which has the same addresses. */
  holding(form: Image): Place {
    return new Place(form, this.#bias);
  }

  toRun(linked: Addr): RunAddr {
    return (linked + this.#bias) as RunAddr;
  }
  /** The linked address of a run-time address, within the image or near it. */
  toLinked(run: RunAddr): Addr {
    return run - this.#bias;
  }

  /** The area that a run-time address lies in. */
  areaAt(run: RunAddr): Area | undefined {
    return this.areas.find(({ start, end }) => run >= start && run < end);
  }
  holdsCode(run: RunAddr): boolean {
    return this.areas.some(({ start, end, segment }) => segment.flags.execute && run >= start && run < end);
  }
}
