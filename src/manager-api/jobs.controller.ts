import { Controller, Delete, Get, HttpCode, Param, Req, Sse } from '@nestjs/common';
import type { MessageEvent } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { from, map, Observable } from 'rxjs';
import { Operation } from '../http/operation.decorator.js';
import { Parameters } from '../http/query-or-body.js';
import { noteForAudit } from '../observability/request-context.js';
import type { Job } from '../volume/jobs/job.js';
import { VolumeService } from '../volume/volume.service.js';
import { EXAMPLE } from './dto/examples.js';
import { JobDto, JobListDto, ListJobsDto } from './dto/job.dto.js';
import { isoTimeOf } from './iso-time.js';

const ID = {
  name: 'id',
  format: 'uuid',
  description: 'The `bgtask_id` of an answer',
  example: EXAMPLE.job,
};

/** The last event of a watched job, abridged. */
const EVENTS = `id: 2\ndata: {"id":"${EXAMPLE.job}","kind":"clone_vfolder","state":"done"}\n\n`;

/** Long operations of this proxy. The original has no such endpoints; managers wait for events instead. */
@ApiTags('jobs')
@Controller('jobs')
export class JobsController {
  constructor(private readonly volumes: VolumeService) {}

  @Get()
  @Operation('jobs.list', {
    summary: 'List the jobs',
    description:
      'Running and waiting jobs of all volumes, and those that ended within the last day (`jobs.finished-retention`), newest first. Fails only when `state` is none of those listed.',
  })
  @ApiOkResponse({ type: JobListDto, description: 'The jobs' })
  async list(@Parameters() { state }: ListJobsDto): Promise<JobListDto> {
    const jobs = await this.volumes.jobs.list();
    return { jobs: jobs.filter((job) => !state || job.state === state).map(jobDto) };
  }

  @Get(':id')
  @ApiParam(ID)
  @Operation('jobs.read', {
    summary: 'Tell how a job stands',
    description:
      'Progress, attempts and the error, if any. Any worker of the proxy answers for every job. 404 means that there is no such job, or that it ended more than `jobs.finished-retention` ago; 503 that a volume which may have it is not usable.',
  })
  @ApiOkResponse({ type: JobDto, description: 'The job' })
  async read(@Param('id') id: string): Promise<JobDto> {
    return jobDto(await this.volumes.jobs.get(id));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiParam(ID)
  @Operation('jobs.cancel', {
    summary: 'Cancel a job',
    description:
      'A clone is undone, a deletion of files stops at the next entry. The deletion of a folder cannot be stopped once the folder is gone from its place, nor a job that has ended: 409. One that was cancelled before stays so; an unknown one answers 404.',
  })
  @ApiNoContentResponse({ description: 'The job stops' })
  async cancel(@Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    noteForAudit(request.storageContext, { job: id });
    await this.volumes.jobs.cancel(id);
  }

  @Sse(':id/events')
  @ApiParam(ID)
  @Operation('jobs.watch', {
    summary: 'Watch a job',
    description:
      'Server-sent events, each with the job as `GET /jobs/{id}` shows it; the stream ends with the job, or when the proxy is drained: connect again then. An unknown job answers 404. Swagger UI shows the stream only when it has ended; try `curl -N`.',
  })
  @ApiOkResponse({
    description: 'The events',
    content: {
      'text/event-stream': {
        // Of an event, which is what tools look at, not of the stream.
        schema: {
          properties: { id: { type: 'string' }, data: { type: 'string' } },
          required: ['data'],
        },
        example: EVENTS,
      },
    },
  })
  async watch(@Param('id') id: string): Promise<Observable<MessageEvent>> {
    await this.volumes.jobs.get(id);
    return new Observable((subscriber) => {
      const gone = new AbortController();
      const jobs = from(this.volumes.jobs.watch(id, gone.signal));
      const events = jobs.pipe(map((job) => ({ data: jobDto(job) }))).subscribe(subscriber);
      return () => {
        gone.abort();
        events.unsubscribe();
      };
    });
  }
}

function jobDto(job: Job): JobDto {
  return {
    id: job.id,
    kind: job.kind,
    state: job.state,
    volume: job.volume,
    vfid: job.vfolder,
    source: job.source && { volume: job.source.volume, vfid: job.source.vfolder },
    progress: {
      entries: job.progress.entries,
      bytes: job.progress.bytes,
      total_entries: job.progress.totalEntries,
      total_bytes: job.progress.totalBytes,
    },
    attempts: job.attempts,
    error: job.error && { ...job.error },
    created_at: isoTimeOf(job.createdAt),
    started_at: job.startedAt && isoTimeOf(job.startedAt),
    updated_at: isoTimeOf(job.updatedAt),
    ended_at: job.endedAt && isoTimeOf(job.endedAt),
  };
}
