import { Controller, Get, Head, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Operation } from '../../http/operation.decorator.js';
import { responseTurn } from '../../volume/downloads/response-body.js';
import { VolumeService } from '../../volume/volume.service.js';
import { noteForAudit } from '../../observability/request-context.js';
import { ArchiveQueryDto } from '../dto/archive-query.dto.js';
import { TokenGate } from '../limits/token-gate.js';
import { TransferSlots } from '../limits/transfer-slots.js';
import { sendArchive } from './send-archive.js';

/** Downloads of several files and directories in one ZIP. The token lists them. */
@ApiTags('downloads')
@Controller('download-archive')
export class ArchiveController {
  constructor(
    private readonly volumes: VolumeService,
    private readonly gate: TokenGate,
    private readonly slots: TransferSlots,
  ) {}

  @Get()
  @Operation('download-archive', {
    summary: 'Download several files and directories as a ZIP',
    description:
      'Everything listed in the token, directories with all that is below them, under its path relative to the vfolder. All of it has to exist (404 otherwise); what vanishes while the archive is being sent is left out, and when something cannot be read the connection breaks. Other query parameters are ignored. A token that was not signed here, or is expired, answers 401; one that is no archive token 400.',
  })
  @ApiOkResponse({
    description: 'The archive, made while it is sent',
    content: { 'application/zip': { schema: { type: 'string', format: 'binary' } } },
  })
  async get(
    @Query() query: ArchiveQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer('GET', query, request, reply);
  }

  @Head()
  @Operation('download-archive.head', {
    summary: 'Ask whether an archive can be downloaded',
    description:
      'Checks the token and that everything it lists exists. Nothing is read. Fails as GET does; an error has no body.',
  })
  @ApiOkResponse({ description: 'The headers of the archive' })
  async head(
    @Query() query: ArchiveQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer('HEAD', query, request, reply);
  }

  private async answer(
    method: 'GET' | 'HEAD',
    query: ArchiveQueryDto,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    await responseTurn(reply.raw);
    const { tokens, archives } = this.volumes;
    const grant = this.gate.admit(request, query.token, (token) => tokens.verifyArchive(token));
    noteForAudit(request.storageContext, { paths: grant.files.map(String) });
    const leave = this.slots.enter({ volume: grant.ref.volume, token: grant.fingerprint });
    try {
      const archive = await archives.open(grant);
      try {
        await sendArchive(reply, archive, method);
      } finally {
        archive.close();
      }
    } finally {
      leave();
    }
  }
}
