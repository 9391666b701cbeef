import { Text } from '../../http/dto-decorators.js';
import { IgnoreExtraMembers } from '../../http/validation.pipe.js';

/** Query of `/download-archive`. */
@IgnoreExtraMembers()
export class ArchiveQueryDto {
  @Text({
    description:
      'Archive token, as `POST /folder/file/archive-download-token` of the manager plane issued it',
    example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcGVyYXRpb24iOiJkb3dubG9hZCJ9.c2lnbmF0dXJl',
  })
  token!: string;
}
