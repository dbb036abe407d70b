/** A parsed ELF executable. Immutable. All addresses are as linked (p_vaddr): a PIE's addresses start near 0 and get a bias when loaded. */
import type { Addr, ByteCount, FileOffset } from '../base/units.ts';

export interface Segment {
  readonly address: Addr;
  /** Size in memory; memory beyond `bytes` is zero. */
  readonly size: ByteCount;
  readonly bytes: Uint8Array;
  readonly offset: FileOffset;
  readonly flags: { readonly read: boolean; readonly write: boolean; readonly execute: boolean };
}

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: FileOffset;
  readonly vaddr: Addr;
  readonly paddr: Addr;
  readonly fileSize: ByteCount;
  readonly memSize: ByteCount;
  readonly align: number;
}

export interface SectionHeader {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: Addr;
  readonly offset: FileOffset;
  readonly size: ByteCount;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly address: Addr;
  readonly size: ByteCount;
  readonly kind: 'function' | 'object' | 'other';
  readonly global: boolean;
  readonly section: number;
}

export interface Image {
  /** The path of the file, for messages. */
  readonly file: string;
  /** The whole file. Never written to. */
  readonly bytes: Uint8Array;
  /** SHA-256 of the file, hex: profiles are keyed by it. */
  readonly hash: string;
  /** ET_DYN (static PIE). */
  readonly relocatable: boolean;
  readonly entry: Addr;
  readonly programHeaders: readonly ProgramHeader[];
  readonly programHeaderOffset: FileOffset;
  /** PT_LOAD segments by rising address. */
  readonly segments: readonly Segment[];
  /** Empty when the file has no section headers. Section 0 included, so that indexes are ELF's. */
  readonly sections: readonly SectionHeader[];
  /** .symtab, else .dynsym, else empty; sorted by address. */
  readonly symbols: readonly ElfSymbol[];
  /** First address behind the last segment. */
  readonly end: Addr;
}
