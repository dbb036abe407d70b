/**
 * Each command that writes files is killed at the system calls by which it changes the disk: what it was to write is then there whole, as it was before, or
 * not at all, what it reads is unchanged, and the next run that comes to its end leaves nothing of the one that did not.
 *
 *     node test/run.mjs campaign/faults --times 20 --seed 1 [--only profile,pgo] [--all] [--state FILE]
 *
 * Where a run touches the disk is found by strace; `--times` of these places are tried of each command, picked at random, `--all`: each once. With a
 * state file, what is in it is not done again. Prints the seed, what went wrong, and a score; exits 1 if something did.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeRandom } from '../support/random.ts';
import { needs, type Result, run, scratch, tool } from '../support/tools.ts';
import { type FaultCommand, faultCommands, START } from './faults/commands.ts';
import { keep, readState } from './state.ts';

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    all: { type: 'boolean', default: false },
    state: { type: 'string' },
  },
});

/** Calls that change what is on the disk; a question mark: not every machine has it. */
const CALLS =
  'openat,?chown,?lchown,fchown,?fchownat,write,pwrite64,writev,?pwritev,ftruncate,fsync,fdatasync,fchmod,?chmod,fchmodat,?rename,?renameat,renameat2,?mkdir,mkdirat,?unlink,unlinkat,?rmdir,?symlink,symlinkat,?link,linkat,utimensat';

/** The nth call of a name by the main thread. */
interface Place {
  readonly call: string;
  readonly nth: number;
}
interface Line extends Place {
  readonly command: string;
  readonly old: boolean;
  readonly killed: boolean;
  readonly wrong?: string | undefined;
}

/** What is in a folder: kind, mode and contents by path. What a killed run has left for itself is told apart. */
function tree(folder: string, at = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(join(folder, at)).sort()) {
    const path = join(at, name);
    const full = join(folder, path);
    const stat = lstatSync(full);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) found.set(path, `link to ${readlinkSync(full)}`);
    else if (!stat.isDirectory())
      found.set(path, `${mode} ${createHash('sha256').update(readFileSync(full)).digest('hex').slice(0, 16)}`);
    else {
      found.set(path, `folder ${mode}`);
      for (const [inner, what] of tree(folder, path)) found.set(inner, what);
    }
  }
  return found;
}
const isTemporary = (path: string): boolean => path.split('/').some((name) => name.startsWith('.isoform-'));

class Campaign {
  readonly #folder: string;
  readonly #command: FaultCommand;
  /** What is there in the end. */
  readonly #whole: ReadonlyMap<string, string>;
  readonly #before: ReadonlyMap<string, string>;
  readonly places: readonly Place[];

  constructor(folder: string, command: FaultCommand) {
    this.#folder = join(folder, 'in');
    this.#command = command;
    this.#begin(false);
    this.#before = tree(this.#folder);
    const log = join(folder, 'log');
    this.#expectDone(this.#traced('-y', '-o', log, '-e', `trace=${CALLS}`));
    this.#whole = tree(this.#folder);
    this.places = this.#placesIn(readFileSync(log, 'latin1'));
  }

