/**
 * F and D from one description (unprivileged manual, chapters "F" and "D"). Registers are 64 bits wide: a single is NaN-boxed, and a
 * single that is not correctly boxed reads as the canonical NaN, except in moves and stores, which take the low bits.
 */
import { address, OPCODE, rowsOf } from './build.ts';
import type { Domain, FloatOp, Row, Step } from './row.ts';

/** The differences between the widths. */
interface Width {
  readonly extension: 'F' | 'D';
  readonly bits: 32 | 64;
  readonly suffix: 's' | 'd';
  /** The suffixes of loads and stores, and of moves: by size, not by type. */
  readonly memory: 'w' | 'd';
  readonly move: 'w' | 'd';
  readonly bytes: 4 | 8;
  readonly funct3: number;
  /** The fmt field. */
  readonly format: 0 | 1;
  /** Bits of the fraction. */
  readonly fraction: bigint;
}

const BOX = 0xffffffff_00000000n;

const widthOf = (bits: 32 | 64): Width =>
  bits === 32
    ? { extension: 'F', bits, suffix: 's', memory: 'w', move: 'w', bytes: 4, funct3: 2, format: 0, fraction: 23n }
    : { extension: 'D', bits, suffix: 'd', memory: 'd', move: 'd', bytes: 8, funct3: 3, format: 1, fraction: 52n };

const { LOAD_FP, STORE_FP, OP_FP, MADD, MSUB, NMSUB, NMADD } = OPCODE;

const INTEGERS = [
  { suffix: 'w', type: 'i32', code: 0 },
  { suffix: 'wu', type: 'u32', code: 1 },
  { suffix: 'l', type: 'i64', code: 2 },
  { suffix: 'lu', type: 'u64', code: 3 },
] as const;

/** A register's contents as a value of the width. */
const unbox = <V>(d: Domain<V>, bits: 32 | 64, raw: V): V =>
  bits === 64
    ? raw
    : d.select(d.eq(d.shr(raw, d.const(32n)), d.const(0xffffffffn)), d.zext(raw, 32), d.const(0x7fc00000n));
/** A value of the width (zero-extended) as register contents. */
const box = <V>(d: Domain<V>, bits: 32 | 64, value: V): V => (bits === 64 ? value : d.or(value, d.const(BOX)));

/** The ten classes of fclass as one bit each. */
function classify<V>(d: Domain<V>, { bits, fraction }: Width, value: V): V {
  const exponentMask = (1n << (BigInt(bits) - 1n - fraction)) - 1n;
  const exponent = d.and(d.shr(value, d.const(fraction)), d.const(exponentMask));
  const special = d.eq(exponent, d.const(exponentMask));
  const tiny = d.eq(exponent, d.const(0n));
  const noFraction = d.eq(d.and(value, d.const((1n << fraction) - 1n)), d.const(0n));
  const sign = d.and(d.shr(value, d.const(BigInt(bits) - 1n)), d.const(1n));
  const quiet = d.and(d.shr(value, d.const(fraction - 1n)), d.const(1n));
  const sized = (infinite: bigint, zero: bigint, subnormal: bigint, normal: bigint): V =>
    d.select(
      special,
      d.const(infinite),
      d.select(tiny, d.select(noFraction, d.const(zero), d.const(subnormal)), d.const(normal)),
    );
  const number = d.select(
    sign,
    sized(1n << 0n, 1n << 3n, 1n << 2n, 1n << 1n),
    sized(1n << 7n, 1n << 4n, 1n << 5n, 1n << 6n),
  );
  const nan = d.select(quiet, d.const(1n << 9n), d.const(1n << 8n));
  return d.select(special, d.select(noFraction, number, nan), number);
}

