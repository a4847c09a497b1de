#include "core/telemetry/access_log.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/telemetry/line_writer.h"
#include "core/telemetry/metrics.h"

namespace pillion::telemetry {
namespace {

// Bytes of a field after escaping. A path may be long and still be worth reading; the rest need not
// be.
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxField = 512;
constexpr size_t kFields = 14;         // AccessRecord's strings
constexpr size_t kMaxOverhead = 1024;  // numbers, punctuation, JSON keys and "..."
static_assert(kMaxPath + kFields * kMaxField + kMaxOverhead <= LineWriter::kMaxLine);

// Writes one line into memory that is large enough for any (see above).
class LineBuilder {
 public:
  LineBuilder(char* begin, Escaping escaping) : begin_(begin), next_(begin), escaping_(escaping) {}

  void Raw(std::string_view text) {
    std::memcpy(next_, text.data(), text.size());
    next_ += text.size();
  }

  void Escaped(std::string_view value, size_t limit = kMaxField) {
    char* const end = next_ + limit;
    while (!value.empty()) {
      const size_t plain = PlainPrefix(value.substr(0, static_cast<size_t>(end - next_)));
      Raw(value.substr(0, plain));
      value.remove_prefix(plain);
      if (value.empty()) return;
      const EscapedCharacter c = EscapeFirst(value, escaping_);
      if (c.size > static_cast<size_t>(end - next_)) return Raw("...");
      Raw(c.view());
      value.remove_prefix(c.consumed);
    }
  }

  template <typename Integer>
  void Number(Integer value) {
    next_ = std::to_chars(next_, next_ + 20, value).ptr;
  }

  // Three decimals, so that a fast call does not read as 0.
  void Millis(int64_t micros) {
    micros = std::max<int64_t>(micros, 0);
    Number(micros / 1000);
    const auto rest = static_cast<int>(micros % 1000);
    const char decimals[] = {'.', static_cast<char>('0' + rest / 100),
                             static_cast<char>('0' + rest / 10 % 10),
                             static_cast<char>('0' + rest % 10)};
    Raw({decimals, sizeof decimals});
  }

  std::string_view line() const { return {begin_, static_cast<size_t>(next_ - begin_)}; }

