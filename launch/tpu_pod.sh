#!/bin/bash
# One actlab run on all hosts of a TPU pod slice, started again after preemption until it ends.
#   launch/tpu_pod.sh NAME ZONE configs/digits/deep.toml gs-or-shared-directory [key=value ...]
# Every host has the checkout in ~/actlab with its environment (`make setup`, then pip install 'actlab[tpu]').
# The processes find each other by the pod's metadata. GCLOUD is the command where it is not on the path.
set -uo pipefail
name=${1:?the name of the slice} zone=${2:?its zone} config=${3:?a configuration} out=${4:?a shared directory}
shift 4
run=$(printf '%q ' .venv/bin/actlab run "$config" "$@" --out "$out" --resume --distributed)

for attempt in $(seq "${ATTEMPTS:-20}"); do
  ${GCLOUD:-gcloud} compute tpus tpu-vm ssh "$name" --zone "$zone" --worker all --command "cd ~/actlab && $run"
  status=$?
  case $status in
  75 | 134 | 137 | 143 | 255) # stopped and saved, a peer lost, killed, the connection lost
    echo "attempt $attempt ended with status $status: starting again from the last checkpoint" >&2
    sleep "${PAUSE:-30}"
    ;;
  *) exit $status ;;
  esac
done
exit $status
