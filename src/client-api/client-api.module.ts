import { Module, type DynamicModule } from '@nestjs/common';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { VolumeService } from '../volume/volume.service.js';
import { ArchiveController } from './downloads/archive.controller.js';
import { DownloadController } from './downloads/download.controller.js';
import { TokenGate } from './limits/token-gate.js';
import { DEFAULT_TRANSFER_LIMITS, type TransferLimits } from './limits/transfer-limits.js';
import { TransferSlots } from './limits/transfer-slots.js';
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
  static forRoot(
    { volumes, version }: { volumes: VolumeService; version: string },
    limits: TransferLimits = DEFAULT_TRANSFER_LIMITS,
  ): DynamicModule {
    return {
      module: ClientApiModule,
      providers: [
        { provide: VolumeService, useValue: volumes },
        { provide: PRODUCT_VERSION, useValue: version },
        { provide: TokenGate, useValue: new TokenGate(limits.authFailures) },
        { provide: TransferSlots, useValue: new TransferSlots(limits) },
      ],
    };
  }
}
