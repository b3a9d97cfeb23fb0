#!/usr/bin/env bash
# Measures ours and its peers on the same prompts, one after another, and writes benches/record/speed-*:
#   benches/peers.sh DATA_DIR OUT_DIR [--small] [--store DIR] [PART…]
# DATA_DIR holds prompts.parquet. OUT_DIR, some 10 GB, holds the venv, what both sides are given, logs and stores; it may be used
# again. Parts: semhash index embedding growth similar (benches/peers/part_*.py say what they are); all without a name. --small
# tries everything on a few thousand prompts and writes its records to OUT_DIR/record.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
data=$(realpath -m "$1") out=$(realpath -m "$2")
shift 2
mkdir -p "$out"
[ -x "$out/venv/bin/python" ] || python3 -m venv "$out/venv"
"$out/venv/bin/pip" install --quiet --disable-pip-version-check semhash==0.5.0 hnswlib==0.8.0 faiss-cpu==1.15.1 \
    model2vec==0.10.0 usearch==2.26.6 vicinity==0.4.6 tokenizers==0.23.3 numpy==2.4.6 pyarrow==26.0.1
cd "$root"
built=$(cargo build --release --locked --bin stillhunt --bench speed --message-format=json)
binary() { # binary NAME: the executable that was built
    python3 -c 'import json, sys
for line in sys.stdin:
    told = json.loads(line)
    if told.get("executable") and told["target"]["name"] == sys.argv[1]:
        print(told["executable"])' "$1" <<<"$built"
}
exec "$out/venv/bin/python" "$root/benches/peers/run.py" "$data" "$out" --bench "$(binary speed)" --stillhunt "$(binary stillhunt)" \
    --model "$root/models" "$@"
