import { ApiProperty } from '@nestjs/swagger';
import { IgnoreExtraMembers } from '../../http/validation.pipe.js';
import { AnyObject, Coerced, LenientInt, Text } from '../../http/dto-decorators.js';
import { VFolderId, type VFolderRef } from '../../volume/ids/vfolder-id.js';
import { EXAMPLE } from './examples.js';
import { LagSeconds, limitBytes, plainLimitBytes, VFolderIdText } from './member-decorators.js';
import { VolumeDto } from './volume.dto.js';

const MAX_MODE = 0o7777;

export class VFolderDto extends VolumeDto {
  @VFolderIdText()
  vfid!: VFolderId;

  get ref(): VFolderRef {
    return { volume: this.volume, id: this.vfid };
  }
}

/** What `options` of folder/create holds, of either generation; other members are ignored. */
export interface FolderOptions {
  /** Bytes; the limit of a quota scope that this call creates. */
  readonly initialScopeLimitBytes?: number;
  /** Bytes; the limit of the folder itself (unscoped ids). */
  readonly quotaBytes?: number;
}

function folderOptions(value: unknown): FolderOptions {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('value is not a dict');
  }
  const { quota, initial_max_size_for_quota_scope: initial } = value as Record<string, unknown>;
  return {
    ...(isGiven(initial) && { initialScopeLimitBytes: plainLimitBytes(initial) }),
    ...(isGiven(quota) && { quotaBytes: limitBytes(quota) }),
  };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export class CreateFolderDto extends VFolderDto {
  @LenientInt({
    description: 'Permission bits of the folder, set exactly: 493 is 0755, 509 is 0775',
    optional: true,
    nullable: true,
    default: 0o755,
    example: 0o755,
    minimum: 0,
    maximum: MAX_MODE,
  })
  mode?: number | null;

  @Coerced(
    folderOptions,
    {
      type: 'object',
      properties: {
        initial_max_size_for_quota_scope: {
          anyOf: [
            { type: 'integer', minimum: 0 },
            { type: 'string', pattern: '^\\s*\\d{1,15}\\s*$' },
            { type: 'null' },
          ],
          description: 'Limit in bytes of a quota scope that this call creates (scoped ids)',
        },
        quota: {
          anyOf: [
            { type: 'integer', minimum: 0 },
            { type: 'string', pattern: '^\\d{1,6}[kmgtKMGT]?$' },
            { type: 'null' },
          ],
          description: 'Limit of the folder itself, bytes or a size such as `10g` (bare ids)',
        },
      },
    },
    {
      description: 'Limits; other members are ignored',
      optional: true,
      nullable: true,
      example: {},
    },
  )
  options: FolderOptions | null = null;
}

@IgnoreExtraMembers()
export class CloneFolderDto {
  @Text({ description: 'Volume of the source', example: EXAMPLE.volume })
  src_volume!: string;

  @VFolderIdText({ description: 'The folder to clone' })
  src_vfid!: VFolderId;

  @Text({
    description: 'Volume of the clone; `null` for that of the source',
    nullable: true,
    example: EXAMPLE.volume,
  })
  dst_volume!: string | null;

  @VFolderIdText({ description: 'The clone', example: EXAMPLE.cloneVfid })
  dst_vfid!: VFolderId;

  get source(): VFolderRef {
    return { volume: this.src_volume, id: this.src_vfid };
  }

  get destination(): VFolderRef {
    return { volume: this.dst_volume ?? this.src_volume, id: this.dst_vfid };
  }
}

export class MountDto extends VFolderDto {
  @Text({
    description: 'Checked to lie inside the folder; need not exist, and is not part of the answer',
    optional: true,
    default: '.',
    example: '.',
    allowBlank: true,
  })
  subpath = '.';
}

export class SetMetadataDto extends VFolderDto {
  @AnyObject({
    description: 'Accepted and not stored',
    optional: true,
    nullable: true,
    example: {},
  })
  payload: Record<string, unknown> | null = null;
}

export class MountPathDto {
  @ApiProperty({
    example: '/mnt/vol1/0f0e0d0c0b0a40908070605040302010/9f/8e/7d6c5b4a43929190807060504030',
    description: 'Absolute path of the folder, valid on every host that mounts the volume there',
  })
  path!: string;
}

export class UsageDto {
  @ApiProperty({ type: 'integer', example: 1042, description: 'Entries, directories included' })
  file_count!: number;
  @ApiProperty({
    type: 'integer',
    example: 104_857_600,
    description: 'Sum of their sizes in bytes',
  })
  used_bytes!: number;
  @LagSeconds()
  lag_seconds?: number;
}

export class UsedBytesDto {
  @ApiProperty({ type: 'integer', example: 104_857_600, description: 'Sum in bytes' })
  used_bytes!: number;
  @LagSeconds()
  lag_seconds?: number;
}

export class StatusOkDto {
  @ApiProperty({ example: 'ok' })
  status!: string;
}

export class JobStartedDto {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.job, description: 'See `GET /jobs/{id}`' })
  bgtask_id!: string;
}
