import { ApiProperty } from '@nestjs/swagger';
import { AnyObject, ObjectOf } from '../../http/dto-decorators.js';
import { QuotaScopeId } from '../../volume/ids/quota-scope-id.js';
import { LimitBytes, QuotaScopeIdText } from './member-decorators.js';
import { VolumeDto } from './volume.dto.js';

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
}
