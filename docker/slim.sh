#!/bin/sh
# slim.sh VENV [MODULE ...]: take out of a virtual environment what no program at work needs, and
# compile it in a way that does not depend on when it was built. With modules named, only what
# importing them loads is compiled, and parts no server touches go too.
set -eu
venv=$1
shift
packages=$(echo "$venv"/lib/python3*/site-packages)

remove() {
    for part in "$@"; do rm -rf "${packages:?}"/$part; done
}

# feast asks for mypy through an extra of SQLAlchemy; pip only builds.
"$venv"/bin/python3 -m pip uninstall --quiet --yes mypy librt || true
remove pip 'pip-*'
rm -f "$venv"/bin/pip*

# Tests, headers and static libraries of big packages.
for package in numpy pandas pyarrow scipy sklearn statsmodels torch matplotlib onnx; do
    [ -d "$packages/$package" ] || continue
    find "$packages/$package" -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
    find "$packages/$package" -type f \( -name '*.a' -o -name '*.pxd' -o -name '*.pyx' \) -delete
done

# torch's own tests and command-line programs; workers share memory through one of them.
remove torch/test
find "$packages/torch/bin" -type f ! -name torch_shm_manager -delete 2>/dev/null || true

find "$packages" -type d -name __pycache__ -prune -exec rm -rf {} +
if [ $# -eq 0 ]; then
    # Some packages hold templates or code for newer Pythons, which do not compile.
    "$venv"/bin/python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash "$packages" || true
else
    # Arrow's Flight, Feast's pages, ONNX Runtime's converters, images, code generation; what
    # training and offline jobs call and a server never imports. The imports below prove it.
    # ONNX Runtime's C library is for other languages; Arrow's Python library comes three times.
    remove sklearn joblib sympy mpmath dask 'ast_serialize*' 'narwhals*' requirements \
        'onnxruntime/capi/libonnxruntime.so*' pyarrow/libarrow_python.so \
        'pyarrow/libarrow_python.so.*.*.*'
    for part in cluster datasets fft fftpack integrate interpolate io linalg misc ndimage odr optimize \
        signal sparse spatial stats; do
        remove "scipy/$part"
    done
    remove 'pyarrow/libarrow_flight*' 'pyarrow/*flight*' feast/ui feast/templates onnxruntime/transformers onnxruntime/tools \
        onnxruntime/quantization PIL pillow.libs setuptools mypyc \
        'grpc_tools/_protoc_compiler*' 'scipy/special/cython_special*'
    "$venv"/bin/python3 docker/compile_loaded.py "$@"
fi
