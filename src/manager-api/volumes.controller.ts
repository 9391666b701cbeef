import { Controller, Get, HttpCode, Patch, Res } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import { Operation } from '../http/operation.decorator.js';
import { Parameters } from '../http/query-or-body.js';
import type { VFolderRef } from '../volume/ids/vfolder-id.js';
import { VolumeService } from '../volume/volume.service.js';
import {
  CapacityDto,
  HardwareInfoDto,
  ObservedMetricDto,
  UpdateVolumeQuotaDto,
  VolumeDto,
  VolumeListDto,
  VolumeQuotaDto,
} from './dto/volume.dto.js';
import { isoTimeOf } from './iso-time.js';

@ApiTags('volumes')
@Controller()
export class VolumesController {
  constructor(private readonly volumes: VolumeService) {}

  @Get('volumes')
  @Operation('volumes.list', {
    summary: 'List the volumes',
    description:
      'Volumes that can be used now. A volume that is unavailable is left out, and named with the reason in `/health`. A body, even an empty object, is refused with 400.',
    body: 'none',
  })
  @ApiOkResponse({ type: VolumeListDto, description: 'The usable volumes' })
  list(): VolumeListDto {
    return {
      volumes: this.volumes.list().map((info) => ({
        ...info,
        capabilities: [...info.capabilities],
      })),
    };
  }

  @Get('volume/hwinfo')
  @Operation('volume.hwinfo', {
    summary: 'Describe the hardware of a volume',
    description:
      'What the storage system says of itself: `metadata` depends on the backend. A plain filesystem is always `healthy`. Fails with 503 while the volume is unavailable.',
  })
  @ApiOkResponse({ type: HardwareInfoDto, description: 'State and facts' })
  async hardwareInfo(@Parameters() { volume }: VolumeDto): Promise<HardwareInfoDto> {
    const { status, statusInfo, metadata } = await this.volumes.hardwareInfo(volume);
    return { status, status_info: statusInfo, metadata };
  }

  @Get('volume/performance-metric')
  @Operation('volume.performance-metric', {
    summary: 'Measure a volume',
    description:
      'Current operations, bytes and latencies, for volumes with the `metric` capability; others answer 400. Fails with 503 while the volume is unavailable.',
  })
  @ApiOkResponse({ type: ObservedMetricDto, description: 'What the storage system measures now' })
  async performanceMetric(@Parameters() { volume }: VolumeDto): Promise<ObservedMetricDto> {
    const { metric, observedAt } = await this.volumes.performanceMetric(volume);
    return {
      metric: {
        iops_read: metric.iopsRead,
        iops_write: metric.iopsWrite,
        io_bytes_read: metric.ioBytesRead,
        io_bytes_write: metric.ioBytesWrite,
        io_usec_read: metric.ioUsecRead,
        io_usec_write: metric.ioUsecWrite,
      },
      observed_at: isoTimeOf(observedAt),
    };
  }

  @Get('folder/fs-usage')
  @Operation('volume.fs-usage', {
    summary: 'Tell how full a volume is',
    description:
      'Capacity and use of the whole filesystem, as `df` has them; on a filesystem that others share, their use is included. `-1` means unknown. Fails with 503 when the filesystem does not answer in time.',
  })
  @ApiOkResponse({ type: CapacityDto, description: 'Bytes of the whole filesystem' })
  async capacity(@Parameters() { volume }: VolumeDto): Promise<CapacityDto> {
    const { capacityBytes, usedBytes } = await this.volumes.capacity(volume);
    return { capacity_bytes: capacityBytes, used_bytes: usedBytes };
  }

  @Get('volume/quota')
  @Operation('volume.quota.read', {
    summary: 'Tell the limit of a vfolder with a bare id',
    description:
      'Per-folder quotas belong to folders with bare UUIDs, on backends that enforce them; the answer is the limit in bytes, a bare number. Folders with scoped ids answer 400: ask for their quota scope.',
  })
  @ApiOkResponse({
    schema: { type: 'integer' },
    example: 10_737_418_240,
    description: 'The limit in bytes, a bare number',
  })
  async quota(@Parameters() parameters: VolumeQuotaDto, @Res() reply: FastifyReply): Promise<void> {
    const bytes = await this.volumes.vfolders.quota(unscoped(parameters.ref));
    await reply.type('application/json; charset=utf-8').send(JSON.stringify(bytes));
  }

  @Patch('volume/quota')
  @HttpCode(204)
  @Operation('volume.quota.update', {
    summary: 'Change the limit of a vfolder with a bare id',
    description:
      'Sets the limit of one folder with a bare UUID, on backends that enforce such limits. Other volumes, and folders with scoped ids, answer 400: set the limit of their quota scope with `PATCH /quota-scope`.',
  })
  @ApiNoContentResponse({ description: 'The limit is set' })
  async setQuota(@Parameters() parameters: UpdateVolumeQuotaDto): Promise<void> {
    await this.volumes.vfolders.setQuota(unscoped(parameters.ref), parameters.size_bytes);
  }
}

/** Per-folder quotas exist in the generation of bare ids alone (protocol section 3.6). */
function unscoped(ref: VFolderRef | null): VFolderRef {
  if (ref?.id.scope === null) return ref;
  throw new StorageError(
    'UNSUPPORTED',
    'Quotas of single vfolders are a deprecated API: use the quota scope',
    { subject: 'volume' },
  );
}
