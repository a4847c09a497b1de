#include "core/telemetry/log.h"

#include <pthread.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "core/telemetry/log_line.h"

namespace pillion::log {
namespace internal {

constinit std::atomic<Level> level{Level::kInfo};

}  // namespace internal

namespace {

using ::pillion::telemetry::AppendEscaped;
using ::pillion::telemetry::Escaping;

constexpr std::array<std::string_view, 6> kLevelNames = {"trace",   "debug", "info",
                                                         "warning", "error", "off"};

constinit std::atomic<Format> format{Format::kText};

struct ThreadName {
  std::array<char, 32> bytes;
  size_t size;
};
constinit thread_local ThreadName thread_name{};

// Turns a message into a line. Runs on the thread that logs, under the sink's lock.
class LineFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since_epoch = message.time.time_since_epoch();
    const std::string_view time = timestamps_.Format(
        std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count());
    const std::string_view level = kLevelNames[static_cast<size_t>(message.level)];
    const std::string_view component(message.logger_name.data(), message.logger_name.size());
    const std::string_view text(message.payload.data(), message.payload.size());
    const std::string thread = thread_name.size != 0
                                   ? std::string(thread_name.bytes.data(), thread_name.size)
                                   : std::to_string(message.thread_id);
    std::string line;
    if (log::format.load(std::memory_order_relaxed) == Format::kJson) {
      const auto add = [&line](std::string_view key, std::string_view value) {
        line.append(line.empty() ? "{\"" : ",\"").append(key).append("\":\"");
        AppendEscaped(value, Escaping::kJson, line);
        line += '"';
      };
      add("time", time);
      add("level", level);
      add("component", component);
      add("thread", thread);
      add("message", text);
      line += "}\n";
    } else {
      line.append(time).append(" ").append(level).append(8 - level.size(), ' ');
      line.append("[").append(component).append("] [").append(thread).append("] ");
      AppendEscaped(text, Escaping::kText, line);
      line += '\n';
    }
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>();
  }

 private:
  telemetry::TimestampFormatter timestamps_;
};

// Never destroyed: other threads may log while the process ends.
spdlog::sinks::sink& StandardError() {
  static spdlog::sinks::sink* const sink = [] {
    auto stderr_sink = std::make_unique<spdlog::sinks::stderr_sink_mt>();
    stderr_sink->set_formatter(std::make_unique<LineFormatter>());
    return stderr_sink.release();
  }();
  return *sink;
}

}  // namespace

void internal::Write(Level level, std::string_view component, std::string_view message) {
  assert(level != Level::kOff);
  static_assert(static_cast<int>(Level::kError) == static_cast<int>(spdlog::level::err));
  const spdlog::details::log_msg record({component.data(), component.size()},
                                        static_cast<spdlog::level::level_enum>(level),
                                        {message.data(), message.size()});
  try {
    StandardError().log(record);
  } catch (const std::exception&) {
    // The log itself cannot be written, and there is nowhere else to say so.
  }
}

void SetLevel(Level level) { internal::level.store(level, std::memory_order_relaxed); }

Level GetLevel() { return internal::level.load(std::memory_order_relaxed); }

void SetFormat(Format new_format) { format.store(new_format, std::memory_order_relaxed); }

std::optional<Level> ParseLevel(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(absl::string_view(name.data(), name.size()));
  if (lower == "warn") return Level::kWarning;
  const auto* found = std::find(kLevelNames.begin(), kLevelNames.end(), lower);
  if (found == kLevelNames.end()) return std::nullopt;
  return static_cast<Level>(found - kLevelNames.begin());
}

std::string_view LevelName(Level level) { return kLevelNames[static_cast<size_t>(level)]; }

void SetThreadName(std::string_view name) {
  thread_name.size = std::min(name.size(), thread_name.bytes.size());
  std::copy_n(name.begin(), thread_name.size, thread_name.bytes.begin());
  constexpr size_t kKernelLimit = 15;
  pthread_setname_np(pthread_self(), std::string(name.substr(0, kKernelLimit)).c_str());
}

std::optional<uint64_t> Limited::Admit(int64_t now) {
  int64_t next = next_.load(std::memory_order_relaxed);
  const bool due = now >= next;
  if (!due || !next_.compare_exchange_strong(next, now + absl::ToInt64Nanoseconds(interval_))) {
    kept_back_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  return kept_back_.exchange(0, std::memory_order_relaxed);
}

int64_t Limited::MonotonicNow() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void Limited::Write(Level level, uint64_t kept_back, std::string_view message) const {
  if (kept_back == 0) {
    logger_.At(level, message);
  } else {
    logger_.At(level, message, " (", kept_back, " more of these were not shown)");
  }
}

}  // namespace pillion::log
