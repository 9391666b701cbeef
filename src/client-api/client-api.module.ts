import { Module, type DynamicModule } from '@nestjs/common';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { VolumeService } from '../volume/volume.service.js';
import { ArchiveController } from './downloads/archive.controller.js';
import { DownloadController } from './downloads/download.controller.js';
import { StatusController } from './status.controller.js';
import { UploadController } from './uploads/upload.controller.js';

@Module({
  controllers: [StatusController, UploadController, DownloadController, ArchiveController],
})
export class ClientApiModule {
  /**
   * The client plane over a core that is shared with the other plane: `volumes` is opened and closed by
   * the core, not by this application.
   */
  static forRoot({ volumes, version }: { volumes: VolumeService; version: string }): DynamicModule {
    return {
      module: ClientApiModule,
      providers: [
        { provide: VolumeService, useValue: volumes },
        { provide: PRODUCT_VERSION, useValue: version },
      ],
    };
  }
}
