/** Verification on one input, with the results in the report's form. */
import { hex } from '../base/units.ts';
import type { Exit } from '../machine/process.ts';
import type { Difference, VerifiedInput } from '../report/model.ts';
import { type RerunOptions, type RerunResult, rerun } from '../verify/rerun.ts';

export interface VerifyRequest extends RerunOptions {
  /** Name of the input in reports; default: input. */
  readonly name?: string;
  /** The profile was taken on this input; default: no. */
  readonly training?: boolean;
}

export interface Verified {
  readonly input: VerifiedInput;
  readonly differences: readonly Difference[];
  readonly result: RerunResult;
}

/** @throws the errors of `rerun` */
export function verifyRun(request: VerifyRequest): Verified {
  const { name = 'input', training = false } = request;
  const result = rerun(request);
  return {
    input: {
      name,
      arguments: request.input.args ?? [],
      training,
      verdict: result.verdict,
      syscalls: result.original.syscalls,
      end: result.original.exit === undefined ? 'not reached' : exitText(result.original.exit),
    },
    differences: result.differences.map((difference) => ({
      input: name,
      what: difference.syscall > 0 ? `${difference.what} at syscall ${difference.syscall}` : difference.what,
      expected: difference.expected,
      found: difference.found,
      pc: hex(difference.pc),
      ...(difference.symbol !== undefined && { symbol: difference.symbol }),
      ...(difference.superblock !== undefined && { superblock: hex(difference.superblock) }),
      ...(difference.assumptions.length > 0 && { assumptions: difference.assumptions }),
      ...(difference.cause !== undefined && { cause: difference.cause }),
    })),
    result,
  };
}

/** `exit status 0`, `signal 6 (SIGABRT)`. */
export function exitText(exit: Exit): string {
  if (exit.kind === 'status') return `exit status ${exit.status}`;
  return exit.kind === 'signal' ? `signal ${exit.signal} (${exit.name})` : exit.message;
}
