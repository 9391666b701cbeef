import { backends } from '../../backend/index.js';
import { XFS } from '../../backend/xfs/local-volume-agent.js';
import { pinoLevel } from '../../config/log-level.js';
import type { Settings } from '../../config/settings.js';
import { volumeSettings } from '../worker/domain-settings.js';
import type { AgentOrders } from './protocol.js';

/**
 * What an agent goes by, as plain values: its process need not load whatever reads a configuration, and so is there again
 * soon after its end; and it never has a secret, such as another backend's options hold.
 */
export function ordersFrom(settings: Settings): AgentOrders {
  const { limits, server, logging } = settings;
  return {
    volumes: volumeSettings(settings, backends).map((volume) => ({
      ...volume,
      options: volume.backend === XFS ? { ...volume.options } : {},
    })),
    logging: {
      level: pinoLevel(settings),
      format: server.logFormat,
      colored: logging.console.colored,
    },
    slotsPerVolume: Math.max(1, Math.floor(server.threadPoolSize * limits.volumeShare)),
    deadlineMs: limits.operationTimeoutMs,
  };
}
