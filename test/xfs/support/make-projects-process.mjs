/** Makes projects as fast as it can, several at once. Arguments: a JSON text of { settings, paths }. Prints their ids. */
import { LocalVolumeAgent } from '../../../dist/backend/xfs/local-volume-agent.js';

const { settings, paths } = JSON.parse(process.argv[2]);
const agent = new LocalVolumeAgent([settings]);
const made = await Promise.all(
  paths.map((path) =>
    agent.initialiseProject(settings.name, Buffer.from(path), { hardBytes: 1 << 20 }),
  ),
);
process.stdout.write(JSON.stringify(made.map(({ projectId }) => projectId)));
