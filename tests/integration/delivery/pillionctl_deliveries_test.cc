// `pillionctl deliveries` against real sidecars: what an operator does at night.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sidecar/delivery/random.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/delivery/ulid.h"
#include "tests/integration/delivery/shop.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

Finished Ctl(std::vector<std::string> arguments) {
  Process::Options options;
  options.arguments = {Runfile("control/cli/pillionctl"), "deliveries"};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  const absl::StatusOr<Finished> finished = RunToEnd(std::move(options), std::chrono::minutes(2));
  EXPECT_TRUE(finished.ok()) << finished.status();
  return finished.ok() ? *finished : Finished{};
}

Finished Ctl(const SidecarProcess& sidecar, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin() + 1,
                   {"--sidecar", absl::StrCat("127.0.0.1:", sidecar.admin_port())});
  return Ctl(std::move(arguments));
}

std::vector<std::string> LinesOf(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

using PillionctlDeliveries = Shop;

TEST_F(PillionctlDeliveries, ListsALineForEachAndSaysHowToGoOn) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(Fail({{"X-Key", absl::StrCat("k", i)}}));
  const Finished first = Ctl(sidecar_, {"list", "--state", "failed", "--limit", "2"});
  EXPECT_EQ(first.status, ExitStatus::Code(0)) << first.output;
  const std::vector<std::string> lines = LinesOf(first.out);
  ASSERT_EQ(lines.size(), 4u) << first.out;
  EXPECT_EQ(std::vector<std::string>(absl::StrSplit(lines[0], ' ', absl::SkipEmpty())),
            (std::vector<std::string>{"ID", "STATE", "KIND", "FOR", "TOPIC", "KEY", "ATTEMPTS",
                                      "CREATED", "NEXT", "LAST"}));
  const std::vector<std::string> row = absl::StrSplit(lines[2], ' ', absl::SkipEmpty());
  ASSERT_EQ(row.size(), 12u) << lines[2];
  EXPECT_EQ(row[0], ids[1]);
  EXPECT_EQ(absl::StrCat(row[1], " ", row[2]), "failed publish");
  EXPECT_EQ(absl::StrCat(row[3], " ", row[4]), "subscription on-no");
  EXPECT_EQ(absl::StrCat(row[5], " ", row[6], " ", row[7]), "no k1 1");
  EXPECT_EQ(absl::StrCat(row[9], " ", row[10], " ", row[11]), "- answered 422");
  const std::string token = lines[3].substr(lines[3].rfind(' ') + 1);
  const Finished second =
      Ctl(sidecar_, {"list", "--state", "failed", "--limit", "2", "--page-token", token});
  const std::vector<std::string> rest = LinesOf(second.out);
  ASSERT_EQ(rest.size(), 2u) << second.out;
  EXPECT_TRUE(absl::StartsWith(rest[1], ids[2]));
  EXPECT_EQ(Ctl(sidecar_, {"list", "--key", "k7"}).out, "no delivery matches\n");
}

TEST_F(PillionctlDeliveries, ListsWhenAPendingOneIsNextOrWhatItWaitsFor) {
  for (const char* delay : {"1h", "0s"}) {
    const Headers headers = {{"X-Key", "k"}, {"Pillion-Delay", delay}};
    ASSERT_EQ(sidecar_.Call("POST", "http://shop/no", "x", headers).status, 202);
  }
  const std::string keyed = Ctl(sidecar_, {"list", "--key", "k"}).out;
  EXPECT_TRUE(std::regex_search(keyed, std::regex(" in (1h|59m[0-9]+s) +-\n"))) << keyed;
  EXPECT_TRUE(absl::StrContains(keyed, " behind key  -\n")) << keyed;
  for (int i = 0; i < 2; ++i) sidecar_.Call("POST", "http://shop/report");
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(Ctl(sidecar_, {"list", "--kind", "async"}).out, " due ");
  }));
  std::thread order([this] { sidecar_.Call("POST", "http://shop/order"); });
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(Ctl(sidecar_, {"list", "--kind", "emit"}).out, " held ");
  }));
  gate_.Open();
  order.join();
}

