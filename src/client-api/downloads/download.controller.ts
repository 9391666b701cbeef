import { Controller, Get, Head, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ParametersPipe } from '../../http/validation.pipe.js';
import { Operation } from '../../http/operation.decorator.js';
import type { FileDownload } from '../../volume/downloads/file-download.js';
import { responseTurn } from '../../volume/downloads/response-body.js';
import { chain, cleaningUp, type MaybePromise } from '../../volume/maybe-promise.js';
import { VolumeService } from '../../volume/volume.service.js';
import { auditsReads } from '../../observability/audit/audit.js';
import { noteForAudit } from '../../observability/request-context.js';
import { DownloadQueryDto } from '../dto/download-query.dto.js';
import { TokenGate } from '../limits/token-gate.js';
import { TransferSlots } from '../limits/transfer-slots.js';
import { CONTENT, CONTENT_RANGE, fileHeaders } from './download-docs.js';
import { sendArchive } from './send-archive.js';
import { reportTransfer } from './transfer-report.js';

const pipe = new ParametersPipe();
const DOWNLOAD_QUERY = { type: 'query', metatype: DownloadQueryDto } as const;

/** For `@Query()` Nest would make a chain of promises, which most downloads have no other need of. */
function checked(query: unknown): MaybePromise<DownloadQueryDto> {
  return pipe.transform(query, DOWNLOAD_QUERY) as MaybePromise<DownloadQueryDto>;
}

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
  @ApiQuery({ type: DownloadQueryDto })
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
  get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): MaybePromise<void> {
    return this.answer('GET', request, reply);
  }

  @Head()
  @ApiQuery({ type: DownloadQueryDto })
  @Operation('download.head', {
    summary: 'Ask for the size and state of a file',
    description:
      'The answer of GET without its body. `Range` is ignored, as HTTP has it; preconditions count. Fails as GET does; an error has no body either.',
  })
  @ApiOkResponse({ description: 'The headers of the whole file', headers: fileHeaders() })
  head(@Req() request: FastifyRequest, @Res() reply: FastifyReply): MaybePromise<void> {
    return this.answer('HEAD', request, reply);
  }

  private answer(method: Method, request: FastifyRequest, reply: FastifyReply): MaybePromise<void> {
    return chain(checked(request.query), (query) =>
      // A client may pipeline any number of requests: each opens its file when it is its turn.
      chain(responseTurn(reply.raw), () => this.answerInTurn(method, query, request, reply)),
    );
  }

  private answerInTurn(
    method: Method,
    query: DownloadQueryDto,
    request: FastifyRequest,
    reply: FastifyReply,
  ): MaybePromise<void> {
    const { tokens, downloads } = this.volumes;
    const grant = this.gate.admit(request, query.token, (token) => tokens.verifyDownload(token));
    if (auditsReads()) {
      noteForAudit(request.storageContext, {
        paths: [grant.path.toString()],
        details: { dst_dir: query.dst_dir },
      });
    }
    const leave = this.slots.enter({ volume: grant.ref.volume, token: grant.fingerprint });
    return cleaningUp(() => {
      const opened = downloads.open(grant, {
        directory: query.dst_dir,
        archive: query.archive || grant.archive,
      });
      return chain(opened, (download) =>
        cleaningUp(
          () =>
            download.kind === 'archive'
              ? sendArchive(reply, download, method)
              : sendFile(reply, download, request, { method, noCache: query.no_cache }),
          () => download.close(),
        ),
      );
    }, leave);
  }
}

function sendFile(
  reply: FastifyReply,
  download: FileDownload,
  { headers, storageContext }: FastifyRequest,
  how: { method: Method; noCache: boolean },
): MaybePromise<void> {
  const plan = download.plan({ method: how.method, noCache: how.noCache, headers });
  reply.hijack();
  reply.raw.writeHead(plan.status, plan.headers);
  return chain(download.send(reply.raw, plan), (result) =>
    reportTransfer(storageContext, 'file', result),
  );
}
