import type { AbstractVolumeAgent } from '../../backend/contract/volume-agent.js';
import { REQUESTS, type AgentRequest } from '../protocol/requests.js';
import type { Codec } from '../protocol/codec.js';

/** Carries one request out, and encodes its result. */
export async function carryOut(
  agent: AbstractVolumeAgent,
  request: AgentRequest,
  signal: AbortSignal,
): Promise<unknown> {
  const result = await call(agent, request, signal);
  const codec: Codec<unknown> = REQUESTS[request.operation].result;
  return codec.encode(result);
}

function call(
  agent: AbstractVolumeAgent,
  { operation, parameters }: AgentRequest,
  signal: AbortSignal,
): Promise<unknown> {
  switch (operation) {
    case 'check-volume':
      return agent.checkVolume(parameters.volume);
    case 'initialise-project':
      return agent.initialiseProject(parameters.volume, parameters.path, parameters.limits);
    case 'describe-project':
      return agent.describeProject(parameters.volume, parameters.path);
    case 'limit-project':
      return agent.limitProject(parameters.volume, parameters.path, parameters.limits);
    case 'release-project':
      return agent.releaseProject(parameters.volume, parameters.path);
    case 'chown':
      return agent.chown(parameters.volume, parameters.path, parameters.uid, parameters.gid);
    case 'remove-tree': {
      const { keepDirectory } = parameters;
      return agent.removeTree(parameters.volume, parameters.path, { keepDirectory, signal });
    }
  }
}
