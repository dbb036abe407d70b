/** Text for the page: templates that escape their values, and numbers formatted for readers. */

/** Markup that is safe as it stands. */
export interface Html {
  readonly markup: string;
}
type Part = Html | string | number | undefined | readonly Part[];

/** Markup from a template: values are escaped unless they are markup; lists are joined, undefined becomes the empty string. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  markup: strings.reduce((all, text, index) => all + markupOf(parts[index - 1]) + text),
});

/** Text that is known to be markup: our own styles and script. */
export const raw = (markup: string): Html => ({ markup });

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function markupOf(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string') return escaped(visible(part));
  if (typeof part === 'number') return String(part);
  if (isList(part)) return part.map(markupOf).join('');
  return part.markup;
}
const isList = (part: Part): part is readonly Part[] => Array.isArray(part);

/** Control characters, lone surrogates and changes of direction, which a hostile symbol name may hold, are shown as U+FFFD. */
const visible = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are replaced
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu, '\ufffd');

const MINUS = '\u2212';
const NARROW_SPACE = '\u202f';

/** 1234567 -> `1,234,567`. */
export const count = (value: number): string =>
  (value < 0 ? MINUS : '') + String(Math.abs(value)).replace(/\B(?=(\d{3})+$)/g, ',');

/** A count with its sign: `+1,234`. */
export const signed = (value: number): string => (value > 0 ? '+' : '') + count(value);

/** A count for small places: `12.3 M`. */
export function short(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const)
    if (value >= size * 10) {
      const scaled = value / size;
      return `${scaled >= 100 ? count(Math.round(scaled)) : scaled.toFixed(1)}${NARROW_SPACE}${unit}`;
    }
  return count(value);
}

/** 0.0321 -> `3.21 %`. */
export function percent(share: number): string {
  const value = share * 100;
  return `${value.toFixed(Math.abs(value) < 9.995 ? 2 : 1)}${NARROW_SPACE}%`;
}

/** The change from one count to another: `−3.21 %`; `0` where nothing changed; `new` and `gone` at the ends. */
export function change(before: number, after: number): string {
  if (before === after) return '0';
  if (before === 0) return 'new';
  if (after === 0) return 'gone';
  const ratio = after / before - 1;
  const sign = ratio < 0 ? MINUS : '+';
  const size = Math.abs(ratio);
  return size < 0.00005 ? `${sign}<0.01${NARROW_SPACE}%` : sign + percent(size);
}

/** How many in a thousand: `33.1 ‰`. */
export const perMille = (part: number, whole: number): string =>
  `${(whole === 0 ? 0 : (part / whole) * 1000).toFixed(1)}${NARROW_SPACE}‰`;

/** `1 input`, `2 inputs`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** The class name of a change: fewer is better. */
export const tone = (before: number, after: number): string =>
  after < before ? 'better' : after > before ? 'worse' : 'same';
