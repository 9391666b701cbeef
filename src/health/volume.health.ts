import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { VolumeView } from './volume-view.js';

/**
 * One volume: mounted, readable, writable, and not hung. A sick volume degrades the process and no more:
 * the others are served, so it never fails a probe by itself.
 */
@Injectable()
export class VolumeHealthIndicator {
  constructor(private readonly indicators: HealthIndicatorService) {}

  check(view: VolumeView): HealthIndicatorResult {
    const indicator = this.indicators.check(`volume:${view.volume}`);
    const { checkedAt, message } = view;
    if (view.healthy) return indicator.up({ checkedAt });
    return indicator.degraded({ checkedAt, message: message ?? 'The volume is not usable' });
  }
}
