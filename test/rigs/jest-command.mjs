import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The command line that runs one Jest project. The cache is beside the packages, where a guest finds it too.
 *
 * @param {string} project
 * @param {readonly string[]} jestArguments
 */
export function jestCommand(project, jestArguments) {
  return [
    process.execPath,
    'node_modules/jest/bin/jest.js',
    `--selectProjects=${project}`,
    '--cacheDirectory=node_modules/.cache/jest',
    ...jestArguments,
  ];
}
