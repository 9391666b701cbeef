/** How the OpenAPI document describes tus: headers with examples, and a body of bytes. */

/** What a PATCH consumes. */
export const OFFSET_TYPE = 'application/offset+octet-stream';

/** For `@ApiBody`. */
export const OFFSET_BODY = {
  schema: { type: 'string', format: 'binary', example: 'epoch,loss\n1,0.731\n' },
};

const COUNT = { type: 'integer', minimum: 0 };
/** As in the example of `POST /folder/file/upload` of the manager plane. */
const LENGTH = 19;

/** For `@ApiHeader`. */
export const REQUEST_HEADERS = {
  'Upload-Offset': {
    name: 'Upload-Offset',
    required: true,
    description: 'Where the body goes: the offset of the last answer',
    // As a part of the schema, since Nest drops an example of 0.
    schema: { ...COUNT, example: 0 },
  },
  'Upload-Length': {
    name: 'Upload-Length',
    required: false,
    description: 'The size that the token was issued for',
    schema: COUNT,
    example: LENGTH,
  },
} as const;

const RESPONSE_HEADERS = {
  'Tus-Resumable': { description: 'Version of the protocol', schema: text('1.0.0') },
  'Tus-Version': { description: 'Versions that are spoken', schema: text('1.0.0') },
  'Tus-Extension': {
    description: 'Extensions beyond the core',
    schema: text('creation,creation-with-upload,expiration'),
  },
  'Tus-Max-Size': {
    description: 'Largest file accepted, in bytes',
    schema: { ...COUNT, example: 1_099_511_627_776 },
  },
  'Upload-Offset': {
    description: 'Bytes that are durable; the next PATCH starts here',
    schema: { ...COUNT, example: LENGTH },
  },
  'Upload-Expires': {
    description:
      'Until when the upload can be continued: as long as its token. Not when it is finished',
    schema: text('Mon, 02 Mar 2026 02:03:04 GMT'),
  },
  'Upload-Length': { description: 'Size of the file', schema: { ...COUNT, example: LENGTH } },
  Location: {
    description: 'The same URL, token and all',
    schema: text('?token=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcCI6InVwbG9hZCJ9.c2lnbmF0dXJl'),
  },
} as const;

/** For `headers` of a response. */
export function responseHeaders(...names: (keyof typeof RESPONSE_HEADERS)[]) {
  return Object.fromEntries(names.map((name) => [name, { ...RESPONSE_HEADERS[name] }]));
}

function text(example: string) {
  return { type: 'string', example };
}
