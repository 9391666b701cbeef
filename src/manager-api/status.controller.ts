import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Operation } from '../http/operation.decorator.js';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { ManagerStatusDto } from './dto/status.dto.js';

const DESCRIPTION =
  'Answers without authentication while the process serves; says nothing of volumes, see `/health` for those. Fails only when a body is sent.';

@ApiTags('status')
@Controller()
export class StatusController {
  constructor(@Inject(PRODUCT_VERSION) private readonly version: string) {}

  @Get()
  @Operation('status.read', { summary: 'Say who answers', description: DESCRIPTION, body: 'none' })
  @ApiOkResponse({ type: ManagerStatusDto, description: 'The process serves' })
  root(): ManagerStatusDto {
    return { status: 'ok', type: 'manager-facing', 'storage-proxy': this.version };
  }

  @Get('status')
  @Operation('status.read', {
    summary: 'Say who answers (same as `/`)',
    description: DESCRIPTION,
    body: 'none',
  })
  @ApiOkResponse({ type: ManagerStatusDto, description: 'The process serves' })
  status(): ManagerStatusDto {
    return this.root();
  }
}