/** A width with the parts that its rows are made of. */
function formOf(bits: 32 | 64) {
  const width = widthOf(bits);
  return {
    ...width,
    width,
    row: rowsOf(width.extension),
    /** The width's part of the names of operations. */
    f: `f${bits}` as const,
    sign: 1n << BigInt(bits - 1),
    funct7: (funct5: number): number => (funct5 << 2) | width.format,
    // Operands and result as values of the width.
    a: <V>(s: Step<V>, d: Domain<V>): V => unbox(d, bits, s.fs1()),
    b: <V>(s: Step<V>, d: Domain<V>): V => unbox(d, bits, s.fs2()),
    c: <V>(s: Step<V>, d: Domain<V>): V => unbox(d, bits, s.fs3()),
    put: <V>(s: Step<V>, d: Domain<V>, value: V): void => s.fd(box(d, bits, value)),
  } as const;
}
type Form = ReturnType<typeof formOf>;

function accesses({ bits, bytes, memory, funct3, row, put }: Form): Row[] {
  return [
    row(`fl${memory}`, 'I', 'fd mem', { opcode: LOAD_FP, funct3 }, (s, d) =>
      put(s, d, s.load(address(s, d), bytes, bits === 64)),
    ),
    row(`fs${memory}`, 'S', 'fs2 mem', { opcode: STORE_FP, funct3 }, (s, d) => s.store(address(s, d), bytes, s.fs2())),
  ];
}

function arithmetic({ suffix, format, row, f, sign, funct7, a, b, c, put }: Form): Row[] {
  /** fma with the sign of the product, of the addend or of both flipped: one rounding in each case. */
  const fused = (name: string, opcode: number, product: boolean, addend: boolean): Row =>
    row(`f${name}.${suffix}`, 'R4', 'fd fs1 fs2 fs3 rm', { opcode, funct2: format }, (s, d) => {
      const x = a(s, d);
      const y = b(s, d);
      const z = c(s, d);
      const flip = d.const(sign);
      put(s, d, s.float(`${f}.fma`, product ? d.xor(x, flip) : x, y, addend ? d.xor(z, flip) : z));
    });
  const rounded = (name: 'add' | 'sub' | 'mul' | 'div', funct5: number): Row =>
    row(`f${name}.${suffix}`, 'R', 'fd fs1 fs2 rm', { opcode: OP_FP, funct7: funct7(funct5) }, (s, d) =>
      put(s, d, s.float(`${f}.${name}`, a(s, d), b(s, d))),
    );
  return [
    fused('madd', MADD, false, false),
    fused('msub', MSUB, false, true),
    fused('nmsub', NMSUB, true, false),
    fused('nmadd', NMADD, true, true),
    rounded('add', 0x00),
    rounded('sub', 0x01),
    rounded('mul', 0x02),
    rounded('div', 0x03),
    row(`fsqrt.${suffix}`, 'R', 'fd fs1 rm', { opcode: OP_FP, funct7: funct7(0x0b), rs2: 0 }, (s, d) =>
      put(s, d, s.float(`${f}.sqrt`, a(s, d))),
    ),
  ];
}

function signInjections({ suffix, row, sign, funct7, a, b, put }: Form): Row[] {
  const inject = (name: string, f3: number, signOf: <V>(d: Domain<V>, x: V, y: V) => V): Row =>
    row(`f${name}.${suffix}`, 'R', 'fd fs1 fs2', { opcode: OP_FP, funct3: f3, funct7: funct7(0x04) }, (s, d) => {
      const x = a(s, d);
      const y = b(s, d);
      const rest = d.and(x, d.const(sign - 1n));
      put(s, d, d.or(rest, d.and(signOf(d, x, y), d.const(sign))));
    });
  return [
    inject('sgnj', 0, (_, __, y) => y),
    inject('sgnjn', 1, (d, _, y) => d.xor(y, d.const(sign))),
    inject('sgnjx', 2, (d, x, y) => d.xor(x, y)),
  ];
}

