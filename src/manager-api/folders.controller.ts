import { Controller, Get, HttpCode, Post, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Operation } from '../http/operation.decorator.js';
import { Parameters } from '../http/query-or-body.js';
import { noteForAudit } from '../observability/request-context.js';
import { VolumeService } from '../volume/volume.service.js';
import {
  CloneFolderDto,
  CreateFolderDto,
  JobStartedDto,
  MountDto,
  MountPathDto,
  SetMetadataDto,
  StatusOkDto,
  UsageDto,
  UsedBytesDto,
  VFolderDto,
} from './dto/folder.dto.js';

@ApiTags('vfolders')
@Controller('folder')
export class FoldersController {
  constructor(private readonly volumes: VolumeService) {}

  @Post('create')
  @HttpCode(204)
  @Operation('folder.create', {
    summary: 'Create a vfolder',
    description:
      'Makes the directory, and its quota scope when that is missing and `allow-auto-quota-scope-creation` is on. Repeating it is fine while the folder is empty; a folder with content answers 409, a missing scope that may not be made 404, a full quota or filesystem 400.',
  })
  @ApiNoContentResponse({ description: 'The folder is there' })
  async create(@Parameters() { ref, mode, options }: CreateFolderDto): Promise<void> {
    await this.volumes.vfolders.create(ref, { ...(mode != null && { mode }), ...options });
  }

  @Post('delete')
  @Operation('folder.delete', {
    summary: 'Delete a vfolder',
    description:
      'A folder with a scoped id disappears at once and is swept by a job: 202 with its id. A folder with a bare id is swept before the answer: 204. A folder that is gone already counts as deleted. Fails only on an unknown or unavailable volume; what goes wrong while sweeping is tried again and shown in `GET /jobs/{id}`.',
  })
  @ApiAcceptedResponse({ type: JobStartedDto, description: 'Scoped id: the job that sweeps' })
  @ApiNoContentResponse({ description: 'Bare id: the folder is gone' })
  async delete(
    @Parameters() { ref }: VFolderDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobStartedDto | undefined> {
    return jobStarted(reply, 202, await this.volumes.vfolders.delete(ref));
  }

  @Post('clone')
  @Operation('folder.clone', {
    summary: 'Clone a vfolder',
    description:
      'Copies the tree into a new folder, also of another volume; modes and times are kept, links stay links. With scoped ids the copy is a job and appears when it is whole: 200 with the job id; a destination with content fails. With bare ids the copy is made before the answer and may fill an existing folder: 204. A missing source answers 404; what fails while a job copies, a full quota for one, is told by `GET /jobs/{id}`.',
  })
  @ApiOkResponse({ type: JobStartedDto, description: 'Scoped ids: the job that copies' })
  @ApiNoContentResponse({ description: 'Bare ids: the copy is complete' })
  async clone(
    @Parameters() { source, destination }: CloneFolderDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobStartedDto | undefined> {
    return jobStarted(reply, 200, await this.volumes.vfolders.clone(source, destination));
  }

  @Get('mount')
  @Operation('folder.mount', {
    summary: 'Tell where a vfolder is mounted',
    description:
      'The absolute path that compute nodes bind into containers. `subpath` is only checked to lie inside the folder (400 otherwise). A folder that is missing, or is not a directory, answers 400.',
  })
  @ApiOkResponse({ type: MountPathDto, description: 'Where the folder is' })
  async mount(@Parameters() { ref, subpath }: MountDto): Promise<MountPathDto> {
    return { path: await this.volumes.vfolders.mountPath(ref, subpath) };
  }

  @Get('usage')
  @Operation('folder.usage', {
    summary: 'Count what a vfolder holds',
    description:
      'Walks the tree, unless the backend keeps counters; a large tree takes its time, and counters may be some seconds behind (`lag_seconds`). Links are counted and not followed; running uploads are not. A missing folder answers 404.',
  })
  @ApiOkResponse({ type: UsageDto, description: 'Entries and bytes' })
  async usage(@Parameters() { ref }: VFolderDto): Promise<UsageDto> {
    const { fileCount, usedBytes, lagSeconds } = await this.volumes.vfolders.usage(ref);
    return { file_count: fileCount, used_bytes: usedBytes, ...lag(lagSeconds) };
  }

  @Get('used-bytes')
  @Operation('folder.used-bytes', {
    summary: 'Tell the size of a vfolder',
    description:
      'The sum of the sizes of its entries, in bytes, found the same way as `GET /folder/usage`. A missing folder answers 404.',
  })
  @ApiOkResponse({ type: UsedBytesDto, description: 'Bytes' })
  async usedBytes(@Parameters() { ref }: VFolderDto): Promise<UsedBytesDto> {
    const { usedBytes, lagSeconds } = await this.volumes.vfolders.usage(ref);
    return { used_bytes: usedBytes, ...lag(lagSeconds) };
  }

  @Get('metadata')
  @Operation('folder.metadata.read', {
    summary: 'Read the metadata of a vfolder',
    description:
      'Kept for compatibility: there is none, the answer is always `ok`. Only an unknown volume fails.',
    deprecated: true,
  })
  @ApiOkResponse({ type: StatusOkDto, description: 'Always `ok`' })
  metadata(@Parameters() { volume }: VFolderDto): StatusOkDto {
    this.volumes.registry.get(volume);
    return { status: 'ok' };
  }

  @Post('metadata')
  @HttpCode(200)
  @Operation('folder.metadata.write', {
    summary: 'Write the metadata of a vfolder',
    description:
      'Kept for compatibility: nothing is stored, the answer is always `ok`. Only an unknown volume fails.',
    deprecated: true,
  })
  @ApiOkResponse({ type: StatusOkDto, description: 'Always `ok`' })
  setMetadata(@Parameters() { volume }: SetMetadataDto): StatusOkDto {
    this.volumes.registry.get(volume);
    return { status: 'ok' };
  }
}

/** A job means the answer of the current generation; none, that the work is done (bare ids). */
function jobStarted(
  reply: FastifyReply,
  status: number,
  job: string | null,
): JobStartedDto | undefined {
  void reply.status(job === null ? 204 : status);
  if (job !== null) noteForAudit(reply.request.storageContext, { job });
  return job === null ? undefined : { bgtask_id: job };
}

/** Only where there is one: managers that do not know it do not look. */
function lag(lagSeconds: number | undefined): { lag_seconds?: number } {
  return lagSeconds === undefined ? {} : { lag_seconds: lagSeconds };
}
