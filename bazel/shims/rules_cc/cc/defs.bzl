"""The C++ rules that Bazel has built in, under the names by which its own BUILD files load them.

Debian's bazel-rules-cc is made for a later Bazel than Debian's own (it needs use_cpp_toolchain).
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
objc_library = native.objc_library