TEST_F(PillionctlDeliveries, ListsCallbacksWithTheOperationsOfTheirRoute) {
  EndLongWork();
  const std::vector<std::string> lines =
      LinesOf(Ctl(sidecar_, {"list", "--route", "shop/long"}).out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(absl::StrContains(lines[1], " async ")) << lines[1];
  EXPECT_TRUE(absl::StrContains(lines[2], " callback ")) << lines[2];
  EXPECT_EQ(Ctl(sidecar_, {"cancel", "--route", "shop/long", "--kind", "callback"}).output,
            "canceled 1\n");
}

TEST_F(PillionctlDeliveries, SaysHowFarFollowedWorkIs) {
  const std::string id = ParseJson(sidecar_.Call("POST", "http://shop/long")).value("id", "");
  EXPECT_TRUE(Eventually(
      [&] { return absl::StrContains(Ctl(sidecar_, {"list"}).out, " works on, 40 %\n"); }));
  const Json json = Json::parse(Ctl(sidecar_, {"show", id}).out, nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["deliveries"][0].value("continues", false), true);
  EXPECT_EQ(json["deliveries"][0].value("percentComplete", 0), 40);
}

TEST_F(PillionctlDeliveries, ShowsReplaysCancelsAndDrops) {
  const std::string id = Fail();
  const Finished shown = Ctl(sidecar_, {"show", id});
  const Json json = Json::parse(shown.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << shown.output;
  EXPECT_EQ(json["deliveries"][0]["answer"].value("status", 0), 422);

  const size_t before = origin_.request_count();
  EXPECT_EQ(Ctl(sidecar_, {"replay", id}).output, "replayed 1\n");
  ASSERT_TRUE(origin_.WaitForRequests(before + 1));
  ASSERT_TRUE(
      Eventually([&] { return absl::StrContains(Ctl(sidecar_, {"list"}).out, " failed "); }));
  const Finished in_vain = Ctl(sidecar_, {"cancel", id});
  EXPECT_EQ(in_vain.output, "canceled 0, skipped 1 whose state does not allow it\n");
  EXPECT_EQ(in_vain.status, ExitStatus::Code(1));
  EXPECT_EQ(Ctl(sidecar_, {"drop", "--subscription", "on-no"}).output, "dropped 1\n");
  const Finished nothing = Ctl(sidecar_, {"drop", "--all"});
  EXPECT_EQ(nothing.output, "dropped 0\n");
  EXPECT_EQ(nothing.status, ExitStatus::Code(0));
  EXPECT_EQ(Ctl(sidecar_, {"list"}).out, "no delivery matches\n");
}

TEST_F(PillionctlDeliveries, MeansWhatAVerbIsForUnlessAStateIsNamed) {
  Fail();
  const std::string delayed =
      ParseJson(sidecar_.Call("POST", "http://shop/yes", "x", {{"Pillion-Delay", "1h"}}))
          .value("id", "");
  EXPECT_EQ(Ctl(sidecar_, {"cancel", "--all"}).output, "canceled 1\n");
  EXPECT_EQ(Ctl(sidecar_, {"drop", "--all", "--state", "expired"}).output, "dropped 0\n");
  EXPECT_EQ(Ctl(sidecar_, {"replay", "--all"}).output, "replayed 1\n");
  EXPECT_EQ(Ctl(sidecar_, {"replay", "--state", "canceled"}).output, "replayed 1\n");
  ASSERT_TRUE(Eventually([&] {
    return absl::StrContains(Ctl(sidecar_, {"list", "--topic", "yes"}).out, " succeeded ") &&
           absl::StrContains(Ctl(sidecar_, {"list", "--topic", "no"}).out, " failed ");
  }));
  EXPECT_EQ(Ctl(sidecar_, {"drop", "--topic", "yes"}).output, "dropped 0\n");
  EXPECT_EQ(Ctl(sidecar_, {"drop", "--topic", "yes", "--state", "succeeded"}).output, "dropped 1\n")
      << delayed;
  const Finished impossible = Ctl(sidecar_, {"cancel", "--state", "failed"});
  EXPECT_EQ(impossible.status, ExitStatus::Code(1));
  EXPECT_TRUE(absl::StrContains(impossible.output,
                                "filter.state failed: cancel is for deliveries that are pending, "
                                "running; name one of these"))
      << impossible.output;
}

TEST_F(PillionctlDeliveries, ExportsALineOfJsonForEach) {
  std::vector<std::string> ids = {Fail(), Fail()};
  ASSERT_TRUE(IsFinal(sidecar_.AwaitFinal(sidecar_.Call("POST", "http://shop/yes", "x"))));
  const Finished exported = Ctl(sidecar_, {"export", "--topic", "no"});
  EXPECT_EQ(exported.status, ExitStatus::Code(0));
  const std::vector<std::string> lines = LinesOf(exported.out);
  ASSERT_EQ(lines.size(), 2u) << exported.output;
  for (size_t i = 0; i < lines.size(); ++i) {
    const Json line = Json::parse(lines[i], nullptr, false);
    ASSERT_TRUE(line.is_object()) << lines[i];
    EXPECT_EQ(line.value("id", ""), ids[i]);
    EXPECT_EQ(line.value("state", ""), "FAILED");
    EXPECT_FALSE(line.contains("payload"));
  }
}

TEST_F(PillionctlDeliveries, ExportsAndShowsThePayloadOnRequest) {
  const std::string id = Fail({{"Content-Type", "text/plain"}});
  Fail();
  const Finished exported = Ctl(sidecar_, {"export", "--state", "failed", "--payload"});
  EXPECT_EQ(exported.status, ExitStatus::Code(0));
  const std::vector<std::string> lines = LinesOf(exported.out);
  ASSERT_EQ(lines.size(), 2u) << exported.output;
  const Json line = Json::parse(lines[0], nullptr, false);
  ASSERT_TRUE(line.is_object()) << lines[0];
  EXPECT_EQ(line.value("method", ""), "POST");
  EXPECT_EQ(line.value("path", ""), "/no");
  EXPECT_EQ(line["payload"].value("body", ""), "x");
  EXPECT_EQ(line["payload"]["attributes"].value("datacontenttype", ""), "text/plain");
  EXPECT_EQ(line["answer"].value("status", 0), 422);
  const Json shown = Json::parse(Ctl(sidecar_, {"show", id, "--payload"}).out, nullptr, false);
  ASSERT_TRUE(shown.is_object());
  EXPECT_EQ(shown["deliveries"][0], line);
}

TEST_F(PillionctlDeliveries, SaysWhatIsWrongAndDoesNothing) {
  const std::string id = Fail();
  const Finished unknown = Ctl(sidecar_, {"show", "01ARYZ6S410000000000000000"});
  EXPECT_EQ(unknown.status, ExitStatus::Code(1));
  EXPECT_TRUE(absl::StrContains(unknown.output,
                                "404: nothing with the id '01ARYZ6S410000000000000000' is known"))
      << unknown.output;
  const Finished unknown_too = Ctl(sidecar_, {"drop", Fail(), "nobody"});
  EXPECT_EQ(unknown_too.status, ExitStatus::Code(1));
  EXPECT_EQ(unknown_too.out, "dropped 1\n");
  EXPECT_TRUE(absl::StrContains(unknown_too.output, "nothing with the id 'nobody' is known"));
  const Finished bad_token = Ctl(sidecar_, {"list", "--page-token", "1-2"});
  EXPECT_TRUE(absl::StrContains(bad_token.output, "not of a page before")) << bad_token.output;

  const std::vector<std::vector<std::string>> usages = {
      {"drop"},
      {"drop", id, "--all"},
      {"drop", id, "--state", "failed"},
      {"list", "--created-after", "yesterday"},
      {"list", "--state", "odd"},
      {"list", "--last-status", "many"},
      {"list", "--limit", "0"},
      {"burn"},
  };
  for (const std::vector<std::string>& usage : usages) {
    EXPECT_EQ(Ctl(sidecar_, usage).status, ExitStatus::Code(64)) << absl::StrJoin(usage, " ");
  }
  EXPECT_EQ(Ctl({}).status, ExitStatus::Code(64));
  EXPECT_TRUE(absl::StrContains(Ctl(sidecar_, {"drop"}).output,
                                "Give either IDs, or a filter such as --state failed, or --all"));
  EXPECT_EQ(Ctl(sidecar_, {"show", id}).status, ExitStatus::Code(0));
}

TEST_F(PillionctlDeliveries, SaysThatNoSidecarAnswers) {
  sidecar_.Kill();
  for (const char* command : {"list", "export", "drop"}) {
    const Finished finished = command == std::string("drop") ? Ctl(sidecar_, {command, "--all"})
                                                             : Ctl(sidecar_, {command});
    EXPECT_EQ(finished.status, ExitStatus::Code(1)) << command;
    EXPECT_TRUE(absl::StrContains(finished.output, "no sidecar answers at 127.0.0.1:"))
        << finished.output;
    EXPECT_TRUE(absl::StrContains(finished.output, "Name another with --sidecar HOST:PORT."));
  }
}

TEST_F(PillionctlDeliveries, BelievesNothingButTheAdminListenerOfASidecar) {
  Origin other([](const Request&) { return Response{.status = 200, .body = "{}"}; });
  for (const int port : {other.port(), origin_.port(), sidecar_.port()}) {
    const std::string address = absl::StrCat("127.0.0.1:", port);
    const std::vector<std::vector<std::string>> commands = {
        {"list"}, {"show", "01ARYZ6S410000000000000000"}, {"export"}, {"drop", "--all"}};
    for (std::vector<std::string> command : commands) {
      command.insert(command.end(), {"--sidecar", address});
      const Finished finished = Ctl(command);
      EXPECT_EQ(finished.status, ExitStatus::Code(1)) << command[0];
      EXPECT_EQ(finished.out, "") << command[0];
      EXPECT_TRUE(absl::StrContains(
          finished.output, absl::StrCat("what answers at ", address,
                                        " is not the admin listener of a sidecar\nName that with "
                                        "--sidecar HOST:PORT: `admin` in the sidecar's bootstrap")))
          << finished.output;
    }
  }
  for (const Request& request : other.requests()) EXPECT_EQ(request.method, "GET");
}

// A store of dead letters (on-no), of which every 10,000th has the key "rare", and of as many
// deliveries that are due in an hour (on-yes).
constexpr int kHalf = 35'000;
constexpr int kRare = 10'000;

void FillStore(const std::string& directory) {
  using namespace delivery;
  auto opened = SqliteStore::Open(directory);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  SecureRandom random;
  const absl::Time now = absl::Now();
  ASSERT_TRUE(store.Begin().ok());
  for (int i = 0; i < 2 * kHalf; ++i) {
    const bool dead = i % 2 == 0;
    Message message;
    message.id = NewUlid(now, random);
    message.kind = MessageKind::kPublish;
    message.topic = dead ? "no" : "yes";
    message.method = "POST";
    message.authority = "shop";
    message.path_and_query = "/yes";
    message.created_at = now;
    NewDelivery delivery;
    delivery.target = {TargetKind::kSubscription, dead ? "on-no" : "on-yes"};
    delivery.cluster = "hub";
    if (dead && (i / 2) % kRare == 0) delivery.ordering_key = "rare";
    const auto row = store.InsertMessage(message, nullptr, 1);
    ASSERT_TRUE(row.ok()) << row.status();
    const auto inserted = store.InsertDelivery(*row, 0, message, delivery, NewUlid(now, random),
                                               /*lease=*/nullptr, /*held=*/false);
    ASSERT_TRUE(inserted.ok()) << inserted.status();
    if (dead) {
      Ending ending;
      ending.state = DeliveryState::kFailed;
      ending.reason = FailureReason::kRejected;
      ending.at = now;
      ending.forget_at = absl::InfiniteFuture();
      ending.last_status = 422;
      ASSERT_TRUE(store.Finish(inserted->ref, ending).ok());
    }
  }
  ASSERT_TRUE(store.Commit(delivery::Durability::kNow, absl::Now()).ok());
  opened->reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((directory + "/deliveries.db").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "UPDATE delivery SET due_at = due_at + 3600000 WHERE state = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
}

TEST(PillionctlDeliveriesAtScale, PagesStayRightWhileRowsChangeAndManyChangeInSteps) {
  TempDir directory;
  ASSERT_NO_FATAL_FAILURE(FillStore(directory / "store"));
  Origin origin(YesOrNo);
  SidecarProcess sidecar(ShopPolicy(origin), directory / "store");
  ASSERT_TRUE(sidecar.Start().ok());

  // After each page one delivery that was seen goes, and one that matches comes.
  std::set<std::string> seen;
  std::string token;
  int came = 0;
  do {
    const Json page = ParseJson(sidecar.Admin(
        "GET",
        absl::StrCat("/.pillion/deliveries?state=failed&page_size=1000&page_token=", token)));
    ASSERT_TRUE(page.is_object());
    ASSERT_FALSE(page["deliveries"].empty());
    for (const Json& delivery : page["deliveries"]) {
      EXPECT_EQ(delivery.value("state", ""), "FAILED");
      EXPECT_TRUE(seen.insert(delivery.value("id", "")).second) << "there twice";
    }
    token = page.value("nextPageToken", "");
    const std::string last = page["deliveries"].back().value("id", "");
    const Response dropped = sidecar.Admin("POST", "/.pillion/deliveries:drop",
                                           absl::StrCat(R"({"ids":[")", last, R"("]})"));
    EXPECT_EQ(ParseJson(dropped).value("changed", 0), 1) << dropped.body;
    if (!token.empty()) {
      ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/no", "new"))));
      ++came;
    }
  } while (!token.empty());
  EXPECT_EQ(seen.size(), static_cast<size_t>(kHalf + came));

  // What matches little takes more than one page to find, and is found whole.
  const Json rare = ParseJson(sidecar.Admin("GET", "/.pillion/deliveries?key=rare"));
  EXPECT_NE(rare.value("nextPageToken", ""), "");
  const Finished exported = Ctl(sidecar, {"export", "--key", "rare"});
  EXPECT_EQ(LinesOf(exported.out).size(), static_cast<size_t>((kHalf + kRare - 1) / kRare));

  EXPECT_EQ(Ctl(sidecar, {"cancel", "--subscription", "on-yes"}).output,
            absl::StrCat("canceled ", kHalf, "\n"));
  EXPECT_EQ(Ctl(sidecar, {"drop", "--state", "canceled"}).output,
            absl::StrCat("dropped ", kHalf, "\n"));
  EXPECT_EQ(Ctl(sidecar, {"list", "--topic", "yes"}).out, "no delivery matches\n");
}

}  // namespace
}  // namespace pillion::harness
