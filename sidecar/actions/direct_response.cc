#include "sidecar/actions/direct_response.h"

#include <string>

#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/header_edits.h"

namespace pillion::sidecar {
namespace {

class DirectResponse final : public Action {
 public:
  explicit DirectResponse(const config::v1::DirectResponseAction& config)
      : status_(static_cast<int>(config.status())),
        body_(config.body()),
        headers_(config.headers(), {}) {}

  net::Task<void> Run(Call& call) const override {
    call.record.mode = "direct";
    http::ResponseHead head;
    head.status = status_;
    if (!body_.empty()) head.headers.Add(http::HeaderId::kContentType, "text/plain");
    headers_.Apply(head.headers);
    // A type that the policy names takes the place of ours.
    if (head.headers.Count(http::HeaderId::kContentType) > 1) {
      bool first = true;
      head.headers.RemoveIf([&](const http::Header& header) {
        return header.id == http::HeaderId::kContentType && std::exchange(first, false);
      });
    }
    head.body = {http::BodyFraming::kLength, body_.size()};
    (void)co_await call.exchange.SendHead(head, body_, true, call.scope());
  }

 private:
  const int status_;
  const std::string body_;
  const HeaderEdits headers_;
};

}  // namespace

std::unique_ptr<const Action> CompileDirectResponse(
    const config::v1::DirectResponseAction& config) {
  return std::make_unique<DirectResponse>(config);
}

}  // namespace pillion::sidecar
