import type { ProjectStatus } from '../../backend/contract/volume-agent.js';
import {
  anything,
  boolean,
  count,
  integer,
  nothing,
  nullable,
  oneOf,
  optional,
  shape,
  text,
  type Codec,
  type Decoded,
} from './codec.js';
import { volumePath } from './volume-path.js';

const MAX_VOLUME_NAME = 255;
const MAX_ORIGIN = 128;
/** All bits set means "leave it as it is" to chown(2). */
const id = integer(0, 0xffff_fffe);

const volume = text(MAX_VOLUME_NAME);
const limit = optional(nullable(count));
const limits = shape({
  hardBytes: limit,
  softBytes: limit,
  hardInodes: limit,
  softInodes: limit,
});

const status: Codec<ProjectStatus> = shape({
  projectId: integer(1, 0xffff_fffe),
  usedBytes: count,
  usedInodes: count,
  hardBytes: nullable(count),
  softBytes: nullable(count),
  hardInodes: nullable(count),
  softInodes: nullable(count),
  bytesGraceEndsAt: nullable(count),
  inodesGraceEndsAt: nullable(count),
});

/** All that can be asked of an agent; each is one method of AbstractVolumeAgent, and may be repeated. */
export const REQUESTS = {
  'check-volume': { parameters: shape({ volume }), result: nothing },
  'initialise-project': {
    parameters: shape({ volume, path: volumePath, limits }),
    result: status,
  },
  'describe-project': {
    parameters: shape({ volume, path: volumePath }),
    result: nullable(status),
  },
  'limit-project': { parameters: shape({ volume, path: volumePath, limits }), result: status },
  'release-project': { parameters: shape({ volume, path: volumePath }), result: nothing },
  chown: { parameters: shape({ volume, path: volumePath, uid: id, gid: id }), result: nothing },
  'remove-tree': {
    parameters: shape({ volume, path: volumePath, keepDirectory: boolean }),
    result: nothing,
  },
} as const;

export type Operation = keyof typeof REQUESTS;
export type Parameters<Name extends Operation> = Decoded<(typeof REQUESTS)[Name]['parameters']>;
export type Result<Name extends Operation> = Decoded<(typeof REQUESTS)[Name]['result']>;

/** One request, read and checked. */
export type AgentRequest = {
  [Name in Operation]: {
    readonly operation: Name;
    readonly parameters: Parameters<Name>;
    /** Id of the proxy's own request that led to this one, for the logs. */
    readonly origin?: string;
  };
}[Operation];

const operation = oneOf(Object.keys(REQUESTS) as Operation[]);
const envelope = shape({ operation, parameters: anything, origin: optional(text(MAX_ORIGIN)) });

/** The body of a request's frame. */
export function encodeRequest({ operation: name, parameters, origin }: AgentRequest): unknown {
  const codec: Codec<unknown> = REQUESTS[name].parameters;
  return envelope.encode({
    operation: name,
    parameters: codec.encode(parameters),
    ...(origin !== undefined && { origin: origin.slice(0, MAX_ORIGIN) }),
  });
}

/** Throws CodecError for an unknown operation, or parameters that are not its own. */
export function decodeRequest(body: unknown): AgentRequest {
  const { parameters, ...rest } = envelope.decode(body);
  const codec: Codec<unknown> = REQUESTS[rest.operation].parameters;
  return { ...rest, parameters: codec.decode(parameters) } as AgentRequest;
}
