/** Inputs for the real programs, made from a seed: the same bytes on every machine, nothing big under version control. */

/** Numbers from a seed: 32-bit xorshift. `below(n)` is in [0, n). */
export function generator(seed: number): { below(limit: number): number } {
  let state = seed >>> 0 || 1;
  return {
    below(limit) {
      state ^= state << 13;
      state >>>= 0;
      state ^= state >>> 17;
      state ^= state << 5;
      state >>>= 0;
      return state % limit;
    },
  };
}

const ONSETS = ['b', 'd', 'f', 'gr', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 'st', 't', 'th', 'v', 'w', ''];
const VOWELS = ['a', 'e', 'i', 'o', 'u', 'ea', 'ou'];
const CODAS = ['', '', 'n', 'r', 's', 't', 'nd', 'll'];

/** Words with the shape of a language: few of them are common, many are rare. */
export function vocabulary(seed: number, size: number): string[] {
  const random = generator(seed);
  const pick = (parts: readonly string[]) => parts[random.below(parts.length)]!;
  return Array.from({ length: size }, () => {
    let word = '';
    for (let syllables = 1 + random.below(3); syllables > 0; syllables--)
      word += pick(ONSETS) + pick(VOWELS) + pick(CODAS);
    return word;
  });
}

/** Text of about `bytes` bytes: sentences and paragraphs, word frequencies as in a language. */
export function prose(seed: number, bytes: number): string {
  const random = generator(seed);
  const words = vocabulary(seed + 1, 2000);
  let text = '';
  let line = '';
  let start = true;
  while (text.length < bytes) {
    // The product of two uniform numbers leans towards the front of the list.
    let word = words[Math.floor((random.below(2000) * random.below(2000)) / 2000)]!;
    if (start) word = word[0]!.toUpperCase() + word.slice(1);
    start = random.below(12) === 0;
    if (start) word += random.below(6) === 0 ? '?' : '.';
    else if (random.below(15) === 0) word += ',';
    else if (random.below(60) === 0) word += ` ${random.below(3000)}`;
    line += line === '' ? word : ` ${word}`;
    if (line.length > 70 || (start && random.below(9) === 0)) {
      text += `${line}\n`;
      line = '';
    }
  }
  return text;
}

