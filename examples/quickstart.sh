#!/usr/bin/env bash
# The life of a vfolder, from a quota scope to a deletion, against a running `npm start`.
#
#   examples/quickstart.sh [DIRECTORY…]
#
# Uploads the directories (by default some installed packages: more than 1,000 files and 100 MB), breaks one
# upload off and resumes it, lists, downloads by ranges and as zip, compares every SHA-256, clones, renames,
# deletes, and watches the job end. Addresses and the secret's file can be given by MANAGER, CLIENT, SECRET_FILE
# and VOLUME. Needs Node.js and `npm ci`; the zip is unpacked with unzip or python3, whichever is there.
set -euo pipefail
cd "$(dirname "$0")/.."
exec node examples/quickstart/main.mjs "$@"
