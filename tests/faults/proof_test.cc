// The proof of a campaign notices what it is there for.
#include "tests/faults/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pillion::faults {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Sidecar web-1 has accepted operation 1 and messages 2 and 4 of one key, refused 3, forwarded 5,
// and not answered 6. Nothing is wrong.
Record GoodRecord() {
  using Outcome = Call::Outcome;
  Record record;
  const auto add = [&](uint64_t number, const char* path, Outcome outcome, bool is_message,
                       const char* id) {
    Call call;
    call.number = number;
    call.path = path;
    call.key = "k";
    call.start = call.end_start = 1;
    call.outcome = outcome;
    call.is_message = is_message;
    call.id = id;
    record.calls.push_back(call);
  };
  add(1, kAsyncPath, Outcome::kAccepted, false, "A");
  add(2, kPublishPath, Outcome::kAccepted, true, "B");
  add(3, kPublishPath, Outcome::kRefused, false, "");
  add(4, kChangingPath, Outcome::kAccepted, true, "C");
  add(5, kChangingPath, Outcome::kForwarded, false, "");
  add(6, kAsyncPath, Outcome::kUnknown, false, "");
  record.receptions = {{kAsyncPath, 1},     {kOrderedPath, 2}, {kPatientPath, 4},
                       {kOrderedPath, 4},   {kOrderedPath, 2}, {kPatientPath, 2},
                       {kImpatientPath, 2}, {kChangingPath, 5}};
  SidecarRecord sidecar;
  sidecar.name = "web-1";
  sidecar.start = 1;
  const auto deliver = [&](const char* message, const char* target) {
    Delivery delivery;
    delivery.message = message;
    delivery.target = target;
    delivery.state = "succeeded";
    sidecar.deliveries.push_back(delivery);
  };
  deliver("A", "route/shop/call");
  for (const char* message : {"B", "C"}) {
    deliver(message, "subscription/ordered");
    deliver(message, "subscription/patient");
    deliver(message, "subscription/impatient");
  }
  sidecar.deliveries.back().state = "failed";
  sidecar.deliveries.back().reason = "retries_exhausted";
  sidecar.deliveries.back().error = "answered 500";
  sidecar.metrics = {{"pillion_delivery_accepted_total", 3},
                     {"pillion_delivery_pending", 0},
                     {"pillion_delivery_running", 0},
                     {"pillion_delivery_queued", 0},
                     {"pillion_delivery_dead_letters", 1},
                     {"pillion_delivery_finished_total{state=\"canceled\"}", 0},
                     {"pillion_delivery_finished_total{state=\"expired\"}", 0}};
  sidecar.store.integrity = "ok";
  sidecar.store.numbers = {1, 2, 4};
  sidecar.store.states = {{"succeeded", 6}, {"failed", 1}};
  record.sidecars = {sidecar};
  return record;
}

TEST(Proof, FindsNothingWrongWhereNothingIs) {
  EXPECT_THAT(FindBrokenPromises(GoodRecord()), IsEmpty());
}

TEST(Proof, FindsWhatWasAcceptedAndNeverReceived) {
  Record record = GoodRecord();
  record.receptions.erase(record.receptions.begin());
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("/async number 1 (A) for /async succeeded, and was never received"));
}

TEST(Proof, FindsWhatWasForwardedAndNeverReceived) {
  Record record = GoodRecord();
  record.receptions.pop_back();
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("/changing number 5 was answered and never received"));
}

TEST(Proof, FindsAMissingDelivery) {
  Record record = GoodRecord();
  record.sidecars[0].deliveries.erase(record.sidecars[0].deliveries.begin() + 1);
  record.sidecars[0].store.states["succeeded"] = 5;
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("/publish number 2 was accepted as B and has 2 deliveries, not 3"));
}

TEST(Proof, FindsWhatHasNoEnd) {
  Record record = GoodRecord();
  record.sidecars[0].deliveries[0].state = "pending";
  EXPECT_THAT(FindBrokenPromises(record), Contains(HasSubstr("(A) for /async is pending")));
}

TEST(Proof, FindsADeadLetterWithoutAReason) {
  Record record = GoodRecord();
  record.sidecars[0].deliveries.back().reason = "";
  EXPECT_THAT(FindBrokenPromises(record), ElementsAre(HasSubstr("dead letter without a reason")));
}

TEST(Proof, FindsADeadLetterThatShouldHaveBeenTriedAgain) {
  Record record = GoodRecord();
  record.sidecars[0].deliveries.back().target = "subscription/patient";
  EXPECT_THAT(FindBrokenPromises(record), ElementsAre(HasSubstr("failed for no good reason")));
}

TEST(Proof, FindsWhatWasNeverSent) {
  Record record = GoodRecord();
  record.receptions.push_back({kAsyncPath, 77});
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("/async received number 77, which was never sent"));
}

TEST(Proof, FindsWhatWasRefusedAndReceivedAllTheSame) {
  Record record = GoodRecord();
  record.receptions.push_back({kPatientPath, 3});
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre(HasSubstr("/patient received /publish number 3, which was not for it")));
}

TEST(Proof, LetsWhatWasNotAnsweredArriveWhereItWasSentTo) {
  Record record = GoodRecord();
  record.receptions.push_back({kAsyncPath, 6});
  EXPECT_THAT(FindBrokenPromises(record), IsEmpty());
  record.receptions.push_back({kOrderedPath, 6});
  EXPECT_THAT(FindBrokenPromises(record), ElementsAre(HasSubstr("which was not for it")));
}

TEST(Proof, FindsAMessageThatOvertookAnotherOfItsKey) {
  Record record = GoodRecord();
  std::swap(record.receptions[1], record.receptions[3]);
  record.receptions.erase(record.receptions.begin() + 4);
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("key k: /changing number 4 overtook /publish number 2"));
}

TEST(Proof, FindsADamagedStore) {
  Record record = GoodRecord();
  record.sidecars[0].store.integrity = "row 3 missing from index delivery_id";
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("web-1: its store is not intact: row 3 missing from index delivery_id"));
}

TEST(Proof, FindsAStoreThatLacksWhatWasAcceptedOrHasWhatWasNot) {
  Record record = GoodRecord();
  record.sidecars[0].store.numbers = {1, 2, 3};
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre("web-1: its store has /publish number 3, which it did not accept",
                          "web-1: /changing number 4 was accepted and is not in its store"));
}

TEST(Proof, FindsCountersThatDoNotReconcile) {
  Record record = GoodRecord();
  record.sidecars[0].metrics["pillion_delivery_accepted_total"] = 4;  // 6 may be the fourth
  EXPECT_THAT(FindBrokenPromises(record), IsEmpty());
  record.sidecars[0].metrics["pillion_delivery_accepted_total"] = 5;
  record.sidecars[0].metrics["pillion_delivery_dead_letters"] = 0;
  record.sidecars[0].metrics["pillion_delivery_backlog{target=\"a\"}"] = 1;
  record.sidecars[0].store.backlog = 2;
  EXPECT_THAT(FindBrokenPromises(record),
              ElementsAre(HasSubstr("a backlog of 2 deliveries"),
                          HasSubstr("accepted_total is 5, and by the record it is between 3 and 4"),
                          HasSubstr("dead_letters is 0"), HasSubstr("backlog{target=\"a\"} is 1")));
}

}  // namespace
}  // namespace pillion::faults
