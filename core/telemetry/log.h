// The process log: what an operator reads when something is wrong. One line per message on standard
// error, as text or as JSON, with a UTC time stamp in milliseconds, the level, the component and
// the thread.
//
//   constexpr log::Logger kLog("xds");
//   kLog.Info("connected to ", address, " after ", attempts, " attempts");
//
//   2026-03-01T12:00:00.123Z info  [xds] [main] connected to 127.0.0.1:18000 after 2 attempts
//
// Arguments are anything that absl::StrCat takes, and whatever converts to std::string_view; they
// are not converted unless the level is on, which costs one relaxed load to find out. Control
// characters and bytes that are not UTF-8 are escaped, so that nothing that came from the network
// can forge a line.
//
// Threads: everything may be called from any thread, at any time after main() began. A message is
// written before the call returns; that is why it is for events, and calls are logged in
// access_log.h.
#ifndef PILLION_CORE_TELEMETRY_LOG_H_
#define PILLION_CORE_TELEMETRY_LOG_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace pillion::log {

enum class Level { kTrace, kDebug, kInfo, kWarning, kError, kOff };
enum class Format { kText, kJson };

// The level below which nothing is written. INFO until set. Takes effect on all threads at once,
// within no particular order against messages under way.
void SetLevel(Level level);
Level GetLevel();

// TEXT until set. Call it before other threads start if no line may have the other format.
void SetFormat(Format format);

// "TRACE", "DEBUG", "INFO", "WARNING" (or "WARN"), "ERROR", "OFF", in any case; nullopt for
// anything else.
std::optional<Level> ParseLevel(std::string_view name);

// The name that ParseLevel reads, in lower case ("info").
std::string_view LevelName(Level level);

// Names the calling thread, in the log and for the kernel (`top -H`, at most 15 bytes are shown
// there). A thread without a name appears by its kernel thread id.
void SetThreadName(std::string_view name);

namespace internal {
extern std::atomic<Level> level;
void Write(Level level, std::string_view component, std::string_view message);

// absl::string_view is a type of its own in Debian's Abseil, and absl::StrCat knows no other.
template <typename T>
decltype(auto) ForStrCat(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view> &&
                !std::is_convertible_v<const T&, absl::AlphaNum>) {
    const std::string_view view = value;
    return absl::string_view(view.data(), view.size());
  } else {
    return (value);
  }
}
}  // namespace internal

inline bool IsOn(Level level) { return level >= internal::level.load(std::memory_order_relaxed); }

// Writes for one component. A value: make it a constant of the source file.
class Logger {
 public:
  // REQUIRES: `component` outlives the logger (a literal).
  constexpr explicit Logger(std::string_view component) : component_(component) {}

  template <typename... Args>
  void Trace(const Args&... args) const {
    At(Level::kTrace, args...);
  }
  template <typename... Args>
  void Debug(const Args&... args) const {
    At(Level::kDebug, args...);
  }
  template <typename... Args>
  void Info(const Args&... args) const {
    At(Level::kInfo, args...);
  }
  template <typename... Args>
  void Warning(const Args&... args) const {
    At(Level::kWarning, args...);
  }
  template <typename... Args>
  void Error(const Args&... args) const {
    At(Level::kError, args...);
  }

  // REQUIRES: `level` is not kOff.
  template <typename... Args>
  void At(Level level, const Args&... args) const {
    if (IsOn(level)) internal::Write(level, component_, absl::StrCat(internal::ForStrCat(args)...));
  }

 private:
  std::string_view component_;
};

// The same for what belongs to no component in particular.
inline constexpr Logger kProcess("process");

template <typename... Args>
void Trace(const Args&... args) {
  kProcess.Trace(args...);
}
template <typename... Args>
void Debug(const Args&... args) {
  kProcess.Debug(args...);
}
template <typename... Args>
void Info(const Args&... args) {
  kProcess.Info(args...);
}
template <typename... Args>
void Warning(const Args&... args) {
  kProcess.Warning(args...);
}
template <typename... Args>
void Error(const Args&... args) {
  kProcess.Error(args...);
}

// One condition that may repeat thousands of times a second: writes it at most once per interval,
// and says how many messages it kept back since the last one. One object per condition, as a member
// or a static:
//
//   static log::Limited accept_failed(kLog);
//   accept_failed.Warning("cannot accept: ", error);     // ... (4711 more of these were not shown)
//
// Threads: any. Costs one clock read and one relaxed load while it keeps back.
class Limited {
 public:
  constexpr explicit Limited(Logger logger, absl::Duration interval = absl::Seconds(1))
      : logger_(logger), interval_(interval) {}

  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;

  template <typename... Args>
  void Info(const Args&... args) {
    At(Level::kInfo, args...);
  }
  template <typename... Args>
  void Warning(const Args&... args) {
    At(Level::kWarning, args...);
  }
  template <typename... Args>
  void Error(const Args&... args) {
    At(Level::kError, args...);
  }

  template <typename... Args>
  void At(Level level, const Args&... args) {
    if (!IsOn(level)) return;
    if (std::optional<uint64_t> kept_back = Admit(MonotonicNow())) {
      Write(level, *kept_back, absl::StrCat(internal::ForStrCat(args)...));
    }
  }

  // Whether a message at `now` (nanoseconds of a monotonic clock) is to be written: how many were
  // kept back since the last one, or nullopt if this one is to be kept back, too.
  std::optional<uint64_t> Admit(int64_t now);

 private:
  static int64_t MonotonicNow();
  void Write(Level level, uint64_t kept_back, std::string_view message) const;

  Logger logger_;
  absl::Duration interval_;
  std::atomic<int64_t> next_{INT64_MIN};
  std::atomic<uint64_t> kept_back_{0};
};

}  // namespace pillion::log

#endif  // PILLION_CORE_TELEMETRY_LOG_H_
