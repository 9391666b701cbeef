import { Controller, Head, Options, Patch, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Operation } from '../../http/operation.decorator.js';
import { awaitsInvitation } from '../../http/expectation.js';
import { noteForAudit } from '../../observability/request-context.js';
import { VolumeService } from '../../volume/volume.service.js';
import { UploadQueryDto } from '../dto/upload-query.dto.js';
import { TokenGate } from '../limits/token-gate.js';
import { TransferSlots } from '../limits/transfer-slots.js';
import { bodyDiscarded, discardBody } from './body/discard-body.js';
import { RequestBody } from './body/request-body.js';
import { TusAdapter, type TusAnswer } from './tus-adapter.js';
import type { TusMethod } from './tus-exchange.js';
import { OFFSET_BODY, OFFSET_TYPE, REQUEST_HEADERS, responseHeaders } from './upload-docs.js';
import { uploadRequest } from './upload-request.js';

/** Resumable uploads: tus 1.0.0 on one URL, whose token says which upload is meant. */
@ApiTags('uploads')
@Controller('upload')
export class UploadController {
  private readonly tus: TusAdapter;

  constructor(
    private readonly volumes: VolumeService,
    private readonly gate: TokenGate,
    private readonly slots: TransferSlots,
  ) {
    this.tus = new TusAdapter(volumes.uploads);
  }

  @Options()
  @Operation('upload.options', {
    summary: 'Ask what the upload endpoint can do',
    description:
      'Answers with the tus version and extensions and the largest file accepted. Needs no token; browsers ask this before every upload from another origin. Never fails while the plane serves.',
  })
  @ApiOkResponse({
    description: 'What the endpoint can do',
    headers: responseHeaders('Tus-Resumable', 'Tus-Version', 'Tus-Extension', 'Tus-Max-Size'),
  })
  async options(@Res() reply: FastifyReply): Promise<void> {
    send(reply, await this.tus.options());
  }

  @Head()
  @Operation('upload.head', {
    summary: 'Ask how far an upload has come',
    description:
      '`Upload-Offset` counts bytes that are on stable storage: continue with a PATCH from there. When it equals `Upload-Length` the file is in place. A request that holds the upload at this moment is asked to let go first. A token that is forged or expired answers 400, an upload that was swept, or whose folder is gone, 404.',
    body: 'stream',
  })
  @ApiOkResponse({
    description: 'Where the upload stands',
    headers: responseHeaders('Tus-Resumable', 'Upload-Offset', 'Upload-Length', 'Upload-Expires'),
  })
  async head(
    @Query() query: UploadQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.exchange('HEAD', query, request, reply);
  }

  @Patch()
  @Operation('upload.patch', {
    summary: 'Send the next bytes of an upload',
    description:
      'The body is appended at `Upload-Offset`, which has to be where the upload stands. `204` means that every byte up to the answered offset survives a crash or power failure; with the last one the file is put in place, replacing one that is there. What arrives of a body that breaks off is kept: ask with HEAD where to go on. Bytes beyond the declared size are refused with 413, a full quota or volume with 507, a wrong offset or an upload that somebody else is writing with 409: ask with HEAD again.',
    body: 'stream',
  })
  @ApiHeader(REQUEST_HEADERS['Upload-Offset'])
  @ApiConsumes(OFFSET_TYPE)
  @ApiBody({ ...OFFSET_BODY, description: 'The bytes from `Upload-Offset` on' })
  @ApiNoContentResponse({
    description: 'All bytes up to `Upload-Offset` are durable',
    headers: responseHeaders('Tus-Resumable', 'Upload-Offset', 'Upload-Length', 'Upload-Expires'),
  })
  async patch(
    @Query() query: UploadQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.exchange('PATCH', query, request, reply);
  }

  @Post()
  @Operation('upload.create', {
    summary: 'Begin an upload the way tus clients with an endpoint do',
    description:
      'The upload exists since its token was issued; this confirms its size, which `Upload-Length` must repeat, and answers with a `Location` that leads to this same URL. A body of type `application/offset+octet-stream` is taken as the first bytes. With `X-HTTP-Method-Override: PATCH` or `HEAD` it is that method, for clients that cannot send it. Fails as `HEAD` and `PATCH` do, and with 400 when the size is not the one that the token was issued for.',
    body: 'stream',
  })
  @ApiHeader(REQUEST_HEADERS['Upload-Length'])
  @ApiConsumes(OFFSET_TYPE)
  @ApiBody({ ...OFFSET_BODY, required: false, description: 'The first bytes, or none' })
  @ApiCreatedResponse({
    description: 'The upload is open',
    headers: responseHeaders('Tus-Resumable', 'Location', 'Upload-Offset', 'Upload-Expires'),
  })
  async create(
    @Query() query: UploadQueryDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.exchange(overridden(request), query, request, reply);
  }

  private async exchange(
    method: TusMethod,
    query: UploadQueryDto,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const { storageContext } = request;
    const body = new RequestBody(request, reply);
    const gone = new AbortController();
    // Of no use once it was answered, and an abort costs as much as a system call.
    reply.raw.once('close', () => reply.raw.writableFinished || gone.abort());
    // Errors are answered by the filter; the protocol wants these two on them as well.
    reply.raw.setHeader('tus-resumable', '1.0.0');
    reply.raw.setHeader('cache-control', 'no-store');
    try {
      const { tokens } = this.volumes;
      const grant = this.gate.admit(request, query.token, (token) => tokens.verifyUpload(token));
      const exchange = {
        method,
        request: uploadRequest(grant, query.dst_dir),
        openBody: () => body.open(),
        noteChange: () => (storageContext.changed = true),
        location: request.url.slice(request.url.indexOf('?')),
        expiresAt: grant.expiresAt,
        signal: gone.signal,
      };
      const { target, sizeBytes } = exchange.request;
      noteForAudit(storageContext, {
        paths: [target.toString()],
        details: { size: sizeBytes },
      });
      const kind = {
        token: grant.fingerprint,
        ...(method !== 'HEAD' && { volume: grant.ref.volume }),
      };
      const leave = await this.slots.enterInTurn(kind, gone.signal);
      try {
        const answer = await this.tus.handle(exchange, request.headers);
        noteForAudit(storageContext, {
          details: { size: sizeBytes, offset: answer.headers['upload-offset'] },
        });
        send(reply, answer);
        // Of a body that was let go although it was not over: the next request of the connection comes behind it.
        if (!body.source.isComplete) void discardBody(body.source);
      } finally {
        leave();
      }
    } catch (error) {
      const mayAnswerAtOnce = reply.raw.shouldKeepAlive || awaitsInvitation(request.raw);
      if (mayAnswerAtOnce) void discardBody(body.source);
      else await bodyDiscarded(body.source);
      throw error;
    }
  }
}

/** tus core protocol, X-HTTP-Method-Override: the header "MUST be interpreted as the request's method". */
function overridden(request: FastifyRequest): TusMethod {
  const method = request.headers['x-http-method-override'];
  return method === 'PATCH' || method === 'HEAD' ? method : 'POST';
}

function send(reply: FastifyReply, { status, headers }: TusAnswer): void {
  void reply.code(status).headers(headers).send();
}