/** SQL: tables, indexes, many inserts, joins, aggregates, updates, a recursive query, text functions. */
export function sql(seed: number, orders: number): string {
  const random = generator(seed);
  const names = vocabulary(seed + 1, 60);
  const out: string[] = [
    'PRAGMA temp_store = MEMORY;',
    'CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, credit REAL);',
    'CREATE TABLE item(id INTEGER PRIMARY KEY, title TEXT, price REAL, stock INTEGER);',
    'CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer, day INTEGER);',
    'CREATE TABLE line(orders INTEGER, item INTEGER, quantity INTEGER);',
    'BEGIN;',
  ];
  const customers = 20 + Math.floor(orders / 10);
  for (let i = 1; i <= customers; i++) {
    const name = `${names[random.below(60)]} ${names[random.below(60)]}`;
    out.push(
      `INSERT INTO customer VALUES(${i}, '${name}', '${names[random.below(12)]}', ${random.below(100000) / 100});`,
    );
  }
  for (let i = 1; i <= 50; i++) {
    out.push(
      `INSERT INTO item VALUES(${i}, '${names[random.below(60)]}', ${random.below(5000) / 100}, ${random.below(90)});`,
    );
  }
  for (let i = 1; i <= orders; i++) {
    out.push(`INSERT INTO orders VALUES(${i}, ${1 + random.below(customers)}, ${random.below(365)});`);
    for (let lines = 1 + random.below(3); lines > 0; lines--) {
      out.push(`INSERT INTO line VALUES(${i}, ${1 + random.below(50)}, ${1 + random.below(9)});`);
    }
  }
  out.push(
    'COMMIT;',
    'CREATE INDEX line_orders ON line(orders);',
    'CREATE INDEX orders_customer ON orders(customer, day);',
    'CREATE VIEW worth AS SELECT o.id AS id, o.customer AS customer, sum(l.quantity * i.price) AS amount',
    '  FROM orders o JOIN line l ON l.orders = o.id JOIN item i ON i.id = l.item GROUP BY o.id;',
    "SELECT c.city, count(*), printf('%.2f', sum(w.amount)) FROM worth w JOIN customer c ON c.id = w.customer",
    '  GROUP BY c.city ORDER BY 3 DESC, 1;',
    'SELECT i.title, sum(l.quantity) AS sold FROM item i LEFT JOIN line l ON l.item = i.id GROUP BY i.id ORDER BY sold DESC, i.id LIMIT 8;',
    'UPDATE item SET stock = stock - (SELECT coalesce(sum(quantity), 0) FROM line WHERE item = item.id) % 50;',
    'DELETE FROM orders WHERE day < 30 AND id NOT IN (SELECT orders FROM line WHERE quantity > 7);',
    'SELECT count(*), min(stock), max(stock), total(stock) FROM item;',
    "SELECT upper(substr(name, 1, 3)) AS k, count(*) FROM customer WHERE name LIKE '%e%' GROUP BY k ORDER BY 2 DESC, 1 LIMIT 6;",
    'WITH RECURSIVE walk(n, x) AS (SELECT 1, 7 UNION ALL SELECT n + 1, (x * 16807) % 2147483647 FROM walk WHERE n < 400)',
    '  SELECT count(*), sum(x % 100), max(x) FROM walk;',
    'SELECT c.id, c.name, rank() OVER (ORDER BY c.credit DESC) FROM customer c ORDER BY c.credit DESC, c.id LIMIT 5;',
    "SELECT day / 30 AS month, count(DISTINCT customer), group_concat(id % 10, '') FROM orders WHERE id % 17 = 3 GROUP BY month;",
    'PRAGMA integrity_check;',
  );
  return `${out.join('\n')}\n`;
}

/** Assignments for test/programs/cxx.cpp; `faulty` adds ones that fail when parsed or when computed. */
export function assignments(seed: number, count: number, faulty: boolean): string {
  const random = generator(seed);
  const names = ['apples', 'pears', 'plums', 'price', 'boxes', 'crates', 'round'];
  const expression = (depth: number): string => {
    const leaf = depth === 0 || random.below(4) === 0;
    if (leaf) return random.below(2) === 0 ? names[random.below(names.length)]! : String(1 + random.below(40));
    const sign = ['+', '-', '*', '+', '/'][random.below(5)]!;
    const right = sign === '/' && !faulty ? String(1 + random.below(9)) : expression(depth - 1);
    return `(${expression(depth - 1)} ${sign === '*' && !faulty ? '-' : sign} ${right})`;
  };
  const lines = names.slice(0, 6).map((name, i) => `${name} = ${i * 3 + 2} * round + ${random.below(100)}`);
  for (let i = 0; i < count; i++) lines.push(`${names[random.below(6)]} = ${expression(4)}`);
  if (faulty)
    lines.push('bad = 3 + * 4', 'price = (2 * (apples', 'plums = missing - round', 'nothing 5', 'boxes = 7 ) 8');
  return `${lines.join('\n')}\n`;
}

/** XML as data comes in it: many short elements with attributes, entities, a prologue, comments. */
export function records(seed: number, count: number): string {
  const random = generator(seed);
  const names = vocabulary(seed + 1, 300);
  const name = () => names[random.below(300)]!;
  const out = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE orders [<!ENTITY unit "box"><!ENTITY firm "Sm&#105;th &amp; Co"><!ATTLIST item kind CDATA "plain">]>',
    '<orders xmlns:p="urn:price">',
  ];
  for (let i = 0; i < count; i++) {
    out.push(
      `  <order id="o${i}" day='${random.below(365)}'>`,
      `    <customer city="${name()}">${name()} ${name()} of &firm;</customer>`,
    );
    for (let items = 1 + random.below(4); items > 0; items--)
      out.push(
        `    <item code="${random.below(90_000)}" title="${name()} &lt;${name()}&gt;"><p:net>${random.below(900)}.${random.below(10)}</p:net>&unit;</item>`,
      );
    if (random.below(9) === 0) out.push(`    <!-- ${name()} ${name()} -->`);
    out.push('  </order>');
  }
  out.push('</orders>');
  return `${out.join('\n')}\n`;
}

