// A file of records that are as durable as one fdatasync makes them, for what is committed and not
// yet in a database's own files.
//
// Records belong to a *generation*; whoever has put those of one generation elsewhere starts the
// next, whose records overwrite the file from its beginning. So the file keeps its size, and
// syncing it costs less than syncing one that grows. After a crash, what was appended since the
// last Sync() may be there, or its first part, or nothing of it.
//
// A record in the file: a header of 32 bytes (XXH3 of all that follows; generation; number of the
// record in it, from 0; size of the record; all 64 bits, in the machine's order), the record.
//
// One thread at a time. Errors name the file, the cause and what to do: ResourceExhausted if the
// disk is full, PermissionDenied, Unavailable.
#ifndef PILLION_SIDECAR_DELIVERY_JOURNAL_H_
#define PILLION_SIDECAR_DELIVERY_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pillion::delivery {

class Journal {
 public:
  // The file never has more than `max_bytes`.
  static absl::StatusOr<Journal> Open(std::string path, size_t max_bytes);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  // Calls `use` with each whole record of the generation in the order they were appended, until it
  // fails; then goes on appending behind them.
  absl::Status Read(uint64_t generation,
                    absl::FunctionRef<absl::Status(std::string_view record)> use);
  // The same for what was appended here.
  absl::Status ReadAgain(absl::FunctionRef<absl::Status(std::string_view record)> use) const;

  bool HasRoomFor(size_t record_bytes) const;
  // A record of two parts, one after the other. After an error it does not count, but after a power
  // cut it might: start a new generation before anything else. REQUIRES: HasRoomFor both.
  absl::Status Append(std::string_view first, std::string_view second, bool sync);
  absl::Status Sync();
  void Start(uint64_t generation);

  // Of this generation.
  uint64_t records() const { return records_; }
  bool synced() const { return synced_; }

 private:
  Journal(std::string path, size_t max_bytes, int descriptor);

  absl::Status ReadUpTo(uint64_t records,
                        absl::FunctionRef<absl::Status(std::string_view record)> use,
                        uint64_t* found, size_t* end) const;
  absl::Status MakeRoom(size_t end);
  absl::Status Write(std::string_view bytes, size_t offset) const;

  std::string path_;
  size_t max_bytes_;
  int descriptor_;
  size_t file_bytes_ = 0;
  uint64_t generation_ = 0;
  uint64_t records_ = 0;
  size_t end_ = 0;  // of the last record
  bool synced_ = true;
  std::string buffer_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_JOURNAL_H_