function comparisons({ suffix, width, row, f, funct7, a, b, put }: Form): Row[] {
  const extreme = (name: 'min' | 'max', f3: number): Row =>
    row(`f${name}.${suffix}`, 'R', 'fd fs1 fs2', { opcode: OP_FP, funct3: f3, funct7: funct7(0x05) }, (s, d) =>
      put(s, d, s.float(`${f}.${name}`, a(s, d), b(s, d))),
    );
  const compare = (name: 'eq' | 'lt' | 'le', f3: number): Row =>
    row(`f${name}.${suffix}`, 'R', 'rd fs1 fs2', { opcode: OP_FP, funct3: f3, funct7: funct7(0x14) }, (s, d) =>
      s.rd(s.float(`${f}.${name}`, a(s, d), b(s, d))),
    );
  return [
    extreme('min', 0),
    extreme('max', 1),
    compare('le', 0),
    compare('lt', 1),
    compare('eq', 2),
    row(`fclass.${suffix}`, 'R', 'rd fs1', { opcode: OP_FP, funct3: 1, funct7: funct7(0x1c), rs2: 0 }, (s, d) =>
      s.rd(classify(d, width, a(s, d))),
    ),
  ];
}

function moves({ bits, move, row, funct7, put }: Form): Row[] {
  return [
    row(`fmv.x.${move}`, 'R', 'rd fs1', { opcode: OP_FP, funct3: 0, funct7: funct7(0x1c), rs2: 0 }, (s, d) =>
      s.rd(bits === 64 ? s.fs1() : d.sext(s.fs1(), 32)),
    ),
    row(`fmv.${move}.x`, 'R', 'fd rs1', { opcode: OP_FP, funct3: 0, funct7: funct7(0x1e), rs2: 0 }, (s, d) =>
      put(s, d, bits === 64 ? s.rs1() : d.zext(s.rs1(), 32)),
    ),
  ];
}

function integerConversions({ bits, suffix, row, f, funct7, a, put }: Form): Row[] {
  return INTEGERS.flatMap(({ suffix: integer, type, code }) => {
    const exact = bits === 64 && code < 2 ? ({ exact: true } as const) : {};
    const to: FloatOp = `${f}.to.${type}`;
    const from: FloatOp = `${f}.from.${type}`;
    return [
      row(`fcvt.${integer}.${suffix}`, 'R', 'rd fs1 rm', { opcode: OP_FP, funct7: funct7(0x18), rs2: code }, (s, d) =>
        s.rd(s.float(to, a(s, d))),
      ),
      row(
        `fcvt.${suffix}.${integer}`,
        'R',
        'fd rs1 rm',
        { opcode: OP_FP, funct7: funct7(0x1a), rs2: code },
        (s, d) => {
          const value = type === 'i32' ? d.sext(s.rs1(), 32) : type === 'u32' ? d.zext(s.rs1(), 32) : s.rs1();
          put(s, d, s.float(from, value));
        },
        exact,
      ),
    ];
  });
}

/** All rows of one width. Conversions between the widths belong to the D rows (see d.ts). */
export function floatRows(bits: 32 | 64): Row[] {
  const form = formOf(bits);
  return [accesses, arithmetic, signInjections, comparisons, moves, integerConversions].flatMap((rows) => rows(form));
}

/** The conversions between singles and doubles. Widening never rounds. */
export const widthConversions = (): Row[] => {
  const row = rowsOf('D');
  return [
    row('fcvt.s.d', 'R', 'fd fs1 rm', { opcode: OP_FP, funct7: 0x20, rs2: 1 }, (s, d) =>
      s.fd(box(d, 32, s.float('f32.from.f64', s.fs1()))),
    ),
    row(
      'fcvt.d.s',
      'R',
      'fd fs1 rm',
      { opcode: OP_FP, funct7: 0x21, rs2: 0 },
      (s, d) => s.fd(s.float('f64.from.f32', unbox(d, 32, s.fs1()))),
      { exact: true },
    ),
  ];
};
