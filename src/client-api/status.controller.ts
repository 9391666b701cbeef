import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Operation } from '../http/operation.decorator.js';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { ClientStatusDto } from './dto/status.dto.js';

@ApiTags('status')
@Controller()
export class StatusController {
  constructor(@Inject(PRODUCT_VERSION) private readonly version: string) {}

  @Get()
  @Operation('status.read', {
    summary: 'Say who answers',
    description:
      'Answers without a token while the process serves; says nothing of volumes: probes belong to the internal listener. Any query parameter is refused.',
    noQuery: true,
  })
  @ApiOkResponse({ type: ClientStatusDto, description: 'The process serves' })
  root(): ClientStatusDto {
    return { status: 'ok', type: 'client-facing', 'storage-proxy': this.version };
  }
}
