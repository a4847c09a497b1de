"""C++ from .proto files, by Debian's protoc and gRPC plugin."""

def pillion_proto_library(name, srcs, deps = [], grpc = False, visibility = ["//:__subpackages__"]):
    """A cc_library of the generated messages, and with grpc of the service stubs too.

    The files live under protos/ and are named from there, in a .proto's import as in an #include:
    protos/pillion/config/v1/policy.proto is "pillion/config/v1/policy.proto" and
    "pillion/config/v1/policy.pb.h" in every package. google/protobuf/*.proto can be imported as is.

    Args:
      name: of the library.
      srcs: .proto files of this package.
      deps: the pillion_proto_library targets whose files srcs import.
      grpc: also generate PATH.grpc.pb.h for the services in srcs.
      visibility: of the library.
    """
    prefix = "protos/"
    package = native.package_name()
    if package != "protos" and not package.startswith(prefix):
        fail("pillion_proto_library belongs under //protos, not in //" + package)

    # Labels of what srcs import, as files: generated code needs the deps' headers, protoc their sources.
    native.filegroup(
        name = name + "_srcs",
        srcs = srcs + [dep + "_srcs" for dep in deps],
        visibility = visibility,
    )

    stems = [src[:-len(".proto")] for src in srcs]
    suffixes = [".pb"] + ([".grpc.pb"] if grpc else [])
    headers = [stem + suffix + ".h" for stem in stems for suffix in suffixes]
    sources = [stem + suffix + ".cc" for stem in stems for suffix in suffixes]
    grpc_options = "--grpc_out=$(GENDIR)/protos --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin "
    native.genrule(
        name = name + "_generated",
        srcs = [":" + name + "_srcs"],
        outs = headers + sources,
        cmd = "/usr/bin/protoc -Iprotos -I/usr/include --cpp_out=$(GENDIR)/protos " +
              (grpc_options if grpc else "") +
              " ".join([package + "/" + src for src in srcs]),
        message = "Generating C++ for //%s:%s" % (package, name),
        visibility = ["//visibility:private"],
    )

    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = ["-w"],  # Generated: warnings in it are nobody's to fix.
        strip_include_prefix = "/protos",
        deps = deps + ["@system//:grpc" if grpc else "@system//:protobuf"],
        visibility = visibility,
    )
