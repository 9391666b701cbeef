import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { AnyObject, ObjectOf } from '../../http/dto-decorators.js';
import { QuotaScopeId } from '../../volume/ids/quota-scope-id.js';
import type { QuotaScopes } from '../../volume/quota-scopes.js';
import { isoTimeOf } from '../iso-time.js';
import { LagSeconds, LimitBytes, QuotaScopeIdText } from './member-decorators.js';
import { VolumeDto } from './volume.dto.js';

type QuotaStatus = Awaited<ReturnType<QuotaScopes['describe']>>;

export class QuotaScopeDto extends VolumeDto {
  @QuotaScopeIdText()
  qsid!: QuotaScopeId;
}

export class QuotaOptionsDto {
  @LimitBytes()
  limit_bytes!: number;
}

export class CreateQuotaScopeDto extends QuotaScopeDto {
  @ObjectOf(() => QuotaOptionsDto, {
    description: 'Initial limit; absent or `null` for none',
    optional: true,
    nullable: true,
  })
  options: QuotaOptionsDto | null = null;

  @AnyObject({
    description: 'Accepted for compatibility and not used',
    optional: true,
    nullable: true,
    example: null,
  })
  extra_args: Record<string, unknown> | null = null;
}

export class UpdateQuotaScopeDto extends QuotaScopeDto {
  @ObjectOf(() => QuotaOptionsDto, { description: 'The new limit' })
  options!: QuotaOptionsDto;
}

export class QuotaStatusDto {
  @ApiProperty({
    type: 'integer',
    nullable: true,
    example: null,
    description: 'Bytes used; `null` when the backend does not count them',
  })
  used_bytes!: number | null;
  @ApiProperty({
    type: 'integer',
    nullable: true,
    example: null,
    description: 'Limit in bytes; `null` when there is none or the backend has no limits',
  })
  limit_bytes!: number | null;
  @LagSeconds()
  lag_seconds?: number;

  @ApiPropertyOptional({
    type: 'integer',
    description: 'There when the operator has set it: may be exceeded until the grace period ends',
  })
  soft_limit_bytes?: number;
  @ApiPropertyOptional({
    type: 'integer',
    description: 'Limit of files, directories and links; there when the operator has set it',
  })
  limit_inodes?: number;
  @ApiPropertyOptional({
    type: 'integer',
    description: 'How many of these there are; where there is a limit',
  })
  used_inodes?: number;
  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'While a soft limit is exceeded: when it begins to bind',
  })
  grace_ends_at?: string;

  static of(status: QuotaStatus): QuotaStatusDto {
    const { usedBytes, limitBytes, softLimitBytes, limitInodes, usedInodes, lagSeconds } = status;
    const graceEndsAt = status.bytesGraceEndsAt ?? status.inodesGraceEndsAt;
    return {
      used_bytes: usedBytes,
      limit_bytes: limitBytes,
      ...(lagSeconds !== undefined && { lag_seconds: lagSeconds }),
      ...(softLimitBytes !== undefined && { soft_limit_bytes: softLimitBytes }),
      ...(limitInodes !== undefined && { limit_inodes: limitInodes, used_inodes: usedInodes ?? 0 }),
      ...(softLimitBytes !== undefined &&
        graceEndsAt !== undefined && { grace_ends_at: isoTimeOf(new Date(graceEndsAt * 1_000)) }),
    };
  }
}