/** XML as text comes in it: long runs of words, few elements deep in each other, two-byte letters, CDATA. */
export function article(seed: number, bytes: number): string {
  const random = generator(seed);
  const paragraphs = prose(seed + 1, bytes).split('\n');
  const out = ['<article>'];
  let depth = 0;
  for (const line of paragraphs) {
    const kind = random.below(24);
    if (kind === 0 && depth < 6) {
      out.push('<section>');
      depth++;
    } else if (kind === 1 && depth > 0) {
      out.push('</section>');
      depth--;
    }
    if (kind === 2) out.push(`<![CDATA[${line} <&> ]]>`);
    else if (kind < 6) out.push(line.replaceAll('ea', '\u00e4').replace(/ (\w+)/, ' <em>$1</em>'));
    else out.push(line);
  }
  return `${out.join('\n')}${'</section>'.repeat(depth)}</article>\n`;
}

/** A WAV file, 16 bit: triangle waves that come and go, and noise; whole numbers only, so the same everywhere. */
export function wave(seed: number, rate: number, channels: number, samples: number): Uint8Array {
  const random = generator(seed);
  const voices = Array.from({ length: 5 }, () => ({
    period: 30 + random.below(400),
    loud: 1 + random.below(5),
    on: random.below(9000),
  }));
  const bytes = new Uint8Array(44 + samples * channels * 2);
  const view = new DataView(bytes.buffer);
  const tag = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  tag(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  tag(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  tag(36, 'data');
  view.setUint32(40, bytes.length - 44, true);
  for (let i = 0; i < samples; i++)
    for (let channel = 0; channel < channels; channel++) {
      let value = random.below(600) - 300;
      for (const { period, loud, on } of voices) {
        const phase = (i + channel * 11) % period;
        const rise = Math.floor((4000 * Math.min(phase, period - phase)) / period) - 1000;
        if (Math.floor((i + on) / 5000) % 2 === 0) value += rise * loud;
      }
      view.setInt16(44 + (i * channels + channel) * 2, Math.max(-32_768, Math.min(32_767, value)), true);
    }
  return bytes;
}

/** Random clauses of three literals each, as DIMACS. At 4.26 clauses to a variable they are hardest. */
export function clauses(seed: number, variables: number, count: number): string {
  const random = generator(seed);
  const out = [`p cnf ${variables} ${count}`];
  for (let i = 0; i < count; i++) {
    const chosen = new Set<number>();
    while (chosen.size < 3) chosen.add(1 + random.below(variables));
    out.push(`${[...chosen].map((variable) => (random.below(2) === 0 ? variable : -variable)).join(' ')} 0`);
  }
  return `${out.join('\n')}\n`;
}

/** One pigeon more than holes, as DIMACS: short clauses of a strict pattern, unsatisfiable. */
export function pigeons(holes: number): string {
  const variable = (pigeon: number, hole: number) => pigeon * holes + hole + 1;
  const numbers = Array.from({ length: holes }, (_, i) => i);
  const out = Array.from({ length: holes + 1 }, (_, p) => `${numbers.map((h) => variable(p, h)).join(' ')} 0`);
  for (const h of numbers)
    for (let p = 0; p <= holes; p++) for (let q = 0; q < p; q++) out.push(`-${variable(p, h)} -${variable(q, h)} 0`);
  return `p cnf ${(holes + 1) * holes} ${out.length}\n${out.join('\n')}\n`;
}
