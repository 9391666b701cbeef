import { ApiProperty } from '@nestjs/swagger';
import { StorageError } from '../../errors/storage-error.js';
import {
  LenientBool,
  LenientInt,
  ParsedList,
  ParsedOneOrMany,
  ParsedText,
  Text,
} from '../../http/dto-decorators.js';
import { IgnoreExtraMembers } from '../../http/validation.pipe.js';
import { RelPath } from '../../volume/ids/relpath.js';
import { VFolderId, type VFolderRef } from '../../volume/ids/vfolder-id.js';
import type { PageRequest } from '../../volume/files/listing.js';
import { EXAMPLE } from './examples.js';
import { VFolderDto } from './folder.dto.js';
import { RelPathText, VFolderIdText } from './member-decorators.js';
import { VolumeDto } from './volume.dto.js';

const MAX_MKDIR_PATHS = 50;
const MAX_FILENAME = 255;

export class FileDto extends VFolderDto {
  @RelPathText()
  relpath!: RelPath;
}

/** Orders of a listing. */
const ORDERS = ['directory', 'name'] as const;

function listingOrder(text: string): (typeof ORDERS)[number] {
  const order = ORDERS.find((each) => each === text);
  if (order === undefined) throw new Error(`value is not one of ${ORDERS.join(', ')}`);
  return order;
}

export class ListFilesDto extends VFolderDto {
  @RelPathText({ example: 'data' })
  relpath!: RelPath;

  @LenientInt({
    description: 'Most entries of this answer; `scandir-limit` bounds it as well',
    optional: true,
    minimum: 1,
    example: 100,
  })
  limit?: number;

  @Text({
    description: '`cursor` of the answer before: goes on behind its last entry',
    optional: true,
    maxLength: 64,
  })
  cursor?: string;

  @ParsedText(listingOrder, {
    description:
      '`directory`, the default, can be read page by page at the same cost however large the directory is. `name` sorts by bytes what `scandir-limit` admits, and has no cursor',
    optional: true,
    default: 'directory',
    pattern: `^(${ORDERS.join('|')})$`,
    example: 'directory',
  })
  sort: (typeof ORDERS)[number] = 'directory';

  /** @throws StorageError INVALID_ARGUMENT */
  get page(): PageRequest {
    const { limit = 0, cursor, sort } = this;
    if (sort === 'name' && cursor !== undefined) {
      const reason = 'pages are in directory order';
      throw new StorageError('INVALID_ARGUMENT', `cursor: ${reason}`, {
        subject: 'request',
        data: { cursor: reason },
      });
    }
    return { limit, cursor, order: sort };
  }
}

export class MkdirDto extends VFolderDto {
  @ParsedOneOrMany((text) => RelPath.parseClient(text), {
    description: `The directory, or at most ${MAX_MKDIR_PATHS} of them`,
    maxItems: MAX_MKDIR_PATHS,
    allowBlank: true,
    example: ['data/2026', 'data/2027'],
  })
  relpath!: RelPath[];

  @LenientBool({ description: 'Make missing parents', optional: true, default: true })
  parents = true;

  @LenientBool({
    description: 'Let a directory that is there already count as made',
    optional: true,
    default: false,
    example: false,
  })
  exist_ok = false;
}

export class RenameDto extends FileDto {
  @Text({ description: 'New last component: one name, without `/`', example: 'validate.csv' })
  new_name!: string;

  @LenientBool({
    description: 'Accepted for compatibility and not used',
    optional: true,
    nullable: true,
    example: null,
  })
  is_dir?: boolean | null;
}

export class MoveDto extends VFolderDto {
  @RelPathText({ description: 'What to move' })
  src_relpath!: RelPath;

  @RelPathText({
    description:
      'Where to; an existing directory takes the source in, an existing file is replaced',
    example: 'archive/train.csv',
  })
  dst_relpath!: RelPath;
}

export class DownloadTokenDto extends FileDto {
  @LenientBool({
    description: 'A hint kept in the token; the download itself asks for a zip with `archive=true`',
    optional: true,
    default: false,
    example: false,
  })
  archive = false;

  @Text({
    description: 'Absolute directory to take instead of the vfolder; only below configured roots',
    optional: true,
    nullable: true,
    example: null,
  })
  unmanaged_path: string | null = null;
}

