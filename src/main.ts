#!/usr/bin/env node
process.stdout.write('storage-proxy\n');
