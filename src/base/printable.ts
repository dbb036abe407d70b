/**
 * Text from outside (names of files and symbols, arguments, contents of files) in a form that can be shown: characters that would move a
 * terminal's cursor, begin a new line or change the direction of writing become `\x1b`, `\n`, `\u202e`.
 */

/** Control characters (C0, DEL, C1), line and paragraph separators, bidirectional marks and controls, and lone surrogates. */
const RAW_CHARACTERS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are matched on purpose
  /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return SHORT_ESCAPES[character] ?? (code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`);
}

/** The text as one line. */
export const printable = (text: string): string => text.replace(RAW_CHARACTERS, escaped);

/** Lines of isoform's own text, in which line feeds and tabs stay; names in them are made printable before. */
export const printableLines = (text: string): string =>
  text.replace(RAW_CHARACTERS, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );

/** Data as JSON without such characters; parsing gives the same data. */
export const printableJson = (data: unknown): string =>
  JSON.stringify(data, null, 2).replace(RAW_CHARACTERS, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
