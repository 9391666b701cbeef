import { Campaign, ERRNOS, type ErrnoName } from '../torture/faults/campaign.js';
import { fileScenarios } from '../torture/faults/file-scenarios.js';
import { folderScenarios } from '../torture/faults/folder-scenarios.js';
import { uploadScenarios } from '../torture/faults/upload-scenarios.js';
import { HookedServer } from '../torture/hook/hooked-server.js';
import { isLongMode, report } from '../torture/mode.js';
import { Random, SEED } from '../torture/random.js';

const SCENARIOS = [...uploadScenarios, ...fileScenarios, ...folderScenarios];
/** With every change one of the errors for each call, another for each seed; in the long mode all of them. */
const errnos = isLongMode ? (Object.keys(ERRNOS) as ErrnoName[]) : undefined;

let hooked: HookedServer;
const totals = { seed: SEED, operations: 0, faults: 0, violations: 0 };

beforeAll(async () => {
  hooked = await HookedServer.start();
});
afterAll(async () => {
  report('faults', totals);
  await hooked?.stop();
});

it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
  '%s: whichever system call fails, the answer says so, nothing is half-done, and the next request works',
  async (name, scenario) => {
    const campaign = new Campaign(hooked, new Random(name));
    try {
      await campaign.run(scenario, { ...(errnos && { errnos }), sparse: !isLongMode });
    } finally {
      campaign.close();
    }
    totals.operations += campaign.figures.operations;
    totals.faults += campaign.figures.faults;
    totals.violations += campaign.violations.length;
    expect(campaign.violations).toEqual([]);
    expect(campaign.figures.faults).toBeGreaterThan(0);
  },
  isLongMode ? 1_800_000 : 240_000,
);
