// The access log: one line per call, as text or JSON, to a file or standard output.
//
// A worker must never wait for a disk. It formats the line into its own ring of bytes
// (AccessLog::Sink), without allocating; one writer thread drains all rings into one write. While
// calls come in, the writer looks by itself every few milliseconds, so that a worker makes a system
// call only for the first line after a pause. If a ring is full, the line is dropped and counted.
// If writing fails (disk full), lines are lost and counted, and the process log says so once a
// second; calls go on.
//
// No byte of a call can forge a line or a field: control characters, quotes, backslashes and
// whatever is not ASCII are escaped, and long fields are cut (and end in "...").
//
// Text, Envoy's default format followed by what Envoy's lacks; "-" where there is nothing:
//
//   [2026-03-01T12:00:00.123Z] "GET /user/?user_id=1 HTTP/1.1" 200 - 0 48 1.234 1.180
//   "127.0.0.1:40112" "python-requests/2.28" "0b1e9f2c-..." "users" "127.0.0.1:5001" forward
//   "users" "by-id" "users" "-"
//    (start, request line, status, response flag, bytes received, bytes sent, milliseconds in all,
//    milliseconds of the upstream, caller, user agent, request id, authority, upstream, mode,
//    virtual host, route, cluster, operation)
//
// JSON has Envoy's operator names as keys, and null where there is nothing.
#ifndef PILLION_CORE_TELEMETRY_ACCESS_LOG_H_
#define PILLION_CORE_TELEMETRY_ACCESS_LOG_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/telemetry/log_line.h"

namespace pillion::telemetry {

class LineRing;
class LineWriter;
class MetricsBuilder;

// One call, at its end. The views need to live only until Log() returns. Empty means that there is
// none.
struct AccessRecord {
  int64_t start_unix_micros = 0;
  std::string_view method;
  std::string_view authority;
  std::string_view path;      // as the caller sent it, with the query
  std::string_view protocol;  // "HTTP/1.1"
  int status = 0;             // of the answer; 0 if none was sent
  std::string_view flag;      // response flag ("UF"), see wire.md of the documentation
  std::string_view mode;      // what became of the call: forward, async, publish, direct, redirect
  std::string_view virtual_host;
  std::string_view route;
  std::string_view cluster;
  std::string_view upstream_address;
  std::string_view downstream_address;
  std::string_view user_agent;
  std::string_view request_id;
  std::string_view operation_id;  // of the accepted operation or message
  uint64_t bytes_received = 0;    // of the request's body
  uint64_t bytes_sent = 0;        // of the answer's body
  int64_t duration_micros = 0;
  int64_t upstream_duration_micros = -1;  // to the upstream's answer header; -1 if there was none
};

class AccessLog {
 public:
  enum class Format { kText, kJson };

  struct Options {
    std::string path;  // "-" is standard output, "" turns the log off
    Format format = Format::kText;
    size_t ring_bytes =
        1024 * 1024;  // per worker, a power of two of at least 32 KiB; memory is used as it fills
  };

  struct Totals {
    uint64_t lines_written = 0;
    uint64_t lines_dropped = 0;  // a ring was full
    uint64_t lines_lost = 0;     // writing failed
    uint64_t write_errors = 0;
  };

  // One worker's end. Threads: one at a time.
  class Sink;

  // Opens the file (appending; created with mode 0640 as the umask allows) and starts the writer.
  // Errors name the path and say what is wrong with it.
  static absl::StatusOr<std::unique_ptr<AccessLog>> Open(Options options);

  // Writes what is in the rings, for at most a second if nobody reads the other end of a pipe, and
  // ends the writer. REQUIRES: no sink is in use any more.
  ~AccessLog();

  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // A sink for one worker; lives as long as the log. Threads: any.
  Sink* NewSink();

  // Opens the path again, after log rotation moved the file away. The old file is kept if that
  // fails, and the process log says so. Returns at once. Threads: any, and signal handlers.
  void Reopen();

  // Threads: any.
  Totals ReadTotals() const;

  // Adds pillion_access_log_lines_total{outcome="written|dropped|lost"} and
  // pillion_access_log_write_errors_total.
  void Collect(MetricsBuilder& builder) const;

 private:
  AccessLog(const Options& options, std::unique_ptr<LineWriter> writer);

  const Format format_;
  const size_t ring_bytes_;
  const std::unique_ptr<LineWriter> writer_;  // none if the log is off
  std::mutex mutex_;
  std::vector<std::unique_ptr<Sink>> sinks_;  // guarded by mutex_
};

class AccessLog::Sink {
 public:
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // False if the log is off: then the record need not even be collected.
  bool enabled() const { return ring_ != nullptr; }

  // Never waits, allocates or fails. Does nothing if the log is off.
  void Log(const AccessRecord& record);

 private:
  friend class AccessLog;
  Sink(Format format, LineWriter* writer, LineRing* ring);

  const Format format_;
  LineWriter* const writer_;
  LineRing* const ring_;
  TimestampFormatter timestamps_;
  std::unique_ptr<char[]> line_;  // the line being formatted
};

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_ACCESS_LOG_H_
