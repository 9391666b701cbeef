import { ApiProperty } from '@nestjs/swagger';
import type { HealthCheckResult } from '@nestjs/terminus';

/** One row of `connectivity_checks`. */
export class ConnectivityCheck {
  @ApiProperty({
    description: 'What kind of thing was checked',
    enum: ['volume', 'process', 'etcd', 'redis'],
    example: 'volume',
  })
  service_group!: string;

  @ApiProperty({
    description:
      'Which one: a volume, a process of the group, etcd, or what a connection to Valkey is for',
    example: 'local',
  })
  component_id!: string;

  @ApiProperty({ example: true })
  is_healthy!: boolean;

  @ApiProperty({ description: 'UTC', format: 'date-time', example: '2026-03-01T02:03:04.005Z' })
  last_checked_at!: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'What is wrong, or worth knowing',
    example: null,
  })
  error_message!: string | null;
}

export class Connectivity {
  @ApiProperty({ description: 'True when every check is healthy', example: true })
  overall_healthy!: boolean;

  @ApiProperty({ type: [ConnectivityCheck] })
  connectivity_checks!: ConnectivityCheck[];

  @ApiProperty({ description: 'UTC', format: 'date-time', example: '2026-03-01T02:03:30.000Z' })
  timestamp!: string;
}

/** The answer of `/health`, `/livez` and `/readyz`. */
export class HealthBody {
  @ApiProperty({
    description: '`/health`: `ok` or `degraded`; `/livez` and `/readyz`: `ok` or `error`',
    enum: ['ok', 'degraded', 'error'],
    example: 'ok',
  })
  status!: 'ok' | 'degraded' | 'error';

  @ApiProperty({ example: '0.1.0' })
  version!: string;

  @ApiProperty({ enum: ['storage-proxy'], example: 'storage-proxy' })
  component!: 'storage-proxy';

  @ApiProperty({ type: Connectivity })
  connectivity!: Connectivity;
}

/** Puts Terminus' result, good or bad, into the body that Backend.AI components share. */
export function healthBody(
  status: HealthBody['status'],
  details: HealthCheckResult['details'],
  version: string,
  now: Date = new Date(),
): HealthBody {
  const timestamp = now.toISOString();
  const checks = Object.entries(details).map(([key, detail]): ConnectivityCheck => {
    const [group = '', ...id] = key.split(':');
    const { checkedAt, message } = detail as { checkedAt?: string; message?: string };
    return {
      service_group: group,
      component_id: id.join(':'),
      is_healthy: detail.status === 'up',
      last_checked_at: checkedAt ?? timestamp,
      error_message: message ?? null,
    };
  });
  return {
    status,
    version,
    component: 'storage-proxy',
    connectivity: {
      overall_healthy: checks.every((check) => check.is_healthy),
      connectivity_checks: checks,
      timestamp,
    },
  };
}
