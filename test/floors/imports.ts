/** Who imports whom, and what the house plan says about it. Works on texts, so that its own test can plant offences. */
import { posix } from 'node:path';

/** Floors from the ground up; a folder may import from folders below it and from itself. */
export const FLOORS: readonly (readonly string[])[] = [
  ['src/base'],
  ['src/isa'],
  ['src/domain', 'src/elf'],
  ['src/place'],
  ['src/code'],
  ['src/machine'],
  ['src/engine'],
  ['src/profile'],
  ['src/cfg', 'src/cost'],
  ['src/superblock'],
  ['passes'],
  ['src/lower'],
  ['src/emit'],
  ['src/verify'],
  ['src/report'],
  ['src/pipeline'],
  ['src/index.ts'],
  ['src/cli'],
];

/** Paths relative to the checkout, with forward slashes, to file texts. */
export type Sources = ReadonlyMap<string, string>;

/** `src/machine/linux/x.ts` -> `src/machine`; `src/index.ts` has a floor of its own. */
export function folderOf(file: string): string {
  const parts = file.split('/');
  return parts[0] === 'src' ? parts.slice(0, 2).join('/') : parts[0]!;
}

/** Specifiers of static and dynamic imports and re-exports; type imports count like others. */
export function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const found = new Set<string>();
  for (const match of code.matchAll(/\b(?:import|export)\b[^'"`;()=]*?\bfrom\s*['"]([^'"]+)['"]/g))
    found.add(match[1]!);
  for (const match of code.matchAll(/\bimport\s*['"]([^'"]+)['"]/g)) found.add(match[1]!);
  for (const match of code.matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g)) found.add(match[1]!);
  return [...found];
}

/** One line for each import that goes up or sideways, leaves the sources, or names a file that is not there. */
export function upwardImports(sources: Sources): string[] {
  const floorOf = (folder: string) => FLOORS.findIndex((floor) => floor.includes(folder));
  const problems: string[] = [];
  for (const [file, text] of sources) {
    const from = folderOf(file);
    if (floorOf(from) < 0) problems.push(`${file}: ${from} is on no floor`);
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith('.')) continue;
      const target = posix.normalize(posix.join(posix.dirname(file), specifier));
      const to = folderOf(target);
      if (!sources.has(target)) problems.push(`${file}: imports ${specifier}, which is no source file`);
      else if (to !== from && floorOf(to) >= floorOf(from))
        problems.push(`${file}: imports ${target}, which is not below it`);
    }
  }
  return problems;
}

/** One line for each cycle of files that a walk from any file comes upon. */
export function cycles(sources: Sources): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    path.push(file);
    for (const specifier of importsOf(sources.get(file)!)) {
      if (!specifier.startsWith('.')) continue;
      const target = posix.normalize(posix.join(posix.dirname(file), specifier));
      if (sources.has(target)) visit(target);
    }
    path.pop();
    state.set(file, 'done');
  };
  for (const file of [...sources.keys()].sort()) visit(file);
  return found;
}

/** Folders that hold sources, and folders below them, that a text does not name as `folder/`. */
export function unnamedFolders(sources: Sources, description: string): string[] {
  const folders = new Set<string>();
  for (const file of sources.keys()) {
    for (let folder = posix.dirname(file); folder !== '.'; folder = posix.dirname(folder)) folders.add(folder);
  }
  // A nested list names `linux/` under `machine/`; prose names `src/machine/linux`. Either will do.
  return [...folders]
    .sort()
    .filter((folder) => !description.includes(folder) && !description.includes(`${posix.basename(folder)}/`));
}
