import 'reflect-metadata';
import { Worker } from './worker.js';

/** The entry of worker processes; `serve` starts them. */
new Worker().start();
