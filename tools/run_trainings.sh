#!/bin/bash
# The trainings of docs/results.md: tools/run_trainings.sh PROGRAM DATA_FOLDER OUT_FOLDER [NETWORK...]
# DATA_FOLDER holds osteo3_tiles and crchisto_multilabel_68px. All networks alike: 68 px, the preset `pathology` but for
# EPOCHS epochs, mini-batches of 32 and an initial rate of LR; seeds 1 to 3; the best weights by validation are tested.
# THREADS threads a run. What is finished is left alone, what was interrupted goes on. tools/training_table.py OUT_FOLDER
# prints the table.
set -euo pipefail
program=$1
data=$2
out=$3
shift 3
networks=${*:-DARTS_ADP_N2 DARTS_ADP_N3 DARTS_ADP_N4 darts_4cell mobilenet_v3_small mobilenet_v2_035 shufflenet_v2_x1_0 mobilenet_v2 resnet18}
threads=${THREADS:-2}
for network in $networks; do
  for set in osteo3_tiles crchisto_multilabel_68px; do
    # Test intervals are over what was drawn independently: tissue blocks, and slides.
    group=$([ $set = osteo3_tiles ] && echo block || echo source_image)
    for seed in 1 2 3; do
      run=$out/$set/$network/seed-$seed
      [ -e "$run/evaluation.json" ] && continue
      mkdir -p "$(dirname "$run")"
      if [ -e "$run/run.json" ]; then
        "$program" train --resume "$run"
      else
        "$program" train --data "$data/$set" --group-column $group --network "$network" --size 68 --epochs "${EPOCHS:-12}" --batch 32 \
          --lr "${LR:-0.05}" --seed $seed --threads "$threads" --out "$run"
      fi
      "$program" evaluate "$run" --threads "$threads" --json > "$run/evaluation.json.part"
      mv "$run/evaluation.json.part" "$run/evaluation.json"
    done
    [ -e "$out/$set/$network/count.json" ] ||
      "$program" count --network "$network" --size 68 --classes "$([ $set = osteo3_tiles ] && echo 3 || echo 4)" --json \
        > "$out/$set/$network/count.json"
  done
done
