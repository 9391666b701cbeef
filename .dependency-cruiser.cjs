/** Imports point one way: planes -> volume -> backend/contract <- backend/<name> -> native. See ARCHITECTURE.md. */
// Specs and their rigs put the real parts together, across all layers.
const SPECS = '\\.spec\\.ts$|/testing/';
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: SPECS },
  to: { path: '^src/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    only(
      'client-plane-calls-volume',
      '^src/client-api/',
      '^src/(client-api|http|volume|errors|grammar|observability)/',
      'A plane parses, authorises, calls VolumeService and answers.',
    ),
    only(
      'manager-plane-calls-volume',
      '^src/manager-api/',
      '^src/(manager-api|http|health|volume|errors|grammar|observability)/',
      'A plane parses, authorises, calls VolumeService and answers.',
    ),
    only(
      'http-serves-the-planes',
      '^src/http/',
      '^src/(http|errors|grammar|observability|health)/',
      'What the listeners share knows nothing of the domain.',
    ),
    only(
      'volume-sees-only-the-contract',
      '^src/volume/',
      '^src/(volume|backend/contract|native|errors|grammar|observability)/',
      'The domain knows backends by their contract.',
    ),
    only(
      'cluster-serves-the-domain',
      '^src/cluster/',
      '^src/(cluster|volume|backend/contract|native|errors|grammar|observability)/',
      'What talks to etcd and Valkey implements interfaces that the domain declares; only cli knows it.',
    ),
    only(
      'backends-look-down',
      '^src/backend/',
      '^src/(backend|native|agent/client|errors|grammar|observability)/',
      'A backend never reaches up.',
    ),
    {
      name: 'backends-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/backend/(vfs|noop|xfs|purestorage|cephfs)/' },
      to: { path: '^src/backend/', pathNot: '^src/backend/($1|contract|posix)/' },
    },
    only(
      'contract-stands-alone',
      '^src/backend/contract/',
      '^src/(backend/contract|errors|grammar)/',
      'The contract can be read alone.',
    ),
    only(
      'agent-stands-apart',
      '^src/agent/',
      '^src/(agent|backend/contract|native|errors|grammar|observability)/',
      'What runs as root is as little as possible; cli hands it the implementation.',
    ),
    {
      name: 'agent-sides-share-the-protocol',
      comment: 'The privileged and the unprivileged side meet in agent/protocol only.',
      severity: 'error',
      from: { path: '^src/agent/(client|server|protocol)/', pathNot: SPECS },
      to: { path: '^src/agent/', pathNot: '^src/agent/($1|protocol)/' },
    },
    only('native-knows-nothing-of-us', '^src/native/', '^src/native/', 'System calls only.'),
    only(
      'shared-kernel-looks-at-nothing',
      '^src/(errors|config|grammar|observability)/',
      '^src/(errors|config|grammar|observability)/',
      'errors, config, grammar and observability import only each other.',
    ),
    {
      name: 'dto-stays-in-its-plane',
      severity: 'error',
      from: { pathNot: '^src/(client-api|manager-api)/|\\.spec\\.ts$' },
      to: { path: '\\.dto\\.ts$' },
    },
    {
      name: 'http-stays-at-the-edge',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(client-api|manager-api|http|health|cli)/' },
      to: { path: '(^|/)(fastify|@nestjs/platform-fastify|@nestjs/swagger)(/|$)' },
    },
    {
      name: 'few-may-spawn',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: `^src/(cli|agent/server|health/probe|backend/purestorage)/|${SPECS}`,
      },
      to: { path: '^(node:)?(child_process|cluster)$' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
