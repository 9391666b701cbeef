import { Controller, Get, Header, HttpStatus, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Operation } from '../http/operation.decorator.js';
import { HealthBody } from './health-body.js';
import { HealthService } from './health.service.js';

const NEVER_CACHED = ['Cache-Control', 'no-store'] as const;

/** The answer of a process that fails a probe, for the documentation. */
const failing = (component: string, message: string): HealthBody => ({
  status: 'error',
  version: '0.1.0',
  component: 'storage-proxy',
  connectivity: {
    overall_healthy: false,
    connectivity_checks: [
      {
        service_group: 'process',
        component_id: component,
        is_healthy: false,
        last_checked_at: '2026-03-01T02:03:30.000Z',
        error_message: message,
      },
    ],
    timestamp: '2026-03-01T02:03:30.000Z',
  },
});

/** Health for people, supervisors and load balancers; never needs a secret. */
@ApiTags('health')
@Controller()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('health')
  @Header(...NEVER_CACHED)
  @Operation('health.read', {
    summary: 'Tell how the whole process group is',
    description:
      'One check per volume (mounted, readable, writable, not hung) and per process. Always 200: ' +
      '`degraded` means that something needs attention while the rest is served, and `error_message` says what.',
  })
  @ApiResponse({ status: 200, type: HealthBody, description: 'The state, good or bad' })
  read(): Promise<HealthBody> {
    return this.health.health();
  }

  @Get('livez')
  @Header(...NEVER_CACHED)
  @Operation('livez.read', {
    summary: 'Tell whether the process is alive',
    description:
      'For liveness probes: the event loop turns and the primary process answers. A sick volume never ' +
      'fails it, since a restart would not mend the volume.',
  })
  @ApiResponse({ status: 200, type: HealthBody, description: 'Alive' })
  @ApiResponse({
    status: 503,
    type: HealthBody,
    description: 'Should be restarted',
    example: failing('primary', 'timeout of 800ms exceeded'),
  })
  async livez(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthBody> {
    return answer(reply, await this.health.liveness());
  }

  @Get('readyz')
  @Header(...NEVER_CACHED)
  @Operation('readyz.read', {
    summary: 'Tell whether the process wants requests',
    description:
      'For readiness probes and load balancers: fails while the process starts or drains, and while no ' +
      'volume at all is usable. With some volumes sick it succeeds and names them.',
  })
  @ApiResponse({ status: 200, type: HealthBody, description: 'Send requests' })
  @ApiResponse({
    status: 503,
    type: HealthBody,
    description: 'Send none',
    example: failing('serving', 'The process is draining'),
  })
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthBody> {
    return answer(reply, await this.health.readiness());
  }
}

function answer(reply: FastifyReply, body: HealthBody): HealthBody {
  reply.status(body.status === 'error' ? HttpStatus.SERVICE_UNAVAILABLE : HttpStatus.OK);
  return body;
}
