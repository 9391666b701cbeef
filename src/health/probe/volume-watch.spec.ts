import type { ProbeFindings } from './probe-volume.js';
import type { ProbeReport } from './probe-report.js';
import type { ProbeOrder } from './prober.js';
import { VolumeWatch, type ProberEvents } from './volume-watch.js';

const good: ProbeFindings = {
  mounted: true,
  readable: true,
  writable: true,
  message: null,
  mountPoint: true,
  durationMs: 1,
};

describe('VolumeWatch', () => {
  let started: { order: ProbeOrder; events: ProberEvents; stopped: boolean }[];
  let reports: ProbeReport[];
  let watch: VolumeWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    started = [];
    reports = [];
    const timing = { intervalMs: 1_000, deadlineMs: 200 };
    watch = new VolumeWatch(
      'local',
      '/volume',
      timing,
      (order, events) => {
        const prober = { order, events, stopped: false };
        started.push(prober);
        return { stop: () => (prober.stopped = true) };
      },
      (report) => reports.push(report),
    );
  });
  afterEach(() => {
    watch.stop();
    jest.useRealTimers();
  });

  const outcomes = () => reports.map(({ outcome }) => outcome);

  it('is pending until the first word', () => {
    expect(watch.report.outcome).toBe('pending');
    started[0]!.events.found(good);
    expect(watch.report).toMatchObject({ outcome: 'ok', writable: true });
  });

  it('counts a silent prober as a hung volume, and believes it again when it speaks', () => {
    jest.advanceTimersByTime(200);
    expect(outcomes()).toEqual(['hung']);
    expect(watch.report.message).toBe('/volume: did not answer within 0.2 s');
    started[0]!.events.found(good);
    jest.advanceTimersByTime(1_199);
    expect(outcomes()).toEqual(['hung', 'ok']);
    jest.advanceTimersByTime(1);
    expect(outcomes()).toEqual(['hung', 'ok', 'hung']);
    expect(started).toHaveLength(1);
  });

  it('replaces a prober only once it has ended, and hands on what it had seen', () => {
    started[0]!.events.found(good);
    started[0]!.events.ended('SIGKILL');
    expect(watch.report).toMatchObject({
      outcome: 'failed',
      message: 'The prober of the volume ended: SIGKILL',
    });
    jest.advanceTimersByTime(1_000);
    expect(started.map(({ order }) => order.expectMountPoint)).toEqual([false, true]);
  });

  it('is silent after it was stopped', () => {
    watch.stop();
    started[0]!.events.found(good);
    started[0]!.events.ended('SIGKILL');
    jest.advanceTimersByTime(10_000);
    expect(reports).toEqual([]);
    expect(started).toMatchObject([{ stopped: true }]);
  });
});
