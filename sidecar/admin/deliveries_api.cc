#include "sidecar/admin/deliveries_api.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/content_hash.h"
#include "core/strings.h"
#include "sidecar/admin/delivery_messages.h"

namespace pillion::sidecar::admin {
namespace {

constexpr uint32_t kDefaultPage = 100;
constexpr uint32_t kMaxPage = 1000;
constexpr int kMaxIds = 1000;

// A page token is the engine's, and a hash of what was selected: with another selection it would
// leave things out without a word.
class PageTokens {
 public:
  PageTokens(std::string_view call, const google::protobuf::Message& filter)
      : suffix_(StrCat(
            "-", config::ContentHash().Add(call).Add(config::DeterministicBytes(filter)).Hex())) {}

  std::string Wrap(std::string_view token) const {
    return token.empty() ? std::string() : StrCat(token, suffix_);
  }
  absl::StatusOr<std::string> Unwrap(std::string_view token) const {
    if (token.empty() || ConsumeSuffix(token, suffix_)) return std::string(token);
    return absl::InvalidArgumentError(
        StrCat("page_token '", token,
               "': not of a page before with the same filter; begin without a token"));
  }

 private:
  std::string suffix_;
};

std::string_view NameOf(delivery::ChangeRequest::Kind kind) {
  switch (kind) {
    case delivery::ChangeRequest::Kind::kReplay:
      return "replay";
    case delivery::ChangeRequest::Kind::kCancel:
      return "cancel";
    case delivery::ChangeRequest::Kind::kDrop:
      return "drop";
  }
  return "";
}

// "failed, canceled, expired": the states in which a delivery allows it.
std::string StatesFor(delivery::ChangeRequest::Kind kind) {
  std::string names;
  for (const delivery::DeliveryState state : delivery::kDeliveryStates) {
    if (!IsPossible(kind, state)) continue;
    StrAppend(&names, names.empty() ? "" : ", ", DeliveryStateName(state));
  }
  return names;
}

absl::StatusOr<delivery::DeliverySelection> SelectionOf(
    delivery::ChangeRequest::Kind kind, const api::v1::ChangeDeliveriesRequest& request) {
  const bool by_id = request.ids_size() > 0;
  if (by_id + request.has_filter() + request.all() != 1) {
    return absl::InvalidArgumentError("which deliveries? give exactly one of ids, filter and all");
  }
  if (request.ids_size() > kMaxIds) {
    return absl::InvalidArgumentError(
        StrCat("ids: ", request.ids_size(), " are too many; give at most ", kMaxIds, " at a time"));
  }
  if (by_id) return std::vector<std::string>(request.ids().begin(), request.ids().end());
  if (request.has_filter() && request.filter().ByteSizeLong() == 0) {
    return absl::InvalidArgumentError(
        "filter: an empty one would match everything; say so with all");
  }
  absl::StatusOr<delivery::DeliveryFilter> filter = FromApi(request.filter());
  if (!filter.ok()) return filter.status();
  for (const delivery::DeliveryState state : filter->states) {
    if (IsPossible(kind, state)) continue;
    return absl::InvalidArgumentError(StrCat("filter.state ", DeliveryStateName(state), ": ",
                                             NameOf(kind), " is for deliveries that are ",
                                             StatesFor(kind), "; name one of these"));
  }
  return *std::move(filter);
}

}  // namespace

void ListDeliveries(delivery::Engine& engine, const api::v1::ListDeliveriesRequest& request,
                    Reply<api::v1::ListDeliveriesResponse> reply) {
  const PageTokens tokens("list", request.filter());
  absl::StatusOr<std::string> token = tokens.Unwrap(request.page_token());
  if (!token.ok()) return reply(token.status());
  absl::StatusOr<delivery::DeliveryFilter> filter = FromApi(request.filter());
  if (!filter.ok()) return reply(filter.status());
  if (request.page_size() > kMaxPage) {
    return reply(absl::InvalidArgumentError(
        StrCat("page_size ", request.page_size(), ": give a number from 1 to ", kMaxPage)));
  }
  const absl::StatusOr<bool> full = IsFull(request.view());
  if (!full.ok()) return reply(full.status());
  delivery::ListRequest list;
  list.filter = *std::move(filter);
  list.page_token = *std::move(token);
  list.limit = request.page_size() == 0 ? kDefaultPage : request.page_size();
  list.full = *full;
  engine.ListDeliveries(std::move(list), [tokens, reply = std::move(reply)](
                                             absl::StatusOr<delivery::DeliveryPage> page) mutable {
    if (!page.ok()) return reply(std::move(page).status());
    api::v1::ListDeliveriesResponse response;
    for (const delivery::ListedDelivery& listed : page->deliveries) {
      *response.add_deliveries() = ToApi(listed);
    }
    response.set_next_page_token(tokens.Wrap(page->next_page_token));
    reply(std::move(response));
  });
}

void GetDelivery(delivery::Engine& engine, const api::v1::GetDeliveryRequest& request,
                 Reply<api::v1::GetDeliveryResponse> reply) {
  const absl::StatusOr<bool> full = IsFull(request.view());
  if (!full.ok()) return reply(full.status());
  engine.Describe(request.id(), *full,
                  [reply = std::move(reply)](
                      absl::StatusOr<std::vector<delivery::ListedDelivery>> described) mutable {
                    if (!described.ok()) return reply(std::move(described).status());
                    api::v1::GetDeliveryResponse response;
                    for (const delivery::ListedDelivery& listed : *described) {
                      *response.add_deliveries() = ToApi(listed);
                    }
                    reply(std::move(response));
                  });
}

void ChangeDeliveries(delivery::Engine& engine, delivery::ChangeRequest::Kind kind,
                      const api::v1::ChangeDeliveriesRequest& request,
                      Reply<api::v1::ChangeDeliveriesResponse> reply) {
  const PageTokens tokens(NameOf(kind), request.filter());
  absl::StatusOr<delivery::DeliverySelection> selection = SelectionOf(kind, request);
  if (!selection.ok()) return reply(selection.status());
  absl::StatusOr<std::string> token = tokens.Unwrap(request.page_token());
  if (!token.ok()) return reply(token.status());
  engine.Change(
      {kind, *std::move(selection), *std::move(token)},
      [tokens, reply = std::move(reply)](absl::StatusOr<delivery::ChangeSummary> summary) mutable {
        if (!summary.ok()) return reply(std::move(summary).status());
        api::v1::ChangeDeliveriesResponse response;
        response.set_changed(static_cast<uint32_t>(summary->changed));
        response.set_skipped(static_cast<uint32_t>(summary->skipped));
        for (std::string& id : summary->unknown_ids) {
          response.add_unknown_ids(std::move(id));
        }
        response.set_next_page_token(tokens.Wrap(summary->next_page_token));
        reply(std::move(response));
      });
}

}  // namespace pillion::sidecar::admin
