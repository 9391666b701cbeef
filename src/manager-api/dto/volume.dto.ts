import { ApiProperty } from '@nestjs/swagger';
import { Coerced, Text } from '../../http/dto-decorators.js';
import { VFolderId, type VFolderRef } from '../../volume/ids/vfolder-id.js';
import { EXAMPLE } from './examples.js';
import { limitBytes, VFolderIdText } from './member-decorators.js';

export class VolumeDto {
  @Text({ description: 'Name of the volume, as `GET /volumes` lists it', example: EXAMPLE.volume })
  volume!: string;
}

/** Names a vfolder whose quota may be asked for; the reference also takes the volume alone, and refuses it later. */
export class VolumeQuotaDto extends VolumeDto {
  @VFolderIdText({
    optional: true,
    nullable: true,
    description: 'The folder, a bare UUID; without it the answer is 400',
    example: EXAMPLE.bareVfid,
  })
  vfid: VFolderId | null = null;

  get ref(): VFolderRef | null {
    return this.vfid && { volume: this.volume, id: this.vfid };
  }
}

export class UpdateVolumeQuotaDto extends VolumeQuotaDto {
  @Coerced(
    limitBytes,
    { anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] },
    {
      description: 'New limit: bytes, or a size with a binary suffix such as `10g` or `1.5 GiB`',
      example: '10g',
    },
  )
  size_bytes!: number;
}

export class VolumeInfoDto {
  @ApiProperty({ example: EXAMPLE.volume })
  name!: string;
  @ApiProperty({ example: 'vfs', description: 'Backend that drives the volume' })
  backend!: string;
  @ApiProperty({ example: '/mnt/vol1', description: 'Mount path on the storage host' })
  path!: string;
  @ApiProperty({ example: '.', description: 'As configured; reported but not used in paths' })
  fsprefix!: string;
  @ApiProperty({
    type: [String],
    example: ['vfolder'],
    description: 'Out of `vfolder`, `quota`, `metric`, `fast-fs-size`, `fast-scan`, `fast-size`',
  })
  capabilities!: string[];
}

export class VolumeListDto {
  @ApiProperty({ type: [VolumeInfoDto] })
  volumes!: VolumeInfoDto[];
}

export class HardwareInfoDto {
  @ApiProperty({ enum: ['healthy', 'degraded', 'offline', 'unavailable'], example: 'healthy' })
  status!: string;
  @ApiProperty({ type: String, nullable: true, example: null })
  status_info!: string | null;
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: {},
    description: 'Facts about the appliance; nested data is JSON text',
  })
  metadata!: Record<string, string>;
}

export class PerformanceMetricDto {
  @ApiProperty({ type: 'integer', example: 12, description: 'Read operations a second' })
  iops_read!: number;
  @ApiProperty({ type: 'integer', example: 3, description: 'Write operations a second' })
  iops_write!: number;
  @ApiProperty({ type: 'integer', example: 4096, description: 'Bytes read a second' })
  io_bytes_read!: number;
  @ApiProperty({ type: 'integer', example: 1024, description: 'Bytes written a second' })
  io_bytes_write!: number;
  @ApiProperty({ example: 210.5, description: 'Microseconds a read takes' })
  io_usec_read!: number;
  @ApiProperty({ example: 330, description: 'Microseconds a write takes' })
  io_usec_write!: number;
}

export class ObservedMetricDto {
  @ApiProperty({ type: PerformanceMetricDto })
  metric!: PerformanceMetricDto;
  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  observed_at!: string;
}

export class CapacityDto {
  @ApiProperty({ type: 'integer', example: 1_099_511_627_776, description: 'Bytes; -1 if unknown' })
  capacity_bytes!: number;
  @ApiProperty({ type: 'integer', example: 274_877_906_944, description: 'Bytes; -1 if unknown' })
  used_bytes!: number;
}
