import { Module, type DynamicModule } from '@nestjs/common';
import { VolumeService } from '../volume/volume.service.js';
import { UploadController } from './uploads/upload.controller.js';

@Module({ controllers: [UploadController] })
export class ClientApiModule {
  /**
   * The client plane over a core that is shared with the other plane: `volumes` is opened and closed by
   * the core, not by this application.
   */
  static forRoot(volumes: VolumeService): DynamicModule {
    return {
      module: ClientApiModule,
      providers: [{ provide: VolumeService, useValue: volumes }],
    };
  }
}
