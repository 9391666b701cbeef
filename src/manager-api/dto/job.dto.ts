import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { ERROR_TABLE } from '../../errors/error-code.js';
import { JOB_KINDS, JOB_STATES, type JobKind, type JobState } from '../../volume/jobs/job.js';
import { EXAMPLE } from './examples.js';

export class ListJobsDto {
  @ApiProperty({
    enum: JOB_STATES,
    required: false,
    description: 'Only jobs in this state',
    example: 'running',
  })
  @IsOptional()
  @IsIn(JOB_STATES)
  state?: JobState;
}

export class JobProgressDto {
  @ApiProperty({ type: 'integer', example: 1042, description: 'Entries done' })
  entries!: number;
  @ApiProperty({ type: 'integer', example: 104_857_600, description: 'Bytes done' })
  bytes!: number;
  @ApiProperty({ type: 'integer', nullable: true, example: null, description: 'Entries to do' })
  total_entries!: number | null;
  @ApiProperty({ type: 'integer', nullable: true, example: null, description: 'Bytes to do' })
  total_bytes!: number | null;
}

export class JobFolderDto {
  @ApiProperty({ example: EXAMPLE.volume })
  volume!: string;
  @ApiProperty({ example: EXAMPLE.vfid })
  vfid!: string;
}

export class JobErrorDto {
  @ApiProperty({ enum: Object.keys(ERROR_TABLE), example: 'NO_SPACE' })
  code!: string;
  @ApiProperty({ example: 'No space left on device' })
  message!: string;
}

export class JobDto {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.job })
  id!: string;
  @ApiProperty({ enum: JOB_KINDS, example: 'clone_vfolder' })
  kind!: JobKind;
  @ApiProperty({ example: EXAMPLE.volume })
  volume!: string;
  @ApiProperty({ example: EXAMPLE.cloneVfid, description: 'The folder; of a clone, the copy' })
  vfid!: string;
  @ApiProperty({
    enum: JOB_STATES,
    example: 'running',
    description: 'The last three are ends; `pending` waits for its turn or for another attempt',
  })
  state!: JobState;
  @ApiProperty({
    type: JobFolderDto,
    nullable: true,
    description: 'What a clone is made of',
    example: { volume: EXAMPLE.volume, vfid: EXAMPLE.vfid },
  })
  source!: JobFolderDto | null;
  @ApiProperty({ type: JobProgressDto })
  progress!: JobProgressDto;
  @ApiProperty({ type: 'integer', example: 1, description: 'Starts, resumptions included' })
  attempts!: number;
  @ApiProperty({
    type: JobErrorDto,
    nullable: true,
    example: null,
    description: 'Why it failed; of a pending job, why the last attempt did',
  })
  error!: JobErrorDto | null;
  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  created_at!: string;
  @ApiProperty({ format: 'date-time', type: String, nullable: true, example: EXAMPLE.time })
  started_at!: string | null;
  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  updated_at!: string;
  @ApiProperty({ format: 'date-time', type: String, nullable: true, example: null })
  ended_at!: string | null;
}

export class JobListDto {
  @ApiProperty({ type: [JobDto] })
  jobs!: JobDto[];
}
