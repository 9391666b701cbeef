import { Controller, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Operation } from '../http/operation.decorator.js';
import { Parameters } from '../http/query-or-body.js';
import { noteForAudit } from '../observability/request-context.js';
import { VolumeService } from '../volume/volume.service.js';
import {
  DeleteFilesDto,
  FileListDto,
  ListFilesDto,
  MkdirAnswerDto,
  MkdirDto,
  MoveDto,
  RenameDto,
} from './dto/file.dto.js';
import { JobStartedDto, StatusOkDto } from './dto/folder.dto.js';
import { entryText, listText, mkdirAnswer } from './file-answers.js';

/** Rows of an answer of mkdir, for the documentation. */
const MADE = { msg: null, item: 'data/2026' };
const FAILED = { msg: 'File exists', item: 'data/2027' };

@ApiTags('files')
@Controller('folder/file')
export class FilesController {
  constructor(private readonly volumes: VolumeService) {}

  @Post('mkdir')
  @Operation('file.mkdir', {
    summary: 'Make directories',
    description:
      'Scoped ids: each path is tried and reported; 200 when all were made, 207 when some were, 422 when none was. Bare ids: 204, or the first failure. A path that leaves the folder answers 400 before anything is made.',
  })
  @ApiOkResponse({ type: MkdirAnswerDto, description: 'All were made' })
  @ApiResponse({
    status: 207,
    type: MkdirAnswerDto,
    description: 'Some failed',
    example: { results: { success: [MADE], failed: [FAILED] } },
  })
  @ApiResponse({
    status: 422,
    type: MkdirAnswerDto,
    description: 'All failed',
    example: { results: { success: [], failed: [FAILED] } },
  })
  @ApiNoContentResponse({ description: 'Bare id: all were made' })
  async mkdir(
    @Parameters() { ref, relpath, parents, exist_ok }: MkdirDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<MkdirAnswerDto | undefined> {
    const items = await this.volumes.files.mkdir(ref, relpath, { parents, existOk: exist_ok });
    const { status, body } = mkdirAnswer(ref.id, items);
    void reply.status(status);
    return body;
  }

  @Post('list')
  @HttpCode(200)
  @Operation('file.list', {
    summary: 'List a directory',
    description:
      'Not recursive, at most `scandir-limit` entries; `truncated` tells when some were left out, and `cursor` where the next page begins: ask again with it for the rest. Entries that are made or removed between two pages may come or not; all others come exactly once. Links are shown, not followed. Running uploads are hidden. A path that is missing or not a directory answers 400 with the `errno`.',
  })
  @ApiOkResponse({ type: FileListDto, description: 'The entries' })
  @Header('content-type', 'application/json; charset=utf-8')
  async list(@Parameters() { ref, relpath, page }: ListFilesDto): Promise<string> {
    const { files } = this.volumes;
    const { entries, truncated, nextCursor } = await files.list(ref, relpath, page, entryText);
    return listText(entries, {
      truncated,
      ...(nextCursor !== undefined && { cursor: nextCursor }),
    });
  }

  @Post('rename')
  @HttpCode(204)
  @Operation('file.rename', {
    summary: 'Rename an entry',
    description:
      'Changes the last component of its path and nothing else. Nothing is replaced: a name that is taken answers 400 with the `errno`, as does a missing entry.',
  })
  @ApiNoContentResponse({ description: 'The entry has its new name' })
  async rename(@Parameters() { ref, relpath, new_name }: RenameDto): Promise<void> {
    await this.volumes.files.rename(ref, relpath, new_name);
  }

  @Post('move')
  @HttpCode(204)
  @Operation('file.move', {
    summary: 'Move an entry',
    description:
      'Into an existing directory, over an existing file, or to a new path; missing parents are made for directories only. A directory cannot be moved into itself; a missing source, or a name that is taken in the destination directory, answers 400 with the `errno`.',
  })
  @ApiNoContentResponse({ description: 'The entry is in its new place' })
  async move(@Parameters() { ref, src_relpath, dst_relpath }: MoveDto): Promise<void> {
    await this.volumes.files.move(ref, src_relpath, dst_relpath);
  }

  @Post('delete')
  @HttpCode(200)
  @Operation('file.delete', {
    summary: 'Delete files and directories',
    description:
      'Every path is checked before anything is deleted. Links are deleted themselves. With scoped ids a missing path counts as deleted. A directory needs `recursive`; the folder itself cannot be deleted this way.',
  })
  @ApiOkResponse({ type: StatusOkDto, description: 'They are gone' })
  async delete(@Parameters() { ref, relpaths, recursive }: DeleteFilesDto): Promise<StatusOkDto> {
    await this.volumes.files.delete(ref, relpaths, recursive);
    return { status: 'ok' };
  }

  @Post('delete-async')
  @HttpCode(202)
  @Operation('file.delete-async', {
    summary: 'Delete files and directories in a job',
    description:
      'As `POST /folder/file/delete`, but answered at once with the id of a job; `GET /jobs/{id}` tells how far it is and what it could not delete. A missing folder or a path that leaves it is refused at once.',
  })
  @ApiAcceptedResponse({ type: JobStartedDto, description: 'The job that deletes' })
  async deleteAsync(
    @Parameters() { ref, relpaths, recursive }: DeleteFilesDto,
    @Req() request: FastifyRequest,
  ): Promise<JobStartedDto> {
    const job = await this.volumes.files.deleteAsync(ref, relpaths, recursive);
    noteForAudit(request.storageContext, { job });
    return { bgtask_id: job };
  }
}
