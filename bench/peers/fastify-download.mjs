/** What a careful Fastify user would write: a route that verifies the token and sends the file it names. */
import send from '@fastify/send';
import { createVerifier } from 'fast-jwt';
import Fastify from 'fastify';

const [, , port, root, key] = process.argv;
const verify = createVerifier({ key, algorithms: ['HS256'], requiredClaims: ['exp'] });
const app = Fastify({ logger: true });

app.get('/download', async (request, reply) => {
  const { relpath } = verify(request.query.token);
  const { statusCode, headers, stream } = await send(request.raw, encodeURI(`/${relpath}`), {
    root,
    dotfiles: 'allow',
  });
  return reply.code(statusCode).headers(headers).send(stream);
});

await app.listen({ host: '127.0.0.1', port: Number(port) });
