import { Module, type DynamicModule } from '@nestjs/common';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { VolumeService } from '../volume/volume.service.js';
import { FilesController } from './files.controller.js';
import { FoldersController } from './folders.controller.js';
import { JobsController } from './jobs.controller.js';
import { QuotaScopesController } from './quota-scopes.controller.js';
import { StatusController } from './status.controller.js';
import { TransfersController } from './transfers.controller.js';
import { VolumesController } from './volumes.controller.js';

@Module({
  controllers: [
    StatusController,
    VolumesController,
    QuotaScopesController,
    FoldersController,
    FilesController,
    TransfersController,
    JobsController,
  ],
})
export class ManagerApiModule {
  /**
   * The manager plane over a core that is shared with the other plane: `volumes` is opened and closed by
   * the core, not by this application.
   */
  static forRoot({ volumes, version }: { volumes: VolumeService; version: string }): DynamicModule {
    return {
      module: ManagerApiModule,
      providers: [
        { provide: VolumeService, useValue: volumes },
        { provide: PRODUCT_VERSION, useValue: version },
      ],
    };
  }
}
