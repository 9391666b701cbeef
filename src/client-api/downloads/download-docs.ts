/** The file of the examples. */
export const CONTENT = 'epoch,loss\n1,0.731\n';

/** How the OpenAPI document describes the headers of a file. */
export function fileHeaders() {
  return {
    'Content-Length': header('integer', 19, 'Bytes of this answer; not for archives'),
    'Content-Disposition': header('string', 'attachment; filename="train.csv"', 'Name to save as'),
    'Accept-Ranges': header('string', 'bytes', 'Ranges can be asked for'),
    ETag: header('string', '"1f3a-13-18e0c1d2a3b4c5d6"', 'Changes with the file'),
    'Last-Modified': header('string', 'Sun, 01 Mar 2026 02:03:04 GMT', 'When the file changed'),
  };
}

export const CONTENT_RANGE = {
  'Content-Range': header('string', 'bytes 0-10/19', 'The range; not with several'),
};

function header(type: string, example: unknown, description: string) {
  return { description, schema: { type, example } };
}
