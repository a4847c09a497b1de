#include "tests/faults/mesh.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/substitute.h"
#include "tests/faults/store_totals.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/unique_fd.h"

namespace pillion::faults {
namespace {

using Json = nlohmann::json;

// Starting may mean to recover a large store on a busy machine.
constexpr std::chrono::minutes kPatience(3);
// With one that may hang already.
constexpr std::chrono::seconds kShortPatience(5);

bool IsFree(int port) {
  const harness::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

// A free port that stays free while its program is away: below those that the kernel gives to
// connections (ip_local_port_range).
int StablePort() {
  static std::mt19937 random{std::random_device()()};
  int port = 0;
  do {
    port = std::uniform_int_distribution<int>(15000, 32000)(random);
  } while (!IsFree(port));
  return port;
}

const char* ActionOf(Mesh::Mode mode) {
  switch (mode) {
    case Mesh::Mode::kAsync:
      return "async: { cluster: orders, retry_policy: $retries }";
    case Mesh::Mode::kPublish:
      return "publish: { topic: news, key: { header: x-key } }";
    case Mesh::Mode::kForward:
      return "route: { cluster: orders }";
  }
  return "";
}

std::string NameOfField(Mesh::Mode mode) {
  return mode == Mesh::Mode::kAsync ? "async" : mode == Mesh::Mode::kPublish ? "publish" : "route";
}

// What must arrive is tried again for as long as a campaign can take, and soon.
constexpr char kBackOff[] = "retry_back_off: { base_interval: 2ms, max_interval: 100ms }";

std::string Policy(int orders_port, int audit_port, Mesh::Mode mode) {
  const std::string call_retries = absl::StrCat(
      "{ retry_on: \"5xx,reset,connect-failure,retriable-status-codes\", "
      "num_retries: 1000, ",
      kBackOff, " }");
  std::string changing = ActionOf(mode);
  if (const size_t at = changing.find("$retries"); at != std::string::npos) {
    changing.replace(at, 8, call_retries + ", timeout: 2s");
  }
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
- { name: audit, endpoints: ["127.0.0.1:$1"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - name: call
    match: { path: $5 }
    async: { cluster: orders, timeout: 2s, retry_policy: $2 }
  - { name: news, match: { path: $6 }, publish: { topic: news, key: { header: x-key } } }
  - { name: changing, match: { path: $7 }, $3 }
subscriptions:
- name: ordered
  topic: news
  cluster: audit
  path: /ordered
  order_by_key: true
  timeout: 2s
  retry_policy: { num_retries: 1000, $4 }
- name: patient
  topic: news
  cluster: orders
  path: /patient
  timeout: 2s
  retry_policy: { num_retries: 1000, $4 }
- name: impatient
  topic: news
  cluster: audit
  path: /impatient
  timeout: 2s
  retry_policy: { num_retries: 3, $4 }
)",
                          orders_port, audit_port, call_retries, changing, kBackOff, kAsyncPath,
                          kPublishPath, kChangingPath);
}

void Write(const std::string& path, const std::string& content) {
  harness::WriteFileAtomically(path, content).IgnoreError();
}

}  // namespace

// --- Program ---

Program::Program(std::string name, harness::Process::Options options, std::string ready,
                 std::string log)
    : name_(std::move(name)),
      options_(std::move(options)),
      ready_(std::move(ready)),
      log_(std::move(log)) {}

absl::Status Program::Start() {
  SaveLog();
  process_.reset();
  saved_ = 0;
  ++starts_;
  absl::StatusOr<std::unique_ptr<harness::Process>> process = harness::Process::Start(options_);
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  const absl::Status ready = process_->WaitForOutput(ready_, 0, kPatience).status();
  if (ready.ok()) return ready;
  return absl::Status(ready.code(), absl::StrCat(name_, " does not start: ", ready.message()));
}

absl::Status Program::Kill() {
  process_->Signal(SIGKILL);
  const absl::StatusOr<harness::ExitStatus> end = process_->WaitForExit(kPatience);
  if (!end.ok()) return end.status();
  if (*end == harness::ExitStatus::Signal(SIGKILL)) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(name_, " had ended before it was killed: ", ToString(*end)));
}

absl::Status Program::Terminate() {
  process_->Signal(SIGTERM);
  const absl::StatusOr<harness::ExitStatus> end = process_->WaitForExit(kPatience);
  if (!end.ok()) return end.status();
  if (*end == harness::ExitStatus::Code(0)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(name_, " did not end well: ", ToString(*end)));
}

bool Program::stopped() const {
  const absl::StatusOr<std::string> stat =
      harness::ReadFile(absl::StrCat("/proc/", process_->pid(), "/stat"));
  return stat.ok() && absl::StrContains(*stat, ") T ");
}

void Program::SaveLog() {
  if (process_ == nullptr) return;
  const std::string output = process_->Output();
  std::FILE* file = std::fopen(log_.c_str(), "a");
  if (file == nullptr) return;
  if (saved_ == 0) std::fprintf(file, "--- start %d\n", starts_.load());
  std::fwrite(output.data() + saved_, 1, output.size() - saved_, file);
  std::fclose(file);
  saved_ = output.size();
}

// --- Mesh ---

Mesh::Mesh(std::string directory)
    : directory_(std::move(directory)), xds_port_(StablePort()), inbound_port_(StablePort()) {
  Write(directory_ + "/control.yaml",
        absl::StrCat("xds: { address: \"127.0.0.1:", xds_port_,
                     "\" }\nrest: { address: \"127.0.0.1:0\" }\npolicy: { directory: '", directory_,
                     "/policy' }\nstate: { path: '", directory_, "/control' }\n"));
  control_ = std::make_unique<Program>(
      "control",
      harness::Process::Options{.arguments = {harness::Runfile("control/pillion-control"),
                                              "--config", directory_ + "/control.yaml"}},
      "REST\\) on", directory_ + "/control.log");
  AddReceiver("orders");
  AddReceiver("audit");
  Write(
      directory_ + "/orders-1.yaml",
      absl::StrCat("node: { id: orders-1, service: orders }\nadmin: { address: 127.0.0.1:0 }\n"
                   "listeners:\n- { name: inbound, address: \"127.0.0.1:",
                   inbound_port_, "\", direction: INBOUND, app: \"127.0.0.1:", receivers_[0]->port,
                   "\" }\npolicy: { control: { address: \"127.0.0.1:", xds_port_,
                   "\" } }\nstore: { path: '", directory_,
                   "/orders-1' }\nruntime: { workers: 1, io: ", harness::TestIo(),
                   " }\nlog: { access: '' }\n"));
  inbound_ = std::make_unique<Program>(
      "orders-1",
      harness::Process::Options{.arguments = {harness::Runfile("sidecar/pillion-sidecar"),
                                              "--config", directory_ + "/orders-1.yaml"}},
      "listener 'inbound' .* on", directory_ + "/orders-1.log");
  AddWeb("web-1");
  AddWeb("web-2");
}

void Mesh::AddReceiver(const std::string& name) {
  const int port = StablePort();
  const std::string base = absl::StrCat(directory_, "/receiver-", name);
  receivers_.push_back(std::unique_ptr<Receiver>(
      new Receiver{{absl::StrCat("receiver ", name),
                    {.arguments = {harness::Runfile("tests/faults/receiver"), absl::StrCat(port),
                                   base + ".record", base + ".faults"}},
                    "receiver on",
                    base + ".log"},
                   port,
                   base + ".record",
                   Shared<ReceiverFaults>(base + ".faults")}));
}

void Mesh::AddWeb(const std::string& id) {
  const int port = StablePort();
  const int admin_port = StablePort();
  const std::string base = absl::StrCat(directory_, "/", id);
  Write(base + ".yaml",
        absl::StrCat(
            "node: { id: ", id, ", service: web }\nadmin: { address: \"127.0.0.1:", admin_port,
            "\" }\nlisteners:\n- { name: outbound, address: \"127.0.0.1:", port,
            "\" }\npolicy: { control: { address: \"127.0.0.1:", xds_port_,
            "\" } }\nstore: { path: '", base, "' }\nruntime: { workers: 2, io: ", harness::TestIo(),
            " }\nlog: { access: '' }\n"));
  webs_.push_back(std::unique_ptr<Web>(new Web{
      {id,
       {.arguments = {harness::Runfile("sidecar/pillion-sidecar"), "--config", base + ".yaml"},
        .environment = {{"LD_PRELOAD", harness::Runfile("tests/faults/libfault_shim.so")},
                        {"FAULT_SHIM", base + ".faults"}}},
       "admin on",
       base + ".log"},
      port,
      admin_port,
      base,
      Shared<SystemFaults>(base + ".faults")}));
}

std::vector<Program*> Mesh::programs() {
  std::vector<Program*> programs = {control_.get(), inbound_.get()};
  for (const auto& web : webs_) programs.push_back(&web->program);
  for (const auto& receiver : receivers_) programs.push_back(&receiver->program);
  return programs;
}

absl::Status Mesh::Start() {
  absl::Status started = EditPolicy(Mode::kAsync);
  for (Program* program : programs()) {
    if (started.ok()) started = program->Start();
  }
  if (!started.ok()) return started;
  for (size_t i = 0; i < webs_.size(); ++i) {
    if (!harness::Eventually([&] { return RunsPolicy(i, Mode::kAsync); }, kPatience)) {
      return absl::DeadlineExceededError(webs_[i]->program.name() + " gets no policy");
    }
  }
  return absl::OkStatus();
}

absl::Status Mesh::EditPolicy(Mode mode) {
  return harness::WriteFileAtomically(directory_ + "/policy/mesh.yaml",
                                      Policy(inbound_port_, receivers_[1]->port, mode));
}

absl::StatusOr<harness::Response> Mesh::Admin(size_t i, const std::string& target,
                                              harness::Deadline deadline) const {
  harness::HttpClient client(webs_[i]->admin_port);
  absl::StatusOr<harness::Response> response = client.Send({.target = target}, deadline);
  if (response.ok() && response->status != 200) {
    return absl::UnavailableError(absl::StrCat(webs_[i]->program.name(), " answers ", target,
                                               " with ", response->status, ": ", response->body));
  }
  return response;
}

bool Mesh::RunsPolicy(size_t i, Mode mode) const {
  const absl::StatusOr<harness::Response> dump = Admin(i, "/config_dump", kPatience);
  if (!dump.ok()) return false;
  const Json json = Json::parse(dump->body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json["policy"].is_object()) return false;
  for (const Json& host : json["policy"].value("virtual_hosts", Json::array())) {
    for (const Json& route : host.value("routes", Json::array())) {
      if (route.value("name", "") == "changing") return route.contains(NameOfField(mode));
    }
  }
  return false;
}

namespace {

absl::StatusOr<std::map<std::string, double>> ParseMetrics(const std::string& page) {
  std::map<std::string, double> metrics;
  for (const absl::string_view line : absl::StrSplit(page, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "#")) continue;
    const size_t space = line.rfind(' ');
    double value = 0;
    if (space == absl::string_view::npos || !absl::SimpleAtod(line.substr(space + 1), &value)) {
      return absl::DataLossError(absl::StrCat("not a metric: ", line));
    }
    metrics[std::string(line.substr(0, space))] = value;
  }
  return metrics;
}

}  // namespace

