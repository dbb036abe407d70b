/**
 * Who else may look at a program's memory, or write to it, between two of its accesses: a signal handler that was installed, a second task
 * in its address space, another process through pages that are mapped shared. What a program asks for and does not get here counts: it may get
 * it elsewhere.
 */
export const OTHERS = ['signal handler', 'task', 'shared mapping'] as const;
export type Other = (typeof OTHERS)[number];
