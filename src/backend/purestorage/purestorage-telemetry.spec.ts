import { PuritySimulator } from '../../../test/support/purity-simulator/purity-simulator.js';
import { PureStorageTelemetry } from './purestorage-telemetry.js';
import { FlashBlade } from './purity/flash-blade.js';
import { PurityClient } from './purity/purity-client.js';

describe('PureStorageTelemetry', () => {
  let array: PuritySimulator;
  let client: PurityClient;
  let telemetry: PureStorageTelemetry;

  beforeEach(async () => {
    array = await PuritySimulator.start();
    client = new PurityClient({
      endpoint: new URL(array.endpoint),
      apiToken: array.apiToken,
      version: null,
      verifyTls: true,
      timeoutMs: 5000,
    });
    telemetry = new PureStorageTelemetry(new FlashBlade(client), {
      volume: 'blade',
      fileSystem: 'vfolders',
      endpoint: array.endpoint,
      localTroubles: () => [],
    });
  });
  afterEach(async () => {
    await client.close();
    await array.stop();
  });

  const GIB = 2 ** 30;
  it.each([
    ['a hard limit', true, 100 * GIB, { capacityBytes: 100 * GIB, usedBytes: 30 * GIB }],
    ['a size that stops no writes', false, 100 * GIB, undefined],
    ['no limit', false, null, undefined],
    ['a hard limit of no size', true, null, undefined],
  ])('with %s tells what can be written', async (_, hard, provisioned, expected) => {
    const [fileSystem] = array.state.fileSystems;
    fileSystem!.hard_limit_enabled = hard;
    fileSystem!.provisioned = provisioned;
    const { capacity, usedPhysical } = array.state;
    const ofArray = { capacityBytes: capacity, usedBytes: usedPhysical };
    expect(await telemetry.capacity()).toEqual(expected ?? ofArray);
  });

  it('tells operations and bytes as whole numbers', async () => {
    expect(await telemetry.performanceMetric()).toEqual({
      iopsRead: 121,
      iopsWrite: 60,
      ioBytesRead: 1_048_576,
      ioBytesWrite: 524_288,
      ioUsecRead: 250.5,
      ioUsecWrite: 900,
    });
  });

  it.each([
    [429, 'UNAVAILABLE'],
    [500, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [418, 'INTERNAL'],
  ])('answers status %i of the array with %s', async (status, code) => {
    const headers = { 'retry-after': '0' };
    array.fault = () => ({ kind: 'status', status, headers });
    await expect(telemetry.capacity()).rejects.toMatchObject({ code });
  });
});
