import { LenientBool, Text } from '../../http/dto-decorators.js';

/** Query of `/download`. */
export class DownloadQueryDto {
  @Text({
    description: 'Download token, as `POST /folder/file/download` of the manager plane issued it',
    example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcCI6ImRvd25sb2FkIn0.c2lnbmF0dXJl',
  })
  token!: string;

  @Text({
    description:
      'Directory inside the vfolder that the path of the token is taken relative to, for example `datasets/2026`',
    optional: true,
  })
  dst_dir?: string;

  @LenientBool({
    description: 'Give a directory as a ZIP instead of refusing it; ignored for files',
    optional: true,
    default: false,
  })
  archive = false;

  @LenientBool({
    description: 'Ask caches to keep nothing (`Cache-Control: no-store`); ignored for archives',
    optional: true,
    default: false,
  })
  no_cache = false;
}
