import { Controller, Get, Header } from '@nestjs/common';
import { Operation } from '../http/operation.decorator.js';
import { METRICS_CONTENT_TYPE } from '../observability/metrics.js';
import { ProcessGroup } from './process-group.js';

/** Prometheus metrics of all workers together, whichever of them is asked. */
@Controller()
export class MetricsController {
  constructor(private readonly group: ProcessGroup) {}

  @Get('metrics')
  @Header('Content-Type', METRICS_CONTENT_TYPE)
  @Operation('metrics.read', {
    summary: 'Read the metrics of the process group',
    description: 'Prometheus text. Counters and gauges are added up over all workers.',
  })
  read(): Promise<string> {
    return this.group.metrics();
  }
}
