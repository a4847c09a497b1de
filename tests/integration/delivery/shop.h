// A sidecar with deliveries of every kind and state, and the service that they go to: for tests of
// what operators look at and change.

#ifndef PILLION_TESTS_INTEGRATION_DELIVERY_SHOP_H_
#define PILLION_TESTS_INTEGRATION_DELIVERY_SHOP_H_

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {

// At http://shop: POST to
//   /yes, /no, /both, /vast  publishes; what goes to `no` is refused by its subscriber, for good,
//   and
//                            is in the order of x-key;
//   /order                   is forwarded, and announced for sure;
//   /report                  is asynchronous, one at a time;
//   /long                    is asynchronous and followed, and its end is told, but not signed.
// All but the last two of these may be delayed by an hour.
std::string ShopPolicy(const Origin& origin);

// What the service says to events: no for good to those at /no.
Response YesOrNo(const Request& request);

class Shop : public testing::Test {
 protected:
  void SetUp() override;

  // The id of a dead letter.
  std::string Fail(const Headers& headers = {});
  // The id of a call to /long that has ended, and was told of in vain.
  std::string EndLongWork();

  Gate gate_;                               // of what is forwarded, and of reports
  std::atomic<bool> work_is_done_ = false;  // of /long
  Origin origin_{[this](const Request& request) { return Answer(request); }};
  Gate::AtEnd open_{gate_};
  mutable SidecarProcess sidecar_{ShopPolicy(origin_), "", {"", "api: { address: 127.0.0.1:0 }\n"}};

 private:
  Response Answer(const Request& request);
};

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_DELIVERY_SHOP_H_
