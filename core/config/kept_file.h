// A file that is to have the newest content, and gets it even if the disk is full for a while.
#ifndef PILLION_CORE_CONFIG_KEPT_FILE_H_
#define PILLION_CORE_CONFIG_KEPT_FILE_H_

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace pillion::config {

// Thread-safe. Has a thread of its own from the first failure on.
class KeptFile {
 public:
  // What could not be written is tried again after `first_pause`, and then with pauses that double
  // up to a minute.
  explicit KeptFile(std::string path, absl::Duration first_pause = absl::Seconds(1));
  // Tries a last time if the newest content is not on disk.
  ~KeptFile();
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;

  // Replaces the content, as WriteFileAtomically() does. After an error it is tried again until it
  // works or there is newer content.
  absl::Status Write(std::string content);

  // Why the newest content is not on disk; "" if it is.
  std::string error() const;

  const std::string& path() const { return path_; }

 private:
  void Run();
  void WriteUnsaved();

  const std::string path_;
  const absl::Duration first_pause_;

  std::mutex write_mutex_;  // one write at a time, and unsaved_ changes with it only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<std::string> unsaved_;
  std::string error_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_KEPT_FILE_H_
