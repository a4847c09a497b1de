// Fuzzes what is read of upstreams that work on: whatever they answer, the next request is one that
// can be sent, and what is shown of it is one line of text. The input is a header (Location), an
// empty line and a body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/config/utf8.h"
#include "core/http/chars.h"
#include "sidecar/actions/answer.h"
#include "sidecar/actions/follow.h"
#include "sidecar/delivery/fields.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void RequireTarget(std::string_view target) {
  using namespace pillion::http;
  if (target.empty()) return;
  const size_t question = target.find('?');
  Require(target[0] == '/' && All(target.substr(0, question), kPathChar));
  if (question != target.npos) Require(All(target.substr(question + 1), kQueryChar));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pillion::sidecar;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  pillion::delivery::Answer answer;
  pillion::delivery::AppendField(answer.headers, "location", input.substr(0, line));
  if (line != input.npos) answer.body = input.substr(line + 1);
  for (int status : {200, 202, 303, 404, 500}) {
    answer.status = status;
    const std::string path = StatusPathOf(answer, "/jobs/new?a=b");
    RequireTarget(path);
    const UpstreamStatus read = ReadUpstreamStatus(answer, path.empty() ? "/status" : path);
    RequireTarget(read.result_path);
    if (read.percent_complete)
      Require(*read.percent_complete >= 0 && *read.percent_complete <= 100);
  }
  pillion::delivery::Answer problem{503, "", answer.body};
  pillion::delivery::AppendField(problem.headers, "content-type", "application/problem+json");
  pillion::delivery::AppendField(problem.headers, "pillion-flag", input.substr(0, line));
  const std::string described = DescribeAnswer(problem);
  Require(described.size() < 300 && described.find('\n') == described.npos);
  Require(pillion::config::FindInvalidUtf8(described) == described.npos);
  pillion::delivery::Answer without = answer;
  without.headers.clear();
  RequireTarget(StatusPathOf(without, "/jobs"));
  const auto progress = ParseProgress(answer.body);
  if (progress.ok()) Require(*progress >= 0 && *progress <= 100);
  const FollowedStatus followed = DecodeFollowedStatus(input);
  Require(!followed.path.empty());
  return 0;
}
