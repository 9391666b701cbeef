import { Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Operation } from '../http/operation.decorator.js';
import { Parameters } from '../http/query-or-body.js';
import { VolumeService } from '../volume/volume.service.js';
import {
  CreateQuotaScopeDto,
  QuotaScopeDto,
  QuotaStatusDto,
  UpdateQuotaScopeDto,
} from './dto/quota-scope.dto.js';

@ApiTags('quota scopes')
@Controller('quota-scope')
export class QuotaScopesController {
  constructor(private readonly volumes: VolumeService) {}

  @Post()
  @HttpCode(204)
  @Operation('quota-scope.create', {
    summary: 'Create a quota scope',
    description:
      'Makes the directory that holds the vfolders of one user or project, with a limit where the backend enforces limits. Fails with 409 when it exists. Managers do not call this: scopes come with `POST /folder/create` or `PATCH /quota-scope`.',
  })
  @ApiNoContentResponse({ description: 'The scope is there' })
  async create(@Parameters() { volume, qsid, options }: CreateQuotaScopeDto): Promise<void> {
    await this.volumes.quotaScopes.create(volume, qsid, options?.limit_bytes ?? null);
  }

  @Get()
  @Operation('quota-scope.read', {
    summary: 'Tell use and limit of a quota scope',
    description:
      'Both are `null` on volumes without quotas. A missing scope answers 404, on which managers fall back to the limits of their policies.',
  })
  @ApiOkResponse({ type: QuotaStatusDto, description: 'Use and limit' })
  async describe(@Parameters() { volume, qsid }: QuotaScopeDto): Promise<QuotaStatusDto> {
    return QuotaStatusDto.of(await this.volumes.quotaScopes.describe(volume, qsid));
  }

  @Patch()
  @HttpCode(204)
  @Operation('quota-scope.update', {
    summary: 'Set the limit of a quota scope',
    description:
      'Creates the scope when it is missing, so that it can be repeated. On volumes without quotas the limit has no effect. A negative limit, or one that the backend refuses, answers 400.',
  })
  @ApiNoContentResponse({ description: 'The limit is set' })
  async update(@Parameters() { volume, qsid, options }: UpdateQuotaScopeDto): Promise<void> {
    await this.volumes.quotaScopes.update(volume, qsid, options.limit_bytes);
  }

  @Delete('quota')
  @HttpCode(204)
  @Operation('quota-scope.unset', {
    summary: 'Remove the limit of a quota scope',
    description:
      'Keeps the scope and everything in it; repeating it is fine. A missing scope answers 404, a backend that cannot remove limits 400.',
  })
  @ApiNoContentResponse({ description: 'There is no limit' })
  async unset(@Parameters() { volume, qsid }: QuotaScopeDto): Promise<void> {
    await this.volumes.quotaScopes.unset(volume, qsid);
  }
}
