#!/usr/bin/env node
import 'reflect-metadata';
import { run } from './cli/run.js';

// The one place that ends a process politely; it has no volume open that could keep it.
process.exit(await run(process.argv.slice(2)));
