import type { ArrayState, SimulatedFileSystem } from './array-state.js';

/** What one GET of a resource gives, before it is cut into pages. */
export interface Result {
  readonly items: readonly object[];
  readonly total?: unknown;
}

/** An answer that is an error, with its status. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Names that one performance request may ask for; more is a 400 [pure-fb-openmetrics-exporter chunks by 5]. */
const MAX_PERFORMANCE_NAMES = 5;

/** The resources that the proxy reads. `family` is 1 or 2. */
export function readResource(
  state: ArrayState,
  family: number,
  resource: string,
  query: URLSearchParams,
): Result {
  switch (resource) {
    case 'arrays':
      return { items: [{ ...state.identity, time_zone: 'UTC', _as_of: Date.now() }] };
    case 'arrays/space':
      return { items: [spaceOf(state, family)] };
    case 'file-systems':
      return fileSystems(state, family, query);
    case 'file-systems/performance':
      return performance(state, family, query);
    case 'blades':
      return {
        items: Array.from({ length: state.blades }, (_, index) => ({ name: `CH1.FB${index}` })),
      };
    case 'hardware':
      return { items: state.hardware };
    case 'alerts':
      return { items: alerts(state, family, query) };
    default:
      throw new ApiError(404, `There is no resource ${resource}`);
  }
}

/** `total_used` replaces `total_physical` from 2.16 on; both are there then [vendor OpenAPI 2.16, Space]. */
function spaceOf({ capacity, usedPhysical }: ArrayState, family: number): object {
  const used = family === 2 ? { total_used: usedPhysical } : {};
  return {
    capacity,
    parity: 1,
    time: Date.now(),
    space: { total_physical: usedPhysical, ...used },
  };
}

/** The request fails when one of the names has no match [vendor OpenAPI, parameter `names`]. */
function named(state: ArrayState, query: URLSearchParams): SimulatedFileSystem[] {
  const names = query.get('names')?.split(',');
  if (names === undefined) return state.fileSystems;
  return names.map((name) => {
    const found = state.fileSystems.find((each) => each.name === name);
    if (!found) throw new ApiError(400, `File system does not exist: ${name}`);
    return found;
  });
}

/** `total` is a single object here [vendor OpenAPI, FileSystemResponse]. */
function fileSystems(state: ArrayState, family: number, query: URLSearchParams): Result {
  const items = named(state, query).map((fileSystem) => ({
    ...fileSystem,
    performance: undefined,
    // Unlimited: 0 in REST 1, null in REST 2.
    provisioned: fileSystem.provisioned ?? (family === 1 ? 0 : null),
    nfs: { v3_enabled: true },
  }));
  const sum = items.reduce((bytes, { provisioned }) => bytes + (provisioned ?? 0), 0);
  return { items, total: { name: null, provisioned: sum, space: {} } };
}

/** `total` is an array here [vendor OpenAPI, FileSystemPerformanceResponse]. REST 1 knows `NFS` alone [its SDK]. */
function performance(state: ArrayState, family: number, query: URLSearchParams): Result {
  const names = query.get('names')?.split(',') ?? [];
  if (names.length > MAX_PERFORMANCE_NAMES) throw new ApiError(400, 'Too many names');
  if (family === 1 && query.get('protocol')?.toUpperCase() !== 'NFS') {
    throw new ApiError(400, 'Protocol must be NFS');
  }
  const items = named(state, query).map(({ name, performance }) => ({
    name,
    time: Date.now(),
    ...performance,
  }));
  return { items, total: [{ name: null, ...items[0] }] };
}

function alerts(state: ArrayState, family: number, query: URLSearchParams): object[] {
  const onlyOpen = query.get('filter') === "state='open'";
  return state.alerts
    .filter((alert) => !onlyOpen || alert.state === 'open')
    .map(({ summary, component, ...alert }) =>
      // REST 1 says `subject` and `component`, REST 2 `summary` and `component_name` [vendor OpenAPI, Alert].
      family === 1
        ? { ...alert, subject: summary, component }
        : { ...alert, summary, component_name: component },
    );
}
