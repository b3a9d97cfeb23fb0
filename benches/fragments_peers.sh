#!/usr/bin/env bash
# Measures known peers at finding a fixed fragment in otherwise different prompts (what and how: fragments_peers.py):
#   benches/fragments_peers.sh [DIR] [OPTION OF run…]
# Makes a venv and the rows in DIR, or in a temporary directory that goes afterwards. The texts are prompts.parquet in
# $STILLHUNT_DATA, else in ../shared/data beside the checkout. $ROWS is the number of rows, 1,000,000 by default.
set -euo pipefail
script=$(cd "$(dirname "$0")" && pwd)/fragments_peers.py
data=${STILLHUNT_DATA:-$(dirname "$script")/../../shared/data}
if [ $# -gt 0 ]; then
    dir=$1
    shift
else
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir"
[ -x "$dir/venv/bin/python" ] || python3 -m venv "$dir/venv"
for package in numpy==2.4.6 pyarrow==26.0.1 pydivsufsort==0.0.20 datasketch==2.0.0 rensa==0.5.0; do
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check "$package" \
        || echo "skipped: $package (does not install here)" >&2
done
[ -e "$dir/rows.jsonl" ] || "$dir/venv/bin/python" "$script" make --prompts "$data/prompts.parquet" --out "$dir" --rows "${ROWS:-1000000}" >&2
"$dir/venv/bin/python" "$script" run --data "$dir" "$@"
