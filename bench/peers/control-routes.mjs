/**
 * What the control calls are measured against: bare Fastify routes under /fastify, and a stock Nest
 * application (Fastify adapter, ValidationPipe, class-validator) under /nest.
 */
import 'reflect-metadata';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Body, Controller, Get, HttpCode, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IsNotEmpty, IsString } from 'class-validator';

const [, , port, directory] = process.argv;
const VOLUMES = {
  volumes: [
    { name: 'main', backend: 'vfs', path: directory, fsprefix: '.', capabilities: ['vfolder'] },
  ],
};

class ListDto {}
for (const member of ['volume', 'vfid', 'relpath']) {
  for (const rule of [IsString(), IsNotEmpty()]) rule(ListDto.prototype, member);
}

class StockController {
  volumes() {
    return VOLUMES;
  }

  async list({ relpath }) {
    const path = join(directory, relpath);
    const names = await readdir(path);
    const items = names.map(async (name) => {
      const stat = await lstat(join(path, name));
      return {
        name,
        type: stat.isDirectory() ? 'DIRECTORY' : 'FILE',
        stat: {
          mode: stat.mode,
          size: stat.size,
          created: stat.ctime.toISOString(),
          modified: stat.mtime.toISOString(),
        },
        symlink_target: '',
      };
    });
    return { items: await Promise.all(items) };
  }
}

/** Decorators by hand: this file is run as it is. */
function decorated(target, method, decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, method);
  for (const decorator of decorators) decorator(target.prototype, method, descriptor);
}
decorated(StockController, 'volumes', [Get('volumes')]);
decorated(StockController, 'list', [Post('list'), HttpCode(200)]);
Reflect.defineMetadata('design:paramtypes', [ListDto], StockController.prototype, 'list');
Body()(StockController.prototype, 'list', 0);
Controller('nest')(StockController);

class StockModule {}
Module({ controllers: [StockController] })(StockModule);

const app = await NestFactory.create(StockModule, new FastifyAdapter({ logger: true }), {
  logger: false,
});
app.useGlobalPipes(new ValidationPipe({ transform: true }));
app
  .getHttpAdapter()
  .getInstance()
  .get('/fastify/volumes', () => VOLUMES);
await app.listen(Number(port), '127.0.0.1');
