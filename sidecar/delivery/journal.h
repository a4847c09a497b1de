// A file of records that are as durable as one fdatasync makes them, for what is committed and not
// yet in a database's own files.
//
// Records belong to a *generation*. The file has two halves, for the present generation and for the
// one before, until that is elsewhere (it is *settled*); the next one then overwrites it. So the
// file keeps its size, and syncing it costs less than syncing one that grows. After a crash, what
// was appended since the last Sync() may be there, or its first part, or nothing of it.
//
// A record in the file: a header of 32 bytes (XXH3 of all that follows; generation; number of the
// record in it, from 0, and 2^32 times how many before it were synced: of the first record, all
// that the generation before has; size of the record; all 64 bits, in the machine's order), the
// record.
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
  using Use = absl::FunctionRef<absl::Status(std::string_view record)>;

  // A generation never has more than `max_bytes`, and the file twice that.
  static absl::StatusOr<Journal> Open(std::string path, size_t max_bytes);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  // Calls `use` with each whole record of the generation, and then of the next, in the order they
  // were appended, until it fails. What is appended then follows the last one. DataLoss: a record
  // that was synced is damaged. FailedPrecondition: the file has a later generation.
  absl::Status Read(uint64_t generation, Use use);
  // Whether the file has records of any generation.
  absl::StatusOr<bool> HasRecords() const;
  // The same for what was appended here and is not settled.
  absl::Status ReadAgain(Use use) const;

  bool HasRoomFor(size_t record_bytes) const;
  // A record of two parts, one after the other. After an error it does not count, but after a power
  // cut it might: start a new generation before anything else. REQUIRES: HasRoomFor both.
  absl::Status Append(std::string_view first, std::string_view second, bool sync);
  absl::Status Sync();
  // Everything is settled; what comes is of `generation`.
  void Start(uint64_t generation);
  // What comes is of the next generation. REQUIRES: all is synced, and the generation before the
  // present one settled.
  void StartNext();
  void SettledBefore() { before_ = Section(); }

  uint64_t generation() const { return present_.generation; }
  // Not settled, of both generations.
  uint64_t records() const { return before_.records + present_.records; }
  size_t present_bytes() const { return present_.bytes; }
  bool synced() const { return synced_; }
  // Whether the file has no name any more, and will be gone with the process.
  bool deleted() const;

 private:
  // A generation in its half of the file.
  struct Section {
    uint64_t generation = 0;
    int half = 0;
    uint64_t records = 0;
    uint64_t synced = 0;     // records
    uint64_t before_it = 0;  // records of the generation before, if that was not settled
    size_t bytes = 0;
  };
  struct Header;

  Journal(std::string path, size_t max_bytes, int descriptor);

  size_t BeginOf(int half) const { return half == 0 ? 0 : max_bytes_; }
  size_t BeginOf(const Section& section) const { return BeginOf(section.half); }
  size_t EndOf(const Section& section) const { return BeginOf(section) + section.bytes; }
  // Whether a whole record of that half of the file is at `offset`: `bytes`, with its header.
  absl::StatusOr<bool> ReadWhole(int half, size_t offset, Header& header, std::string& bytes) const;
  absl::Status Damaged(const Section& section) const;
  absl::Status CheckNothingIsDamaged(const Section& section) const;
  absl::Status CheckNothingIsLater() const;
  // The records that follow those which the section has.
  absl::Status ReadOn(Section& section, uint64_t up_to, Use use) const;
  absl::StatusOr<int> HalfOf(uint64_t generation) const;
  absl::Status MakeRoom(size_t end);
  absl::Status Write(std::string_view bytes, size_t offset) const;

  std::string path_;
  size_t max_bytes_;  // of a half
  int descriptor_;
  size_t file_bytes_ = 0;
  Section before_;  // without records: settled
  Section present_;
  bool synced_ = true;
  std::string buffer_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_JOURNAL_H_
