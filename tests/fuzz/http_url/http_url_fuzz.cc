// Fuzzes the reading of URLs: what comes out can stand in a request, and reads as the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/http/chars.h"
#include "core/http/url.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pillion::http;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  HttpUrl url;
  if (ParseHttpUrl(input, &url) != nullptr) return 0;
  Require(!url.host.empty() && url.port != 0);
  Require(url.host.find_first_of("@/?#\\ ") == std::string::npos);
  Require(!url.path.empty() && url.path[0] == '/' && All(url.path, kPathChar));
  Require(All(url.query, kQueryChar) && (url.has_query || url.query.empty()));

  HttpUrl again;
  const std::string text =
      "http://" + url.host + ":" + std::to_string(url.port) + url.path_and_query();
  Require(ParseHttpUrl(text, &again) == nullptr);
  Require(again.host == url.host && again.port == url.port &&
          again.path_and_query() == url.path_and_query());
  return 0;
}
