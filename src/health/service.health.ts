import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';

/** How something that the proxies of a site share is, as this process reaches it. */
export interface ServiceState {
  /** As Backend.AI components name it. */
  readonly group: 'etcd' | 'redis';
  readonly id: string;
  readonly healthy: boolean;
  /** What is wrong, or what being without it means; `null` when there is nothing to say. */
  readonly message: string | null;
  readonly checkedAt: Date;
}

/** Asks for the states of all of them. Also the injection token. */
export class ServiceStates {
  constructor(readonly all: () => readonly ServiceState[]) {}
}

/**
 * One connection to etcd or Valkey. Without it the proxy serves what does not need it, so it degrades the
 * process and makes it neither unready nor dead.
 */
@Injectable()
export class ServiceHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly states: ServiceStates,
  ) {}

  checks(): (() => HealthIndicatorResult)[] {
    return this.states.all().map((state) => () => this.check(state));
  }

  private check({ group, id, healthy, message, checkedAt }: ServiceState): HealthIndicatorResult {
    const indicator = this.indicators.check(`${group}:${id}`);
    const facts = { checkedAt: checkedAt.toISOString(), ...(message !== null && { message }) };
    return healthy ? indicator.up(facts) : indicator.degraded({ message: 'not usable', ...facts });
  }
}
