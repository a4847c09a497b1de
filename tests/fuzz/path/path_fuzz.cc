// Fuzzes the path's normalisation: what comes out is canonical, harmless, and stays as it is.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/http/chars.h"
#include "core/http/path.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pillion::http;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  const NormalizedPath once = NormalizePath(input, &scratch);
  if (once.error != nullptr) {
    Require(once.path.empty());
    return 0;
  }
  const std::string_view path = once.path;
  if (path == "*") return 0;
  Require(!path.empty() && path[0] == '/' && path.size() <= input.size());
  Require(All(path, kPathChar) && !Contains(path, "\\"));
  Require(!Contains(path, "//"));
  const std::string closed = std::string(path) + "/";
  for (std::string_view dots : {"/./", "/../", "/.;", "/..;"}) Require(!Contains(closed, dots));
  for (std::string_view escape : {"%2F", "%2f", "%5C", "%5c", "%00", "%2E", "%2e", "%41"}) {
    Require(!Contains(path, escape));
  }
  Require((path.data() == input.data()) == (path == input));

  std::string unused;
  const NormalizedPath twice = NormalizePath(path, &unused);
  Require(twice.error == nullptr && twice.path.data() == path.data());
  return 0;
}
