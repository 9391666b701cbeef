import { healthBody } from './health-body.js';

describe('healthBody', () => {
  const now = new Date('2026-03-01T02:03:30Z');

  it('lists checks as Backend.AI components do', () => {
    const details = {
      'volume:local': { status: 'up', checkedAt: '2026-03-01T02:03:04.005Z' },
      'volume:a:b': { status: 'degraded', message: 'did not answer' },
      'process:primary': { status: 'down', message: 'gone', responseTime: 3 },
    } as const;
    expect(healthBody('degraded', details, '1.2.3', now)).toEqual({
      status: 'degraded',
      version: '1.2.3',
      component: 'storage-proxy',
      connectivity: {
        overall_healthy: false,
        connectivity_checks: [
          {
            service_group: 'volume',
            component_id: 'local',
            is_healthy: true,
            last_checked_at: '2026-03-01T02:03:04.005Z',
            error_message: null,
          },
          {
            service_group: 'volume',
            component_id: 'a:b',
            is_healthy: false,
            last_checked_at: '2026-03-01T02:03:30.000Z',
            error_message: 'did not answer',
          },
          {
            service_group: 'process',
            component_id: 'primary',
            is_healthy: false,
            last_checked_at: '2026-03-01T02:03:30.000Z',
            error_message: 'gone',
          },
        ],
        timestamp: '2026-03-01T02:03:30.000Z',
      },
    });
  });

  it('is healthy without any result', () => {
    expect(healthBody('ok', {}, '1', now).connectivity.overall_healthy).toBe(true);
  });
});
