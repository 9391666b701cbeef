import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Operation } from '../http/operation.decorator.js';
import { VERSION } from '../observability/version.js';
import { ManagerStatusDto } from './dto/status.dto.js';

const DESCRIPTION =
  'Answers without authentication while the process serves; says nothing of volumes.';

@ApiTags('status')
@Controller()
export class StatusController {
  @Get()
  @Operation('status.read', { summary: 'Say who answers', description: DESCRIPTION, body: 'none' })
  @ApiOkResponse({ type: ManagerStatusDto })
  root(): ManagerStatusDto {
    return { status: 'ok', type: 'manager-facing', 'storage-proxy': VERSION };
  }

  @Get('status')
  @Operation('status.read', { summary: 'Say who answers', description: DESCRIPTION, body: 'none' })
  @ApiOkResponse({ type: ManagerStatusDto })
  status(): ManagerStatusDto {
    return this.root();
  }
}
