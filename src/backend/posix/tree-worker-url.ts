/** The worker thread's entry in the built product; a thread cannot start from a .ts file. */
export const TREE_WORKER_URL = new URL('./tree-worker.js', import.meta.url);
