import { Controller, Get, Head, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Operation } from '../../http/operation.decorator.js';
import type { FileDownload } from '../../volume/downloads/file-download.js';
import { responseTurn } from '../../volume/downloads/response-body.js';
import { VolumeService } from '../../volume/volume.service.js';
import { noteForAudit } from '../../observability/request-context.js';
import { DownloadQueryDto } from '../dto/download-query.dto.js';
import { TokenGate } from '../limits/token-gate.js';
import { TransferSlots } from '../limits/transfer-slots.js';
import { CONTENT, CONTENT_RANGE, fileHeaders } from './download-docs.js';
import { sendArchive } from './send-archive.js';
import { reportTransfer } from './transfer-report.js';

type Method = 'GET' | 'HEAD';

const BINARY = { schema: { type: 'string', format: 'binary' } } as const;

/** Downloads of one file, or of one directory as an archive. The token says which. */
@ApiTags('downloads')
@Controller('download')
export class DownloadController {
  constructor(
    private readonly volumes: VolumeService,
    private readonly gate: TokenGate,
    private readonly slots: TransferSlots,
  ) {}

  @Get()
  @Operation('download', {
    summary: 'Download a file, or a directory as a ZIP',
    description:
      'A file comes with `ETag`, `Last-Modified` and `Content-Length`, and in part when `Range` asks for it: one range, or several as `multipart/byteranges`. `If-Range`, `If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since` are honoured. A directory is refused unless `archive` is given; the archive is made while it is sent, so it has no length and no ranges, and when it cannot be completed the connection breaks. Symbolic links are followed inside the vfolder only. A token that is forged or expired answers 400, a file or folder that is missing 404; when a file cannot be read to its end the connection breaks.',
  })
  @ApiHeader({
    name: 'Range',
    required: false,
    description: 'Parts of the file, as RFC 9110 has them, for example `bytes=0-10`',
    schema: { type: 'string' },
  })
  @ApiOkResponse({
    description: 'The whole file, or the archive of a directory',
    headers: fileHeaders(),
    content: {
      'application/octet-stream': { ...BINARY, example: CONTENT },
      'application/zip': BINARY,
    },
  })
  @ApiResponse({
    status: 206,
    description: 'The range asked for, or each of several',
    headers: { ...fileHeaders(), ...CONTENT_RANGE },
    content: {
      'application/octet-stream': { ...BINARY, example: CONTENT.slice(0, 11) },
      'multipart/byteranges': BINARY,
    },
  })
  @ApiResponse({ status: 304, description: 'The client has the current state of the file' })
  async get(
    @Query() query: DownloadQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer('GET', query, request, reply);
  }

  @Head()
  @Operation('download.head', {
    summary: 'Ask for the size and state of a file',
    description:
      'The answer of GET without its body. `Range` is ignored, as HTTP has it; preconditions count. Fails as GET does; an error has no body either.',
  })
  @ApiOkResponse({ description: 'The headers of the whole file', headers: fileHeaders() })
  async head(
    @Query() query: DownloadQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer('HEAD', query, request, reply);
  }

  private async answer(
    method: Method,
    query: DownloadQueryDto,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    // A client may pipeline any number of requests: each opens its file when it is its turn.
    await responseTurn(reply.raw);
    const { tokens, downloads } = this.volumes;
    const grant = this.gate.admit(request, query.token, (token) => tokens.verifyDownload(token));
    noteForAudit(request.storageContext, {
      paths: [grant.path.toString()],
      details: { dst_dir: query.dst_dir },
    });
    const leave = this.slots.enter({ volume: grant.ref.volume, token: grant.fingerprint });
    try {
      const download = await downloads.open(grant, {
        directory: query.dst_dir,
        archive: query.archive || grant.archive,
      });
      try {
        if (download.kind === 'archive') await sendArchive(reply, download, method);
        else await sendFile(reply, download, request, { method, noCache: query.no_cache });
      } finally {
        await download.close();
      }
    } finally {
      leave();
    }
  }
}

async function sendFile(
  reply: FastifyReply,
  download: FileDownload,
  { headers, storageContext }: FastifyRequest,
  how: { method: Method; noCache: boolean },
): Promise<void> {
  const plan = download.plan({ method: how.method, noCache: how.noCache, headers });
  reply.hijack();
  reply.raw.writeHead(plan.status, plan.headers);
  reportTransfer(storageContext, 'file', await download.send(reply.raw, plan));
}
