#!/bin/sh
# install.sh ARGUMENT ...: `uv pip install` into the virtual environment, from the constraints, with pip's
# package index, wheel folder and certificate. uv resolves in seconds what takes pip's resolver minutes.
# INDEX=URL: from that index alone. UV=PATH: of the program. HASHES=FILE: what a file of a package has to
# hash to; torch is not in it, whose builds for a CPU and for CUDA come from several indexes.
set -eu
setting() { python3 -m pip config list 2>/dev/null | sed -n "s/^global\.$1='\(.*\)'\$/\1/p"; }
index=${INDEX:-$(setting index-url)}
more=$(setting extra-index-url)
certificate=$(setting cert)
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
[ -z "$more" ] || [ -n "${INDEX:-}" ] || export UV_INDEX="$more"
[ -z "$certificate" ] || export SSL_CERT_FILE="$certificate"
links=${PIP_FIND_LINKS:-$(setting find-links)}
[ -z "$links" ] || [ ! -e "$links" ] || export UV_FIND_LINKS="$links"
exec "${UV:-/opt/uv/bin/uv}" pip install --constraint constraints.txt ${HASHES:+--constraint "$HASHES"} "$@"
