#include "sidecar/actions/redirect.h"

#include <string>
#include <utility>

#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/rewrite.h"

namespace pillion::sidecar {
namespace {

using config::v1::RedirectAction;

int StatusOf(RedirectAction::RedirectResponseCode code) {
  switch (code) {
    case RedirectAction::FOUND:
      return 302;
    case RedirectAction::SEE_OTHER:
      return 303;
    case RedirectAction::TEMPORARY_REDIRECT:
      return 307;
    case RedirectAction::PERMANENT_REDIRECT:
      return 308;
    default:
      return 301;
  }
}

// An authority without its port.
std::string_view HostOf(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  if (colon == authority.npos || authority.find(']', colon) != authority.npos) return authority;
  return authority.substr(0, colon);
}

class Redirect final : public Action {
 public:
  Redirect(const RedirectAction& config, PathRewrite rewrite)
      : config_(config), rewrite_(std::move(rewrite)) {}

  net::Task<void> Run(Call& call) const override {
    call.record.mode = "redirect";
    std::string scratch;
    const http::NormalizedPath path = rewrite_.Apply(call.path, &scratch);
    if (path.error != nullptr) {
      co_await Fail(call, 400, "DPE", path.error);
      co_return;
    }
    const std::string location = Location(call, path.path);
    http::ResponseHead head;
    head.status = StatusOf(config_.response_code());
    head.headers.Add(http::HeaderId::kLocation, location);
    head.body = {http::BodyFraming::kLength, 0};
    (void)co_await call.exchange.SendHead(head, {}, true, call.scope());
  }

 private:
  std::string Location(const Call& call, std::string_view path) const {
    const http::RequestHead& request = call.exchange.request();
    std::string_view authority = request.authority;
    std::string host;
    if (!config_.host_redirect().empty() || config_.port_redirect() != 0) {
      host = config_.host_redirect().empty() ? std::string(HostOf(authority))
                                             : config_.host_redirect();
      if (config_.port_redirect() != 0) StrAppend(&host, ":", config_.port_redirect());
      authority = host;
    }
    const std::string_view scheme =
        config_.scheme_redirect().empty() ? "http" : std::string_view(config_.scheme_redirect());
    if (!config_.path_redirect().empty()) path = config_.path_redirect();
    std::string location = StrCat(scheme, "://", authority, path);
    // A query that the policy's own path brings stays the only one.
    const bool keep_query =
        request.has_query && !config_.strip_query() && path.find('?') == std::string_view::npos;
    if (keep_query) StrAppend(&location, "?", request.query);
    return location;
  }

  const RedirectAction config_;
  const PathRewrite rewrite_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Action>> CompileRedirect(const config::v1::Route& route) {
  const RedirectAction& config = route.redirect();
  absl::StatusOr<PathRewrite> rewrite =
      PathRewrite::Compile(route.match(), config.prefix_rewrite(),
                           config.has_regex_rewrite() ? &config.regex_rewrite() : nullptr);
  if (!rewrite.ok()) return rewrite.status();
  return std::make_unique<Redirect>(config, *std::move(rewrite));
}

}  // namespace pillion::sidecar
