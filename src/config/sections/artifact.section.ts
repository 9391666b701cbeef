import { Setting, Table } from '../../grammar/section/setting.js';
import { anything, record, text } from '../../grammar/section/value-type.js';

class ObjectStorageSection {
  @Setting('endpoint', 'Server.', anything(), { example: 'http://minio:9000' })
  readonly endpoint?: never;
  @Setting('access-key', 'Credentials.', anything(), { secret: true, example: 'access' })
  readonly accessKey?: never;
  @Setting('secret-key', 'Credentials.', anything(), { secret: true, example: 'secret' })
  readonly secretKey?: never;
  @Setting('buckets', 'Buckets.', anything(), { example: ['models'] })
  readonly buckets?: never;
  @Setting('region', 'Region.', anything(), { example: 'us-east-1' })
  readonly region?: never;
  @Setting('presigned-upload', 'Limits of presigned uploads.', record(), {
    example: { expiration: 300 },
  })
  readonly presignedUpload?: never;
  @Setting('presigned-download', 'Limits of presigned downloads.', record(), {
    example: { expiration: 300 },
  })
  readonly presignedDownload?: never;
  @Setting('upload-chunk-size', 'Bytes.', anything(), { default: 5_242_880 })
  readonly uploadChunkSize?: never;
  @Setting('download-chunk-size', 'Bytes.', anything(), { default: 8192 })
  readonly downloadChunkSize?: never;
  @Setting('reservoir-download-chunk-size', 'Bytes.', anything(), { default: 8192 })
  readonly reservoirDownloadChunkSize?: never;
}

class VfsStorageSection {
  @Setting('base-path', 'Folder.', anything(), { example: '/mnt/artifacts' })
  readonly basePath?: never;
  @Setting('subpath', 'Folder below it.', anything(), { example: 'models' })
  readonly subpath?: never;
  @Setting('temporary', 'Emptied at start.', anything(), { default: false })
  readonly temporary?: never;
  @Setting('upload-chunk-size', 'Bytes.', anything(), { default: 65_536 })
  readonly uploadChunkSize?: never;
  @Setting('download-chunk-size', 'Bytes.', anything(), { default: 65_536 })
  readonly downloadChunkSize?: never;
  @Setting('max-file-size', 'Bytes.', anything(), { example: 1_073_741_824 })
  readonly maxFileSize?: never;
}

/** `[artifact-storages.<name>]` */
export class ArtifactStorageSection {
  readonly name!: string;
  @Setting('type', 'Kind.', text(), { example: 'vfs_storage' })
  readonly type?: never;
  @Table('object-storage', 'An S3 server.', ObjectStorageSection)
  readonly objectStorage?: never;
  @Table('vfs-storage', 'A folder.', VfsStorageSection)
  readonly vfsStorage?: never;
  @Setting('git-lfs', 'Declared, but never supported.', anything(), { example: {} })
  readonly gitLfs?: never;
}

class HuggingfaceSection {
  @Setting('endpoint', 'Server.', anything(), { default: 'https://huggingface.co' })
  readonly endpoint?: never;
  @Setting('token', 'Credentials.', anything(), { secret: true, example: 'token' })
  readonly token?: never;
  @Setting('download-chunk-size', 'Bytes.', anything(), { default: 8192 })
  readonly downloadChunkSize?: never;
}

class ReservoirSection {
  @Setting('endpoint', 'Server.', anything(), { example: 'http://reservoir:9000' })
  readonly endpoint?: never;
  @Setting('object-storage-access-key', 'Credentials.', anything(), {
    secret: true,
    example: 'access',
  })
  readonly objectStorageAccessKey?: never;
  @Setting('object-storage-secret-key', 'Credentials.', anything(), {
    secret: true,
    example: 'secret',
  })
  readonly objectStorageSecretKey?: never;
  @Setting('object-storage-region', 'Region.', anything(), { example: 'us-east-1' })
  readonly objectStorageRegion?: never;
  @Setting('manager-endpoint', 'Manager.', anything(), { example: 'http://manager:8091' })
  readonly managerEndpoint?: never;
  @Setting('manager-access-key', 'Credentials.', anything(), { secret: true, example: 'access' })
  readonly managerAccessKey?: never;
  @Setting('manager-secret-key', 'Credentials.', anything(), { secret: true, example: 'secret' })
  readonly managerSecretKey?: never;
  @Setting('manager-api-version', 'Version.', anything(), { example: 'v9.20250722' })
  readonly managerApiVersion?: never;
  @Setting('storage-name', 'Storage.', anything(), { example: 'artifacts' })
  readonly storageName?: never;
}

/** `[artifact-registries.<name>]` */
export class ArtifactRegistrySection {
  readonly name!: string;
  @Setting('type', 'Kind.', text(), { example: 'huggingface' })
  readonly type?: never;
  @Table('huggingface', 'A Hugging Face hub.', HuggingfaceSection)
  readonly huggingface?: never;
  @Table('reservoir', 'A reservoir registry.', ReservoirSection)
  readonly reservoir?: never;
}
