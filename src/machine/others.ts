/**
 * Parties that may read or write a program's memory between two of its accesses: an installed signal handler, a second task in its
 * address space, another process through shared mappings. A request that fails here counts, too: on another system the request may
 * succeed.
 */
export const OTHERS = ['signal handler', 'task', 'shared mapping'] as const;
export type Other = (typeof OTHERS)[number];