 private:
  char* const begin_;
  char* next_;
  const Escaping escaping_;
};

std::string_view FormatText(const AccessRecord& record, std::string_view start, char* memory) {
  LineBuilder out(memory, Escaping::kQuotedAscii);
  const auto bare = [&out](std::string_view value) {
    out.Raw(" ");
    out.Escaped(value.empty() ? "-" : value);
  };
  const auto quoted = [&out](std::string_view value) {
    out.Raw(" \"");
    out.Escaped(value.empty() ? "-" : value);
    out.Raw("\"");
  };
  const auto number = [&out](auto value) {
    out.Raw(" ");
    out.Number(value);
  };
  out.Raw("[");
  out.Raw(start);
  out.Raw("] \"");
  out.Escaped(record.method.empty() ? "-" : record.method);
  out.Raw(" ");
  out.Escaped(record.path.empty() ? "-" : record.path, kMaxPath);
  out.Raw(" ");
  out.Escaped(record.protocol.empty() ? "-" : record.protocol);
  out.Raw("\"");
  number(record.status);
  bare(record.flag);
  number(record.bytes_received);
  number(record.bytes_sent);
  out.Raw(" ");
  out.Millis(record.duration_micros);
  out.Raw(" ");
  if (record.upstream_duration_micros < 0) {
    out.Raw("-");
  } else {
    out.Millis(record.upstream_duration_micros);
  }
  quoted(record.downstream_address);
  quoted(record.user_agent);
  quoted(record.request_id);
  quoted(record.authority);
  quoted(record.upstream_address);
  bare(record.mode);
  quoted(record.virtual_host);
  quoted(record.route);
  quoted(record.cluster);
  quoted(record.operation_id);
  out.Raw("\n");
  return out.line();
}

std::string_view FormatJson(const AccessRecord& record, std::string_view start, char* memory) {
  LineBuilder out(memory, Escaping::kJsonAscii);
  const auto text = [&out](std::string_view key, std::string_view value, size_t limit = kMaxField) {
    out.Raw(key);
    if (value.empty()) return out.Raw("null");
    out.Raw("\"");
    out.Escaped(value, limit);
    out.Raw("\"");
  };
  const auto number = [&out](std::string_view key, auto value) {
    out.Raw(key);
    out.Number(value);
  };
  text("{\"start_time\":", start);
  text(",\"method\":", record.method);
  text(",\"authority\":", record.authority);
  text(",\"path\":", record.path, kMaxPath);
  text(",\"protocol\":", record.protocol);
  number(",\"response_code\":", record.status);
  text(",\"response_flags\":", record.flag);
  number(",\"bytes_received\":", record.bytes_received);
  number(",\"bytes_sent\":", record.bytes_sent);
  out.Raw(",\"duration\":");
  out.Millis(record.duration_micros);
  out.Raw(",\"upstream_service_time\":");
  if (record.upstream_duration_micros < 0) {
    out.Raw("null");
  } else {
    out.Millis(record.upstream_duration_micros);
  }
  text(",\"downstream_remote_address\":", record.downstream_address);
  text(",\"user_agent\":", record.user_agent);
  text(",\"request_id\":", record.request_id);
  text(",\"mode\":", record.mode);
  text(",\"virtual_host\":", record.virtual_host);
  text(",\"route_name\":", record.route);
  text(",\"upstream_cluster\":", record.cluster);
  text(",\"upstream_host\":", record.upstream_address);
  text(",\"operation_id\":", record.operation_id);
  out.Raw("}\n");
  return out.line();
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessLog>> AccessLog::Open(Options options) {
  std::unique_ptr<LineWriter> writer;
  if (!options.path.empty()) {
    writer = std::make_unique<LineWriter>(options.path);
    if (absl::Status started = writer->Start(); !started.ok()) return started;
  }
  return std::unique_ptr<AccessLog>(new AccessLog(options, std::move(writer)));
}

AccessLog::AccessLog(const Options& options, std::unique_ptr<LineWriter> writer)
    : format_(options.format), ring_bytes_(options.ring_bytes), writer_(std::move(writer)) {}

AccessLog::~AccessLog() = default;

AccessLog::Sink* AccessLog::NewSink() {
  LineRing* const ring = writer_ != nullptr ? writer_->NewRing(ring_bytes_) : nullptr;
  auto sink = std::unique_ptr<Sink>(new Sink(format_, writer_.get(), ring));
  Sink* const raw = sink.get();
  std::lock_guard lock(mutex_);
  sinks_.push_back(std::move(sink));
  return raw;
}

void AccessLog::Reopen() {
  if (writer_ != nullptr) writer_->Reopen();
}

AccessLog::Totals AccessLog::ReadTotals() const {
  if (writer_ == nullptr) return {};
  return {.lines_written = writer_->written(),
          .lines_dropped = writer_->refused(),
          .lines_lost = writer_->lost(),
          .write_errors = writer_->write_errors()};
}

void AccessLog::Collect(MetricsBuilder& builder) const {
  const Totals totals = ReadTotals();
  constexpr std::string_view kName = "pillion_access_log_lines_total";
  constexpr std::string_view kHelp =
      "Lines of the access log: written, dropped by a full buffer, lost by write errors.";
  builder.AddCounter(kName, kHelp, totals.lines_written, {{"outcome", "written"}});
  builder.AddCounter(kName, kHelp, totals.lines_dropped, {{"outcome", "dropped"}});
  builder.AddCounter(kName, kHelp, totals.lines_lost, {{"outcome", "lost"}});
  builder.AddCounter("pillion_access_log_write_errors_total",
                     "Failed attempts to write the access log.", totals.write_errors);
}

AccessLog::Sink::Sink(Format format, LineWriter* writer, LineRing* ring)
    : format_(format),
      writer_(writer),
      ring_(ring),
      line_(ring != nullptr ? std::make_unique_for_overwrite<char[]>(LineWriter::kMaxLine)
                            : nullptr) {}

AccessLog::Sink::~Sink() = default;

void AccessLog::Sink::Log(const AccessRecord& record) {
  if (!enabled()) return;
  const std::string_view start = timestamps_.Format(record.start_unix_micros);
  const std::string_view line = format_ == Format::kJson ? FormatJson(record, start, line_.get())
                                                         : FormatText(record, start, line_.get());
  if (ring_->Put(line)) writer_->LineAdded(*ring_);
}

}  // namespace pillion::telemetry
