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
