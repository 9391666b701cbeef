/** Says what the agent of this process makes of a volume. Argument: the volume's settings as JSON. */
import { LocalVolumeAgent } from '../../../dist/backend/xfs/local-volume-agent.js';

const settings = JSON.parse(process.argv[2]);
const agent = new LocalVolumeAgent([settings]);
const answer = await agent.checkVolume(settings.name).then(
  () => 'good',
  (error) => `${error.code}: ${error.message}`,
);
process.stdout.write(answer);
