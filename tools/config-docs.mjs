// Writes config/sample.toml and docs/configuration.md from the section classes. Run after a build.
import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { renderReference } from '../dist/config/reference/render-reference.js';
import { renderSample } from '../dist/config/reference/render-sample.js';

writeFileSync(new URL('../config/sample.toml', import.meta.url), renderSample());
writeFileSync(new URL('../docs/configuration.md', import.meta.url), renderReference());
