import path from 'node:path';

/**
 * A module of the built product: `npm run build` first. Suites that start worker threads need it, since
 * those cannot start from TypeScript. Types come from the source: `built<typeof import('../../src/…')>(…)`.
 */
export async function built<Module>(modulePath: string): Promise<Module> {
  return (await import(path.resolve(process.cwd(), 'dist', modulePath))) as Module;
}
