// Follows a list of files and directories, and hands over their whole text each time it really
// changed.
//
//   auto watcher = FileWatcher::Start({"policy/"}, [](absl::StatusOr<std::vector<SourceFile>>
//   files) { ... });
//
// Seen are edits in place, edits by rename (editors, `mv`), symlink swaps (Kubernetes mounts a
// ConfigMap as `orders.yaml -> ..data/orders.yaml` and replaces `..data`), new and removed files,
// and a directory, or any directory above it, that vanishes and comes back. inotify tells when to
// look; a slow rescan covers file systems that do not report changes (NFS, some container mounts).
#ifndef PILLION_CORE_CONFIG_WATCH_H_
#define PILLION_CORE_CONFIG_WATCH_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config/sources.h"

namespace pillion::config {

class FileWatcher {
 public:
  // The full set of files, in the order of ReadSources(); or why it cannot be read, with the path
  // and the fix. Called on the watcher's own thread: once soon after the start, then whenever the
  // outcome differs from the one before. It must not destroy the watcher.
  using Callback = std::function<void(absl::StatusOr<std::vector<SourceFile>>)>;

  // `paths` are files and directories, as for ReadSources(). They need not exist yet. Relative
  // paths are taken from the working directory at this moment.
  static std::unique_ptr<FileWatcher> Start(std::vector<std::string> paths, Callback callback);

  // Waits for a running callback and joins the thread. No callback comes afterwards.
  ~FileWatcher();

  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

 private:
  class Impl;
  explicit FileWatcher(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_WATCH_H_
