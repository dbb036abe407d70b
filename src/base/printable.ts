/**
 * Text from outside (names of files and symbols, arguments, what a file says) in a form that can be shown: what would move a terminal's cursor,
 * begin a line of its own or turn the direction of writing becomes `\x1b`, `\n`, `\u202e`.
 */

/** Control characters (C0, DEL, C1), separators of lines and paragraphs, marks and turns of direction, and halves of characters. */
const RAW =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return SHORT[character] ?? (code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`);
}

/** One line of it. */
export const printable = (text: string): string => text.replace(RAW, escaped);

/** Lines of our own making; names in them are made printable before. */
export const printableLines = (text: string): string =>
  text.replace(RAW, (character) => (character === '\n' || character === '\t' ? character : escaped(character)));

/** Data as JSON, the same data with nothing raw in it. */
export const printableJson = (data: unknown): string =>
  JSON.stringify(data, null, 2).replace(RAW, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
