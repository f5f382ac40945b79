#!/bin/bash
# The searches of docs/results.md: tools/run_results.sh PROGRAM DATA_FOLDER OUT_FOLDER
# DATA_FOLDER holds osteo3_tiles and crchisto_multilabel_68px. Finished runs are left alone.
set -euo pipefail
program=$1
data=$2
out=$3
search() {
  local name=$1
  shift
  if [ -e "$out/$name/report.html" ]; then
    echo "$name is finished"
  elif [ -e "$out/$name/run.json" ]; then
    "$program" search --resume "$out/$name"
  else
    "$program" search --preset pathology --nodes 4 --seed 1 --out "$out/$name" "$@"
  fi
}
mkdir -p "$out"
search osteo-sgd-0.025 --data "$data/osteo3_tiles" --optimizer sgd --lr 0.025
search osteo-sgd-0.050 --data "$data/osteo3_tiles" --optimizer sgd --lr 0.05
search osteo-sgd-0.175 --data "$data/osteo3_tiles" --optimizer sgd --lr 0.175
search osteo-adas-0.175 --data "$data/osteo3_tiles" --optimizer adas --lr 0.175
search crchisto-adas-0.175 --data "$data/crchisto_multilabel_68px" --optimizer adas --lr 0.175
"$program" report "$out"/osteo-* --out "$out/osteo.html"