/** Characters that must not appear in the name of a download: controls, `/` and `\`. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const FORBIDDEN_IN_FILENAME = /[\u0000-\u001f\u007f/\\]/;

function archiveFilename(text: string): string {
  if (text.trim() === '') throw new Error('blank value is not allowed');
  if (text === '.' || text === '..') throw new Error('"." and ".." are not file names');
  if (FORBIDDEN_IN_FILENAME.test(text)) {
    throw new Error('control characters, "/" and "\\" are not allowed in a file name');
  }
  return text;
}

@IgnoreExtraMembers()
export class ArchiveTokenDto extends VolumeDto {
  @VFolderIdText()
  virtual_folder_id!: VFolderId;

  @ParsedList((text) => RelPath.parseClient(text), {
    description: 'Files and directories to put into the archive',
    minItems: 1,
    allowBlank: true,
    example: [EXAMPLE.relpath, 'models'],
  })
  files!: RelPath[];

  @ParsedText(archiveFilename, {
    description: 'Name of the archive; `archive.zip` when absent',
    optional: true,
    nullable: true,
    maxLength: MAX_FILENAME,
    example: 'results.zip',
  })
  filename: string | null = null;

  get ref(): VFolderRef {
    return { volume: this.volume, id: this.virtual_folder_id };
  }
}

export class UploadTokenDto extends FileDto {
  @LenientInt({ description: 'Length of the file in bytes', minimum: 0, example: EXAMPLE.size })
  size!: number;
}

export class DeleteFilesDto extends VFolderDto {
  @ParsedList((text) => RelPath.parseClient(text), {
    description: 'What to delete; a symlink is deleted itself',
    allowBlank: true,
    example: [EXAMPLE.relpath],
  })
  relpaths!: RelPath[];

  @LenientBool({
    description: 'Delete directories with their content',
    optional: true,
    default: false,
    example: false,
  })
  recursive = false;
}

export class MkdirItemDto {
  @ApiProperty({ type: String, nullable: true, example: null, description: 'Why it failed' })
  msg!: string | null;
  @ApiProperty({ example: 'data/2026' })
  item!: string;
}

export class MkdirResultsDto {
  @ApiProperty({
    type: [MkdirItemDto],
    example: [
      { msg: null, item: 'data/2026' },
      { msg: null, item: 'data/2027' },
    ],
  })
  success!: MkdirItemDto[];
  @ApiProperty({ type: [MkdirItemDto], example: [] })
  failed!: MkdirItemDto[];
}

export class MkdirAnswerDto {
  @ApiProperty({ type: MkdirResultsDto })
  results!: MkdirResultsDto;
}

export class EntryStatDto {
  @ApiProperty({ type: 'integer', example: 33_188, description: 'st_mode with its type bits' })
  mode!: number;
  @ApiProperty({ type: 'integer', example: EXAMPLE.size, description: 'Bytes' })
  size!: number;
  @ApiProperty({ example: EXAMPLE.time, description: 'Inode change time, UTC' })
  created!: string;
  @ApiProperty({ example: EXAMPLE.time, description: 'Modification time, UTC' })
  modified!: string;
}

export class EntryDto {
  @ApiProperty({ example: 'train.csv' })
  name!: string;
  @ApiProperty({ enum: ['FILE', 'DIRECTORY', 'SYMLINK'], example: 'FILE' })
  type!: string;
  @ApiProperty({ type: EntryStatDto })
  stat!: EntryStatDto;
  @ApiProperty({ example: '', description: 'Where a link leads, when it stays inside' })
  symlink_target!: string;
}

export class FileListDto {
  @ApiProperty({ type: [EntryDto] })
  items!: EntryDto[];
  @ApiProperty({
    example: false,
    description: 'Entries were left out, at `limit` or at `scandir-limit`',
  })
  truncated!: boolean;
  @ApiProperty({
    required: false,
    example: '2vlbdp1o5fbsh',
    description:
      'With `truncated`, in directory order: where the next page begins. Opaque; good for the same directory',
  })
  cursor?: string;
}

export class TokenDto {
  @ApiProperty({ example: EXAMPLE.token, description: 'For the client plane; a bearer token' })
  token!: string;
}
