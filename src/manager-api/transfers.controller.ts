import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Operation } from '../http/operation.decorator.js';
import { Parameters } from '../http/query-or-body.js';
import { noteForAudit } from '../observability/request-context.js';
import { tokenFingerprint } from '../volume/tokens/token-fingerprint.js';
import { VolumeService } from '../volume/volume.service.js';
import {
  ArchiveTokenDto,
  DownloadTokenDto,
  FileDto,
  TokenDto,
  UploadTokenDto,
} from './dto/file.dto.js';
import { EXAMPLE } from './dto/examples.js';
import { sendFetched } from './send-fetched.js';

/** Ways for bytes into and out of a vfolder: tokens for the client plane, and the manager's own fetch. */
@ApiTags('transfers')
@Controller('folder/file')
export class TransfersController {
  constructor(private readonly volumes: VolumeService) {}

  @Post('fetch')
  @HttpCode(200)
  @Operation('file.fetch', {
    summary: 'Read a file',
    description:
      'Streams the content. A missing file answers 404, an empty one 200 without content. When reading fails half-way the connection is cut, so that a short answer is never taken for the whole file.',
  })
  @ApiOkResponse({
    description: 'The content',
    content: {
      'application/octet-stream': {
        schema: { type: 'string', format: 'binary' },
        example: EXAMPLE.content,
      },
    },
  })
  async fetch(@Parameters() { ref, relpath }: FileDto, @Res() reply: FastifyReply): Promise<void> {
    await sendFetched(reply, ref.volume, await this.volumes.files.open(ref, relpath));
  }

  @Post('download')
  @HttpCode(200)
  @Operation('file.download', {
    summary: 'Issue a download token',
    description:
      'For `GET /download` of the client plane. Whether the file exists is seen when it is downloaded. Fails on an unknown volume, on a path that leaves the folder, and when the token would be too long for a URL.',
  })
  @ApiOkResponse({ type: TokenDto, description: 'The token' })
  download(@Parameters() parameters: DownloadTokenDto, @Req() request: FastifyRequest): TokenDto {
    const { ref, relpath: path, archive, unmanaged_path: unmanagedPath } = parameters;
    this.volumes.registry.get(ref.volume);
    const token = this.volumes.tokens.issueDownload({ ref, path, archive, unmanagedPath });
    return issued(request, token);
  }

  @Post('archive-download-token')
  @HttpCode(200)
  @Operation('file.archive-download-token', {
    summary: 'Issue a token for an archive of several files',
    description:
      'For `GET /download-archive` of the client plane, which answers one zip. Whether the files exist is seen when it is downloaded. Fails on an unknown volume, on a path that leaves the folder, and when the token would be too long for a URL: name directories rather than hundreds of files.',
  })
  @ApiOkResponse({
    type: TokenDto,
    description: 'The token',
    example: { token: EXAMPLE.archiveToken },
  })
  archive(
    @Parameters() { ref, files, filename }: ArchiveTokenDto,
    @Req() request: FastifyRequest,
  ): TokenDto {
    this.volumes.registry.get(ref.volume);
    return issued(request, this.volumes.tokens.issueArchive({ ref, files, filename }));
  }

  @Post('upload')
  @HttpCode(200)
  @Operation('file.upload', {
    summary: 'Open an upload',
    description:
      'Makes the staging file and issues the token for `/upload` of the client plane (tus 1.0). Refused when the folder is missing, the path leaves it or is a directory, or the size is over `max-upload-size`. An empty file is complete at once.',
  })
  @ApiOkResponse({
    type: TokenDto,
    description: 'The token',
    example: { token: EXAMPLE.uploadToken },
  })
  async upload(
    @Parameters() { ref, relpath: path, size }: UploadTokenDto,
    @Req() request: FastifyRequest,
  ): Promise<TokenDto> {
    const session = await this.volumes.uploads.create(ref, path, size);
    const token = this.volumes.tokens.issueUpload({ ref, path, sizeBytes: size, session });
    return issued(request, token);
  }
}

/** What is done with the token carries the same fingerprint in the audit trail. */
function issued({ storageContext }: FastifyRequest, token: string): TokenDto {
  noteForAudit(storageContext, { issuedToken: tokenFingerprint(token) });
  return { token };
}