absl::StatusOr<int64_t> Mesh::Unfinished(size_t i) const {
  const absl::StatusOr<harness::Response> page = Admin(i, "/stats/prometheus", kPatience);
  if (!page.ok()) return page.status();
  absl::StatusOr<std::map<std::string, double>> metrics = ParseMetrics(page->body);
  if (!metrics.ok()) return metrics.status();
  return static_cast<int64_t>((*metrics)["pillion_delivery_pending"] +
                              (*metrics)["pillion_delivery_running"]);
}

std::string Mesh::Describe(size_t i) const {
  std::string text = absl::StrCat(webs_[i]->program.name(), ":\n");
  const absl::StatusOr<harness::Response> page = Admin(i, "/stats/prometheus", kShortPatience);
  if (!page.ok()) return absl::StrCat(text, page.status().ToString(), "\n");
  for (const absl::string_view line : absl::StrSplit(page->body, '\n')) {
    if (absl::StartsWith(line, "pillion_delivery_")) absl::StrAppend(&text, "  ", line, "\n");
  }
  for (const char* state : {"running", "pending"}) {
    const absl::StatusOr<harness::Response> list =
        Admin(i, absl::StrCat("/.pillion/deliveries?page_size=3&state=", state), kShortPatience);
    absl::StrAppend(&text, list.ok() ? list->body : list.status().ToString(), "\n");
  }
  return text;
}

