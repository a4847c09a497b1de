#!/bin/sh
echo "bazel coverage is not supported here: Debian does not package Bazel's report generator" >&2
exit 1
