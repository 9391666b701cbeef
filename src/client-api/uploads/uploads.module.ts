import { Module } from '@nestjs/common';
import { UploadController } from './upload.controller.js';

/** `/upload`. The VolumeService comes from a global or imported module of the plane. */
@Module({ controllers: [UploadController] })
export class UploadsModule {}
