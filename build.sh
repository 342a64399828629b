#!/usr/bin/env bash
# The same verbs as build.cmd; ./build.sh alone lists them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
# libtorch's idle threads spin by default, which makes a crowded machine ten times slower.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

help() {
    cat <<'TEXT'
usage: ./build.sh VERB [ARGUMENTS]

  build          restore and build everything (Release)
  test           build, then run all tests; ends with "N passed, N failed, N skipped"
  known-answers  build, then run the known-answer tests alone, with the JSON files of the folder
                 CONTRASTIVE_KNOWN_ANSWERS too (with CONTRASTIVE_KNOWN_ANSWERS_ONLY=1 without our own)
  demo           run samples/FewLabels: pretrain without labels, classify with few
  gpu-check      compare each method's first losses on the chosen device with the CPU's
  bench          run the benchmarks
  compare        the library's speed beside PyTorch, torchvision, OpenCV, scikit-learn, faiss and ONNX
                 Runtime; installs these peers from Debian where it may (--only, --quick, --out: see docs/speed.md)

The environment variable TorchBackend = cpu (default) | cuda-linux | cuda-windows picks the native back end.
TEXT
}

build() {
    dotnet build ContrastiveML.sln -c Release "$@"
}

# Runs tests that are built, and sums up in one line. Fails when a test does or when none ran.
run_tests() {
    local log status=0
    log=$(mktemp)
    trap 'rm -f "$log"' RETURN
    dotnet test -c Release --no-build --no-ansi "$@" 2>&1 | tee "$log" || status=$?
    awk '
        /^Test run summary:/ { summary = 1 }
        summary && $1 == "succeeded:" { passed = $2 }
        summary && $1 == "failed:" { failed = $2 }
        summary && $1 == "skipped:" { skipped = $2 }
        END {
            printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
            exit passed + failed == 0
        }' "$log" || status=1
    return "$status"
}

verb=${1:-help}
shift || true
case $verb in
    build) build "$@" ;;
    test) build && run_tests --solution ContrastiveML.sln "$@" ;;
    known-answers) build && run_tests --project tests/Microsoft.ML.Contrastive.Tests -- --filter-class '*KnownAnswerTests' "$@" ;;
    demo) dotnet run -c Release --project samples/FewLabels -- "$@" ;;
    gpu-check) dotnet run -c Release --project benchmarks -- gpu-check "$@" ;;
    bench) dotnet run -c Release --project benchmarks -- "$@" ;;
    compare) dotnet run -c Release --project benchmarks -- compare "$@" ;;
    help | -h | --help) help ;;
    *) help >&2; exit 2 ;;
esac