absl::Status Mesh::ListDeliveries(size_t i, SidecarRecord& record) const {
  std::string token;
  do {
    const absl::StatusOr<harness::Response> page =
        Admin(i, absl::StrCat("/.pillion/deliveries?page_size=1000&page_token=", token), kPatience);
    if (!page.ok()) return page.status();
    const Json json = Json::parse(page->body, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return absl::DataLossError("no JSON: " + page->body);
    for (const Json& delivery : json["deliveries"]) {
      const bool message = delivery.contains("subscription");
      record.deliveries.push_back(
          {.message = delivery.value("messageId", ""),
           .target = message ? "subscription/" + delivery.value("subscription", "")
                             : "route/" + delivery.value("route", ""),
           .state = absl::AsciiStrToLower(delivery.value("state", "")),
           .reason = delivery.value("reason", ""),
           .error = delivery.value("lastError", ""),
           .last_status = delivery.value("lastStatus", 0)});
    }
    token = json.value("nextPageToken", "");
  } while (!token.empty());
  return absl::OkStatus();
}

absl::StatusOr<SidecarRecord> Mesh::Close(size_t i) {
  Web& web = *webs_[i];
  SidecarRecord record;
  record.name = web.program.name();
  record.start = web.program.starts();
  // First, as a request that was just answered may still count as queued.
  const absl::StatusOr<harness::Response> page = Admin(i, "/stats/prometheus", kPatience);
  if (!page.ok()) return page.status();
  absl::StatusOr<std::map<std::string, double>> metrics = ParseMetrics(page->body);
  if (!metrics.ok()) return metrics.status();
  record.metrics = *std::move(metrics);
  if (absl::Status listed = ListDeliveries(i, record); !listed.ok()) return listed;
  if (absl::Status ended = web.program.Terminate(); !ended.ok()) return ended;
  absl::StatusOr<StoreTotals> store = ReadStore(web.store + "/deliveries.db");
  if (!store.ok()) return store.status();
  record.store = *std::move(store);
  return record;
}

void Mesh::SaveLogs() {
  for (Program* program : programs()) program->SaveLog();
}

}  // namespace pillion::faults
