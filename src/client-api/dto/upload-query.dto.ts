import { Text } from '../../http/dto-decorators.js';

/** Query of every request to `/upload` but `OPTIONS`. */
export class UploadQueryDto {
  @Text({
    description: 'Upload token, as `POST /folder/file/upload` of the manager plane issued it',
    example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcCI6InVwbG9hZCJ9.c2lnbmF0dXJl',
  })
  token!: string;

  @Text({
    description:
      'Directory inside the vfolder that the path of the token is taken relative to, for example `datasets/2026`; missing directories are made. Only with scoped vfolder ids. Send it with every request of an upload.',
    optional: true,
  })
  dst_dir?: string;
}
