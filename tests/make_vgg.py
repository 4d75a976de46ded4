#!/usr/bin/python3
"""make_vgg.py FILE.h5: VGG16 up to block3_conv3 with random weights, laid out as Keras saves it.

keras_model.h5 is as model.save() of Keras 2 writes, other names as the file of weights alone that Keras' first version made.
"""
import pathlib
import sys

import h5py
import numpy as np

path = pathlib.Path(sys.argv[1])
whole = path.stem == "keras_model"
random, inputs = np.random.default_rng(1), 3
with h5py.File(path, "w") as f:
    for block, convs, outputs in ((1, 2, 64), (2, 2, 128), (3, 3, 256)):
        for conv in range(1, convs + 1):
            name = f"block{block}_conv{conv}"
            kernel, bias = (f"{name}/kernel:0", f"{name}/bias:0") if whole else (f"{name}_W_1:0", f"{name}_b_1:0")
            layer = f.create_group(f"model_weights/{name}" if whole else name)
            layer[kernel] = np.float32(random.normal(0, (2 / 9 / inputs) ** 0.5, (3, 3, inputs, outputs)))
            layer[bias] = np.float32(random.normal(0, 0.1, outputs))
            inputs = outputs
