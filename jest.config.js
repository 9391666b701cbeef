/**
 * Two projects: unit specs beside the source, compiled to CommonJS by SWC (Nest 12 is ESM only, and
 * Jest's own ESM support is experimental); and suites that drive the built product in dist/ through
 * real sockets, since a worker thread or a cluster worker cannot be started from a .ts file.
 */
const transform = {
  '^.+\\.(ts|js|mjs)$': [
    '@swc/jest',
    {
      sourceMaps: 'inline',
      module: { type: 'commonjs' },
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
    },
  ],
};
const common = {
  testEnvironment: 'node',
  transform,
  transformIgnorePatterns: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['reflect-metadata'],
};

/** Each needs what `test/rigs/<name>.rig.mjs` sets up, and is started by it. */
const RIG_SUITES = ['xfs', 'ceph', 'flashblade', 'safety'];

export default {
  // Jest knows it for all projects only. The end-to-end suites start processes.
  testTimeout: 120_000,
  // Most of the time suites wait for processes they started.
  maxWorkers: '100%',
  projects: [
    { ...common, displayName: 'unit', roots: ['<rootDir>/src'], testRegex: '\\.spec\\.ts$' },
    {
      ...common,
      displayName: 'e2e',
      roots: ['<rootDir>/test'],
      testRegex: '\\.e2e-spec\\.ts$',
      testPathIgnorePatterns: RIG_SUITES.map((name) => `/test/${name}/`),
    },
    ...RIG_SUITES.map((name) => ({
      ...common,
      displayName: name,
      roots: ['<rootDir>/test'],
      testRegex: `/test/${name}/.*\\.e2e-spec\\.ts$`,
    })),
  ],
};
