import { Section, Setting } from '../../grammar/section/setting.js';
import { listOf, path, text } from '../../grammar/section/value-type.js';

/**
 * `[secrets]`: more secrets than the original's one of each kind, for rotation, and secrets in files.
 * Of the token keys the first one signs and all are accepted: `storage-proxy.secret`, then these lists.
 */
@Section({ ours: true })
export class SecretsSection {
  @Setting(
    'manager-secrets',
    'Accepted from managers beside `api.manager.secret`.',
    listOf(text()),
    {
      default: [],
      secret: true,
      example: ['the-secret-before-this-one'],
    },
  )
  readonly managerSecrets!: readonly string[];

  @Setting(
    'manager-secret-files',
    'Files that hold one such secret each; a line end behind it is ignored.',
    listOf(path()),
    {
      default: [],
      example: ['/run/secrets/storage-proxy-manager'],
    },
  )
  readonly managerSecretFiles!: readonly string[];

  @Setting(
    'jwt-keys',
    'Accepted on tokens beside `storage-proxy.secret`. Without that one, the first of these signs.',
    listOf(text()),
    { default: [], secret: true, example: ['the-key-before-this-one'] },
  )
  readonly jwtKeys!: readonly string[];

  @Setting(
    'jwt-key-files',
    'Files that hold one such key each; a line end behind it is ignored.',
    listOf(path()),
    {
      default: [],
      example: ['/run/secrets/storage-proxy-jwt'],
    },
  )
  readonly jwtKeyFiles!: readonly string[];
}

/** `[security]` */
@Section({ ours: true })
export class SecuritySection {
  @Setting(
    'unmanaged-roots',
    'Folders of this host below which the `unmanaged_path` of a download token may lie. Without any, such tokens are refused.',
    listOf(path()),
    { default: [], example: ['/mnt/unmanaged'] },
  )
  readonly unmanagedRoots!: readonly string[];
}
