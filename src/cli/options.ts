/** Options that all commands which run a guest share, and their translation for a process. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { badOption } from '../base/errors.ts';
import type { Image } from '../elf/image.ts';
import type { ProcessOptions } from '../machine/process.ts';
import { guestTime } from './guest-time.ts';

/** The option values that `withGuestOptions` passes to a command's action. */
export interface GuestFlags {
  readonly dir: readonly string[];
  readonly env: readonly string[];
  readonly limitInstructions?: number;
  readonly limitTime?: number;
  readonly memory?: number;
  /** Seconds since 1970. */
  readonly time?: number;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `64M`, `1G`, `65536`. @throws bad-option */
export function parseSize(text: string): number {
  const match = /^(\d+)([KMG]?)i?B?$/i.exec(text);
  if (!match) throw badOption(`${text}: not a size`, 'for example 512M or 1G');
  return Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
}

/** A whole number above 0, also as 1e9 or 10_000. @throws bad-option */
export function parseCount(text: string): number {
  const value = /^\d[\d_]*(e\d+)?$/i.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
  if (!Number.isSafeInteger(value) || value <= 0) throw badOption(`${text}: not a count`, 'a whole number above 0');
  return value;
}

/** Seconds, above 0. @throws bad-option */
export function parseSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw badOption(`${text}: not a number of seconds`);
  return value;
}

/** Seconds since 1970, below 2 ** 33 (the year 2242), whose nanoseconds fit in 64 bits. @throws bad-option */
export function parseTime(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value < 2 ** 33)) throw badOption(`${text}: not a time`, 'seconds since 1970, for example from date +%s');
  return value;
}

function parseVariable(text: string, before: readonly string[]): string[] {
  if (text.indexOf('=') < 1) throw badOption(`${text}: not an environment variable`, 'NAME=VALUE');
  return [...before, text];
}

/** Adds an option that can be given several times. Its default, an empty list, is not shown in the help. */
export function repeatable(
  command: Command,
  flags: string,
  description: string,
  parse: (value: string, before: readonly string[]) => readonly string[] = (value, before) => [...before, value],
): Command {
  const option = new Option(flags, `${description} (repeatable)`).argParser(parse);
  return command.addOption(option).setOptionValue(option.attributeName(), []);
}

/** Adds the options of every command that runs a guest to its end. */
export function withMachineOptions(command: Command): Command {
  repeatable(command, '--dir <dir>', 'let the guest read this directory too; the current one always');
  repeatable(
    command,
    '--env <name=value>',
    "set a variable in the guest's environment, which is empty otherwise",
    parseVariable,
  );
  return command
    .option('--limit-instructions <n>', 'stop the guest after so many instructions', parseCount)
    .option('--memory <size>', 'guest memory (default: 1G)', parseSize)
    .option(
      '--time <seconds>',
      "what the guest's clock says at the start, in seconds since 1970 (default: SOURCE_DATE_EPOCH, else the day after its newest file's)",
      parseTime,
    );
}

/** Adds the options of every command that runs a guest once. */
export const withGuestOptions = (command: Command): Command =>
  withMachineOptions(command).option('--limit-time <seconds>', 'stop the guest after so long', parseSeconds);

/** The time option, else SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch). */
function timeOf({ time }: GuestFlags): number | undefined {
  const { SOURCE_DATE_EPOCH: epoch } = process.env;
  return time ?? (epoch ? parseTime(epoch) : undefined);
}

/** The part of ProcessOptions that follows from the options, without the standard streams and messages. */
export function guestOptions(flags: GuestFlags, image: Image, args: readonly string[]): ProcessOptions {
  const grants = [process.cwd(), ...flags.dir.map((dir) => resolve(dir))];
  return {
    image,
    args,
    env: flags.env,
    grants,
    memorySize: flags.memory,
    clock: guestTime(timeOf(flags), image.file, grants),
  };
}
