import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Wasm engines hold whole guest memories: two processes at a time, and none of it shared between files.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    // The first run fetches and builds real programs.
    hookTimeout: 600_000,
    teardownTimeout: 10_000,
    reporters: ['default'],
  },
});
