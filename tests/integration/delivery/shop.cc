#include "tests/integration/delivery/shop.h"

#include "absl/strings/substitute.h"

namespace pillion::harness {

std::string ShopPolicy(const Origin& origin) {
  return absl::Substitute(R"(
clusters:
- { name: hub, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - { match: { path: /yes }, publish: { topic: "yes", max_delay: 1h } }
  - { match: { path: /both }, publish: { topic: "both", max_delay: 1h } }
  - { match: { path: /vast }, publish: { topic: "yes", max_request_bytes: 32MiB, max_delay: 1h } }
  - { match: { path: /no }, publish: { topic: "no", key: { header: x-key }, max_delay: 1h } }
  - match: { path: /order }
    route: { cluster: hub }
    emit: [{ topic: "yes", guarantee: AT_LEAST_ONCE }]
  - name: report
    match: { path: /report }
    async: { cluster: hub, concurrency: 1 }
  - name: long
    match: { path: /long }
    async:
      cluster: hub
      follow_status: true
      retry_policy: { retry_back_off: { base_interval: 10ms, max_interval: 10ms } }
      callback: { cluster: hub, path: /told, secret_file: /nowhere }
subscriptions:
- { name: on-yes, topic: "yes", cluster: hub, path: /yes }
- { name: on-both, topic: "both", cluster: hub, path: /yes }
- { name: on-both-too, topic: "both", cluster: hub, path: /yes }
- { name: on-no, topic: "no", cluster: hub, path: /no, order_by_key: true }
)",
                          origin.port());
}

Response YesOrNo(const Request& request) {
  if (request.target == "/no") return Response{.status = 422, .body = "no, thanks"};
  return Response{.status = 200, .body = "fine"};
}

void Shop::SetUp() { ASSERT_TRUE(sidecar_.Start().ok()); }

std::string Shop::Fail(const Headers& headers) {
  const Response accepted = sidecar_.Call("POST", "http://shop/no", "x", headers);
  return sidecar_.AwaitFinal(accepted)["deliveries"][0].value("id", "");
}

std::string Shop::EndLongWork() {
  work_is_done_ = true;
  return sidecar_.AwaitFinal(sidecar_.Call("POST", "http://shop/long", "{}")).value("id", "");
}

Response Shop::Answer(const Request& request) {
  if (request.target == "/report" || request.target == "/order") gate_.Wait();
  if (request.target == "/long") {
    return Response{.status = 202, .headers = {{"Location", "/work"}}};
  }
  if (request.target == "/work") {
    const char* const state = work_is_done_ ? "succeeded" : "running";
    return Response{
        .status = 200,
        .headers = {{"Content-Type", "application/json"}, {"Set-Cookie", "session=hush"}},
        .body = absl::Substitute(R"({"status":"$0","percentComplete":40})", state)};
  }
  return YesOrNo(request);
}

}  // namespace pillion::harness
