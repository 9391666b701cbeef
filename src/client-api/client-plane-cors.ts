import type { ClientCorsOptions } from '../http/cors.js';

/** Which paths of this plane have which CORS policy (protocol sections 1.3 and 4.5). */
export const CLIENT_PLANE_CORS: ClientCorsOptions = {
  fixed: ['/upload'],
  reflecting: {
    '/': ['GET'],
    '/download': ['GET', 'HEAD'],
    '/download-archive': ['GET', 'HEAD'],
  },
};
