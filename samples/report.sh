#!/bin/sh
# Makes the samples' reports again: reports/NAME.html and .json for every sample, verified on both of its inputs. Run it in a built checkout; the
# same sources give the same bytes.
#
#     sh samples/report.sh [NAME...]
set -eu
cd "$(dirname "$0")/.."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
[ $# -gt 0 ] || set -- $(cd samples && ls -d */ | tr -d / | grep -v '^runtime$')
for name; do
  node dist/src/cli/main.js pgo --quiet -o "$made/$name.isoform" --report "reports/$name.html" --json "reports/$name.json" \
    --stdin "samples/$name/input" --also "samples/$name/input.other" "samples/$name/$name.elf"
  echo "reports/$name.html"
done
