/** What the simulated array holds; tests change it while the array runs. Names are those of REST 2 unless noted. */
export interface SimulatedFileSystem {
  name: string;
  /** `null` is unlimited: 0 in REST 1, null in REST 2 [vendor OpenAPI, FileSystem.provisioned]. */
  provisioned: number | null;
  hard_limit_enabled: boolean;
  destroyed: boolean;
  fast_remove_directory_enabled: boolean;
  space: Record<string, number | null>;
  /** NFS figures; a member may be null [seen in pure-fb-openmetrics-exporter]. */
  performance: Record<string, number | null>;
}

export interface SimulatedAlert {
  severity: 'info' | 'warning' | 'critical';
  state: 'open' | 'closing' | 'closed';
  component: string;
  summary: string;
}

export interface SimulatedPart {
  name: string;
  type: string;
  status: string;
  details: string | null;
}

export function makeFileSystem(name: string): SimulatedFileSystem {
  return {
    name,
    provisioned: 100 * 2 ** 30,
    hard_limit_enabled: true,
    destroyed: false,
    fast_remove_directory_enabled: false,
    // Physical is after data reduction, so less than what clients wrote.
    space: {
      virtual: 30 * 2 ** 30,
      unique: 9 * 2 ** 30,
      snapshots: 2 ** 30,
      total_physical: 10 * 2 ** 30,
      data_reduction: 3.3,
    },
    performance: {
      reads_per_sec: 120.5,
      writes_per_sec: 60.25,
      others_per_sec: 4,
      read_bytes_per_sec: 1_048_576,
      write_bytes_per_sec: 524_288,
      usec_per_read_op: 250.5,
      usec_per_write_op: 900,
      usec_per_other_op: 100,
    },
  };
}

export class ArrayState {
  readonly identity = {
    id: 'e1b1a3b2-0000-4000-8000-0123456789ab',
    name: 'flash-1',
    os: 'Purity//FB',
    revision: 'abc1234',
    version: '4.1.2',
  };
  capacity = 500 * 2 ** 40;
  usedPhysical = 100 * 2 ** 40;
  blades = 7;
  fileSystems: SimulatedFileSystem[] = [makeFileSystem('vfolders')];
  alerts: SimulatedAlert[] = [];
  hardware: SimulatedPart[] = [
    { name: 'CH1', type: 'ch', status: 'healthy', details: null },
    { name: 'CH1.FB8', type: 'fb', status: 'unused', details: null },
  ];
}