  /** Kills a run at a place. @returns what was wrong then */
  try({ call, nth }: Place, old: boolean): { killed: boolean; wrong: string | undefined } {
    this.#begin(old);
    const before = tree(this.#folder);
    const killed = this.#traced(
      ...['-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${nth}`],
    );
    const wrong = this.#wrongIn(tree(this.#folder), before, false);
    if (wrong !== undefined) return { killed: killed.status !== 0, wrong };
    const { args, stdin } = this.#command;
    const again = run(process.execPath, [START, ...args], { cwd: this.#folder, ...(stdin && { stdin }) });
    if (again.status !== 0) return { killed: true, wrong: `the next run ends with ${again.status}: ${again.stderr}` };
    return { killed: killed.status !== 0, wrong: this.#wrongIn(tree(this.#folder), before, true) };
  }

  #begin(old: boolean): void {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, { recursive: true });
    this.#command.prepare(this.#folder);
    if (!old || !this.#command.replaces) return;
    for (const output of this.#command.outputs) {
      mkdirSync(join(this.#folder, output, '..'), { recursive: true });
      writeFileSync(join(this.#folder, output), 'what was there before');
    }
  }

  /** @param done a run has come to its end since */
  #wrongIn(now: ReadonlyMap<string, string>, before: ReadonlyMap<string, string>, done: boolean): string | undefined {
    for (const [path, what] of now) {
      if (isTemporary(path)) {
        if (done) return `${path} is left`;
        continue;
      }
      const right = this.#whole.get(path);
      // A folder may be open while it is worked in.
      const asked = what.startsWith('folder') && right?.startsWith('folder');
      if (what !== right && (done || (what !== before.get(path) && !asked)))
        return `${path} is ${what}; before ${before.get(path)}, in the end ${right}`;
    }
    for (const path of [...before.keys(), ...(done ? this.#whole.keys() : [])]) {
      const stays = this.#whole.has(path) && (done || !this.#outputs(path));
      if (stays && !now.has(path)) return `${path} is not there`;
    }
    return undefined;
  }
  #outputs(path: string): boolean {
    return this.#command.outputs.some((output) =>
      output.endsWith('*') ? path.startsWith(output.slice(0, -1)) && !this.#before.has(path) : path === output,
    );
  }

  #traced(...options: string[]): Result {
    // The main thread alone: it is the one that writes, and strace counts for each thread.
    const args = [...options, process.execPath, START, ...this.#command.args];
    const { stdin } = this.#command;
    return run(tool('strace'), args, { cwd: this.#folder, ...(stdin && { stdin }) });
  }
  #expectDone({ status, stderr }: Result): void {
    if (status !== 0) throw new Error(`${this.#command.name} ends with ${status}: ${stderr}`);
  }

  /** Calls of the main thread that change something in the folder, counted as strace counts them. */
  #placesIn(log: string): Place[] {
    const counts = new Map<string, number>();
    const places: Place[] = [];
    for (const line of log.split('\n')) {
      const [, call, rest] = /^(\w+)\((.*)$/.exec(line) ?? [];
      if (call === undefined) continue;
      const nth = (counts.get(call) ?? 0) + 1;
      counts.set(call, nth);
      const changes = call !== 'openat' || /O_(WRONLY|RDWR|CREAT)/.test(rest!);
      // By the path of an open file, or by a name that is relative to the folder: those with a folder of Node's own are none of ours.
      if (changes && (rest!.includes(this.#folder) || /^(AT_FDCWD<[^>]*>, )?"(?!\/)/.test(rest!)))
        places.push({ call, nth });
    }
    return places;
  }
}

if (needs('campaign/faults', 'gcc', 'strace')) {
  console.log(`seed ${values.seed}`);
  const done = new Map(
    readState<Line>(values.state).map((line) => [`${line.command} ${line.call} ${line.nth} ${line.old}`, line]),
  );
  const folder = scratch('faults');
  let wrong = 0;
  try {
    mkdirSync(join(folder, 'base'));
    const wanted = values.only?.split(',');
    for (const command of faultCommands(join(folder, 'base'))) {
      if (wanted && !wanted.some((name) => command.name.includes(name))) continue;
      const campaign = new Campaign(join(folder, 'work'), command);
      const random = makeRandom(Number(values.seed));
      const { places } = campaign;
      const chosen = values.all ? places : Array.from({ length: Number(values.times) }, () => random.choose(places));
      const tally = { killed: 0, wrong: 0 };
      for (const [k, place] of chosen.entries()) {
        const old = k % 2 === 1;
        let line = done.get(`${command.name} ${place.call} ${place.nth} ${old}`);
        if (line === undefined) {
          line = { command: command.name, ...place, old, ...campaign.try(place, old) };
          keep(values.state, line);
          if (line.wrong !== undefined) console.log(`${command.name}, ${place.call} ${place.nth}: ${line.wrong}`);
        }
        if (line.killed) tally.killed++;
        if (line.wrong !== undefined) tally.wrong++;
      }
      wrong += tally.wrong;
      console.log(
        `${command.name}: ${places.length} places, ${chosen.length} tried, ${tally.killed} killed, ${tally.wrong} WRONG`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`faults: ${wrong === 0 ? 'nothing partial, nothing left' : `${wrong} WRONG`}`);
  if (wrong > 0) process.exitCode = 1;
}
