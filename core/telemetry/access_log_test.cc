#include "core/telemetry/access_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <new>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/telemetry/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

thread_local uint64_t allocations_of_this_thread = 0;

}  // namespace

// Counted, to see that a worker's path allocates nothing.
void* operator new(size_t size) {
  ++allocations_of_this_thread;
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace pillion::telemetry {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

AccessRecord Example() {
  return {.start_unix_micros = 1772366400'123'456,
          .method = "GET",
          .authority = "users",
          .path = "/user/?user_id=1",
          .protocol = "HTTP/1.1",
          .status = 200,
          .flag = "",
          .mode = "forward",
          .virtual_host = "users",
          .route = "by-id",
          .cluster = "users-v1",
          .upstream_address = "127.0.0.1:5001",
          .downstream_address = "127.0.0.1:40112",
          .user_agent = "python-requests/2.28",
          .request_id = "0b1e9f2c-0000-4000-8000-000000000000",
          .operation_id = "",
          .bytes_received = 0,
          .bytes_sent = 48,
          .duration_micros = 1234,
          .upstream_duration_micros = 1080};
}

bool WaitFor(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class AccessLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/access_log.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern + "/access.log";
  }

  std::unique_ptr<AccessLog> Open(AccessLog::Options options) {
    auto log = AccessLog::Open(std::move(options));
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  std::string WriteOne(const AccessRecord& record,
                       AccessLog::Format format = AccessLog::Format::kText) {
    Open({.path = path_, .format = format})->NewSink()->Log(record);
    return Read();
  }

  std::string Read() const { return Read(path_); }

  static std::string Read(const std::string& path) {
    std::ostringstream content;
    content << std::ifstream(path).rdbuf();
    return content.str();
  }

  std::string path_;
};

TEST_F(AccessLogTest, WritesTheDocumentedText) {
  EXPECT_EQ(WriteOne(Example()),
            "[2026-03-01T12:00:00.123Z] \"GET /user/?user_id=1 HTTP/1.1\" 200 - 0 48 1.234 1.080 "
            "\"127.0.0.1:40112\" "
            "\"python-requests/2.28\" \"0b1e9f2c-0000-4000-8000-000000000000\" \"users\" "
            "\"127.0.0.1:5001\" forward "
            "\"users\" \"by-id\" \"users-v1\" \"-\"\n");
}

TEST_F(AccessLogTest, WritesJsonWithEnvoysNames) {
  EXPECT_EQ(
      WriteOne(Example(), AccessLog::Format::kJson),
      "{\"start_time\":\"2026-03-01T12:00:00.123Z\",\"method\":\"GET\",\"authority\":\"users\","
      "\"path\":\"/user/?user_id=1\",\"protocol\":\"HTTP/"
      "1.1\",\"response_code\":200,\"response_flags\":null,"
      "\"bytes_received\":0,\"bytes_sent\":48,\"duration\":1.234,\"upstream_service_time\":1.080,"
      "\"downstream_remote_address\":\"127.0.0.1:40112\",\"user_agent\":\"python-requests/2.28\","
      "\"request_id\":\"0b1e9f2c-0000-4000-8000-000000000000\",\"mode\":\"forward\",\"virtual_"
      "host\":\"users\","
      "\"route_name\":\"by-id\",\"upstream_cluster\":\"users-v1\",\"upstream_host\":\"127.0.0.1:"
      "5001\","
      "\"operation_id\":null}\n");
}

TEST_F(AccessLogTest, MarksWhatIsMissing) {
  EXPECT_EQ(WriteOne({}),
            "[1970-01-01T00:00:00.000Z] \"- - -\" 0 - 0 0 0.000 - \"-\" \"-\" \"-\" \"-\" \"-\" - "
            "\"-\" \"-\" \"-\" "
            "\"-\"\n");
  EXPECT_THAT(WriteOne({}, AccessLog::Format::kJson), HasSubstr("\"method\":null"));
}

TEST_F(AccessLogTest, CannotBeMadeToForgeALineOrAField) {
  AccessRecord record = Example();
  record.user_agent = "x\" 200\r\n[2026] \"GET \\ \x1b[2J \xff\xc3\xa9";
  const std::string text = WriteOne(record);
  EXPECT_THAT(text, HasSubstr("\"x\\\" 200\\r\\n[2026] \\\"GET \\\\ \\x1b[2J \\xff\\xc3\\xa9\""));
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_THAT(WriteOne(record, AccessLog::Format::kJson),
              HasSubstr("\"x\\\" 200\\r\\n[2026] \\\"GET \\\\ \\u001b[2J \\ufffd\\u00e9\""));
}

TEST_F(AccessLogTest, CutsLongFieldsAndStillEndsTheLine) {
  const std::string long_text(70'000, 'a');
  const std::string worst_text(70'000, '\x01');
  AccessRecord record = Example();
  record.path = long_text;
  record.user_agent = long_text;
  EXPECT_THAT(WriteOne(record), HasSubstr("\"GET " + std::string(4096, 'a') + "... HTTP/1.1\""));
  for (std::string_view* field :
       {&record.method, &record.authority, &record.path, &record.protocol, &record.flag,
        &record.mode, &record.virtual_host, &record.route, &record.cluster,
        &record.upstream_address, &record.downstream_address, &record.user_agent,
        &record.request_id, &record.operation_id}) {
    *field = worst_text;
  }
  record.bytes_received = record.bytes_sent = UINT64_MAX;
  record.duration_micros = record.upstream_duration_micros = INT64_MAX;
  record.status = INT32_MIN;
  EXPECT_THAT(WriteOne(record), EndsWith("\\x01...\"\n"));
  EXPECT_THAT(WriteOne(record, AccessLog::Format::kJson), EndsWith("\\u0001...\"}\n"));
}

TEST_F(AccessLogTest, AppendsToAFileThatIsThere) {
  std::ofstream(path_) << "before\n";
  EXPECT_THAT(WriteOne(Example()), testing::StartsWith("before\n[2026-"));
}

TEST_F(AccessLogTest, WritesToStandardOutput) {
  testing::internal::CaptureStdout();
  Open({.path = "-"})->NewSink()->Log(Example());
  EXPECT_THAT(testing::internal::GetCapturedStdout(), EndsWith("\"users-v1\" \"-\"\n"));
}

TEST_F(AccessLogTest, WithoutAPathIsOff) {
  auto log = Open({.path = ""});
  AccessLog::Sink* const sink = log->NewSink();
  EXPECT_FALSE(sink->enabled());
  sink->Log(Example());
  log->Reopen();
  EXPECT_EQ(log->ReadTotals().lines_written, 0u);
}

TEST_F(AccessLogTest, SaysWhatIsWrongWithThePath) {
  const auto log = AccessLog::Open({.path = "/no/such/directory/access.log"});
  EXPECT_EQ(log.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(log.status().ToString(), HasSubstr("/no/such/directory/access.log"));
  EXPECT_THAT(AccessLog::Open({.path = testing::TempDir()}).status().ToString(),
              HasSubstr("directory"));
}

TEST_F(AccessLogTest, AllocatesNothingPerLine) {
  auto log = Open({.path = path_});
  AccessLog::Sink* const sink = log->NewSink();
  const uint64_t before = allocations_of_this_thread;
  for (int i = 0; i < 100; ++i) sink->Log(Example());
  EXPECT_EQ(allocations_of_this_thread, before);
  EXPECT_GT(before, 0u) << "the counting allocator is not in use";
}

TEST_F(AccessLogTest, WakesTheWriterForEveryLineAfterAPause) {
  auto log = Open({.path = path_});
  AccessLog::Sink* const sink = log->NewSink();
  for (uint64_t i = 1; i <= 50; ++i) {
    sink->Log(Example());
    ASSERT_TRUE(WaitFor([&] { return log->ReadTotals().lines_written == i; })) << "line " << i;
  }
}

TEST_F(AccessLogTest, FollowsLogRotation) {
  auto log = Open({.path = path_});
  AccessLog::Sink* const sink = log->NewSink();
  AccessRecord record = Example();
  record.route = "old";
  sink->Log(record);
  ASSERT_TRUE(WaitFor([&] { return log->ReadTotals().lines_written == 1; }));
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  log->Reopen();
  ASSERT_TRUE(WaitFor([&] { return access(path_.c_str(), F_OK) == 0; }));
  record.route = "new";
  sink->Log(record);
  log.reset();
  EXPECT_THAT(Read(path_ + ".1"), HasSubstr("\"old\""));
  EXPECT_THAT(Read(), HasSubstr("\"new\""));
}

TEST_F(AccessLogTest, KeepsTheOldFileIfReopeningFails) {
  testing::internal::CaptureStderr();
  auto log = Open({.path = path_});
  AccessLog::Sink* const sink = log->NewSink();
  const std::string elsewhere = path_ + ".1";
  ASSERT_EQ(rename(path_.c_str(), elsewhere.c_str()), 0);
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  log->Reopen();
  sink->Log(Example());
  log.reset();
  EXPECT_THAT(Read(elsewhere), HasSubstr("by-id"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("keeping the old file"));
}

TEST_F(AccessLogTest, CountsAndReportsLinesThatAFullDiskLoses) {
  testing::internal::CaptureStderr();
  auto log = Open({.path = "/dev/full"});
  AccessLog::Sink* const sink = log->NewSink();
  for (int i = 0; i < 10; ++i) sink->Log(Example());
  ASSERT_TRUE(WaitFor([&] { return log->ReadTotals().lines_lost == 10; }));
  EXPECT_GE(log->ReadTotals().write_errors, 1u);
  EXPECT_EQ(log->ReadTotals().lines_written, 0u);
  log.reset();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("cannot write the access log /dev/full: No space left on device; "));
}

TEST_F(AccessLogTest, EndsALineThatWasCutOffOnceThereIsRoomAgain) {
  testing::internal::CaptureStderr();
  rlimit unlimited{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  auto log = Open({.path = path_});
  AccessLog::Sink* const sink = log->NewSink();
  const rlimit limited{.rlim_cur = 20, .rlim_max = unlimited.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  sink->Log(Example());
  ASSERT_TRUE(WaitFor([&] { return log->ReadTotals().lines_lost == 1; }));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
  sink->Log(Example());
  log.reset();
  testing::internal::GetCapturedStderr();
  const std::vector<std::string> lines = absl::StrSplit(Read(), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "[2026-03-01T12:00:00");
  EXPECT_THAT(lines[1], EndsWith("\"users-v1\" \"-\""));
}

TEST_F(AccessLogTest, DropsLinesRatherThanWaitForAReaderThatDoesNotRead) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const int reader = open(path_.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto log = Open({.path = path_, .ring_bytes = 32 * 1024});
  AccessLog::Sink* const sink = log->NewSink();
  constexpr uint64_t kLines = 5000;  // ten times what ring, batch and pipe hold
  for (uint64_t i = 0; i < kLines; ++i) sink->Log(Example());
  EXPECT_GT(log->ReadTotals().lines_dropped, 0u);

  std::string received;
  std::array<char, 65536> buffer;
  ASSERT_TRUE(WaitFor([&] {
    if (const ssize_t size = read(reader, buffer.data(), buffer.size()); size > 0) {
      received.append(buffer.data(), static_cast<size_t>(size));
    }
    const AccessLog::Totals totals = log->ReadTotals();
    return totals.lines_written + totals.lines_dropped == kLines;
  }));
  log.reset();
  for (ssize_t size; (size = read(reader, buffer.data(), buffer.size())) > 0;) {
    received.append(buffer.data(), static_cast<size_t>(size));
  }
  close(reader);
  std::vector<std::string> lines = absl::StrSplit(received, '\n', absl::SkipEmpty());
  ASSERT_GT(lines.size(), 100u);
  for (const std::string& line : lines) ASSERT_EQ(line, lines[0]);
}

TEST_F(AccessLogTest, EndsEvenIfTheReaderNeverReads) {
  testing::internal::CaptureStderr();
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const int reader = open(path_.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto log = Open({.path = path_});
  AccessLog::Sink* const sink = log->NewSink();
  for (int i = 0; i < 5000; ++i) sink->Log(Example());
  log.reset();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Connection timed out"));
  close(reader);
}

TEST_F(AccessLogTest, SurvivesAReaderThatGoesAway) {
  testing::internal::CaptureStderr();
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const int reader = open(path_.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto log = Open({.path = path_});
  close(reader);
  log->NewSink()->Log(Example());
  EXPECT_TRUE(WaitFor([&] { return log->ReadTotals().lines_lost == 1; }));
  testing::internal::GetCapturedStderr();
}

TEST_F(AccessLogTest, KeepsEveryLineOfSeveralWorkersWholeAndInOrder) {
  constexpr int kWorkers = 4;
  constexpr int kLines = 3000;
  auto log = Open({.path = path_, .ring_bytes = 2 * 1024 * 1024});
  std::vector<std::thread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&log, w] {
      AccessLog::Sink* const sink = log->NewSink();
      const std::string worker = absl::StrCat("w", w);
      AccessRecord record = Example();
      record.cluster = worker;
      for (int i = 0; i < kLines; ++i) {
        const std::string id = absl::StrCat(i);
        record.operation_id = id;
        sink->Log(record);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(log->ReadTotals().lines_dropped, 0u);
  log.reset();

  std::map<std::string, int> next;
  const std::string content = Read();
  const std::vector<std::string> lines = absl::StrSplit(content, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), kWorkers * kLines);
  for (const std::string& line : lines) {
    const std::vector<std::string> fields = absl::StrSplit(line, '"');
    ASSERT_EQ(fields.size(), 21u) << line;
    const std::string& worker = fields[fields.size() - 4];
    ASSERT_EQ(fields[fields.size() - 2], absl::StrCat(next[worker]++)) << line;
  }
}

TEST_F(AccessLogTest, IsOnTheMetricsPage) {
  auto log = Open({.path = path_});
  log->NewSink()->Log(Example());
  ASSERT_TRUE(WaitFor([&] { return log->ReadTotals().lines_written == 1; }));
  MetricsBuilder builder;
  log->Collect(builder);
  const std::string page = builder.Serialize();
  EXPECT_THAT(page, HasSubstr("pillion_access_log_lines_total{outcome=\"written\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("pillion_access_log_lines_total{outcome=\"dropped\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("pillion_access_log_write_errors_total 0\n"));
}

}  // namespace
}  // namespace pillion::telemetry
