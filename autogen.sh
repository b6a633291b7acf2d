#!/bin/sh
# Makes configure and Makefile.in in a checkout; release archives have them.
set -e
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize pkg-config; do
	command -v $tool >/dev/null ||
		{ echo "autogen.sh: no $tool: install the packages autoconf automake libtool pkg-config" >&2; exit 1; }
done
exec autoreconf --install --force
