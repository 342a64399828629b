"""What the peers share: requests as lines of JSON on stdin, answers on stdout, tensors in safetensors files.

Requests: {"do": "prepare", ...settings}, {"do": "round"} for seconds per unit, {"do": "values"} for what is compared.
"""
import json
import os
import struct
import sys
import time
import traceback

import numpy
import torch

TYPES = {"F32": numpy.float32, "I64": numpy.int64, "U8": numpy.uint8}


def tensors(path):
    """All tensors of a safetensors file by name; they share one mapping of the file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    data = numpy.memmap(path, numpy.uint8, "c", 8 + length)
    header.pop("__metadata__", None)
    return {
        name: torch.from_numpy(data[slice(*entry["data_offsets"])].view(TYPES[entry["dtype"]]).reshape(entry["shape"]).copy())
        for name, entry in header.items()
    }


def seconds(work, times=1):
    """Seconds of one call, the mean of several."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def serve(prepare):
    """Answers requests until stdin ends. `prepare(settings)` gives an object with round() and values()."""
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)  # what native code prints must not come between the answers
    item = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                torch.set_num_threads(request["threads"])
                item = prepare(request)
                answer = {"versions": getattr(item, "versions", {})}
            elif request["do"] == "round":
                answer = {"seconds": item.round()}
            else:
                answer = {"values": [float(value) for value in item.values()]}
        except Exception:
            answer = {"error": traceback.format_exc().strip().splitlines()[-1]}
            traceback.print_exc(file=sys.stderr)
        print(json.dumps(answer), file=answers, flush=True)
