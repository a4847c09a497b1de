#include "sidecar/delivery/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

// The file grows by so much at a time: syncing what grows costs more.
constexpr size_t kGrowth = 256 * 1024;

uint64_t HashOf(std::string_view header_and_record) {
  header_and_record.remove_prefix(sizeof(uint64_t));
  return XXH3_64bits(header_and_record.data(), header_and_record.size());
}

absl::Status Error(const std::string& path, const char* what) {
  const int error = errno;
  const std::string where = absl::StrCat("store ", path, ": ");
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(
        absl::StrCat(where, "the disk is full (", std::strerror(error),
                     "); free space on its volume, or raise the quota"));
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(
        absl::StrCat(where, what, " (", std::strerror(error),
                     "); check the owner and the mode of the file and of its directory"));
  }
  return absl::UnavailableError(absl::StrCat(where, what, " (", std::strerror(error),
                                             "); check the volume and the kernel's log"));
}

// Fewer bytes at the end of the file.
absl::StatusOr<size_t> ReadAt(int descriptor, const std::string& path, char* bytes, size_t size,
                              size_t offset) {
  size_t got = 0;
  while (got < size) {
    const ssize_t n = pread(descriptor, bytes + got, size - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error(path, "cannot be read");
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  return got;
}

}  // namespace

struct Journal::Header {
  uint64_t hash;
  uint64_t generation;
  uint32_t number;
  uint32_t synced;
  uint64_t size;
};

absl::StatusOr<Journal> Journal::Open(std::string path, size_t max_bytes) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return Error(path, "cannot be opened for writing");
  Journal journal(std::move(path), max_bytes, descriptor);
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return Error(journal.path_, "cannot be looked at");
  journal.file_bytes_ = static_cast<size_t>(status.st_size);
  return journal;
}

Journal::Journal(std::string path, size_t max_bytes, int descriptor)
    : path_(std::move(path)), max_bytes_(max_bytes), descriptor_(descriptor) {}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      max_bytes_(other.max_bytes_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      file_bytes_(other.file_bytes_),
      before_(other.before_),
      present_(other.present_),
      synced_(other.synced_) {}

Journal::~Journal() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<bool> Journal::ReadWhole(int half, size_t offset, Header& header,
                                        std::string& bytes) const {
  const size_t end = BeginOf(half) + max_bytes_;
  if (offset + sizeof header > end) return false;
  bytes.resize(sizeof header);
  PILLION_ASSIGN_OR_RETURN(size_t got,
                           ReadAt(descriptor_, path_, bytes.data(), bytes.size(), offset));
  if (got < bytes.size()) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.size > end - offset - sizeof header) return false;
  bytes.resize(sizeof header + header.size);
  PILLION_ASSIGN_OR_RETURN(got, ReadAt(descriptor_, path_, bytes.data(), bytes.size(), offset));
  return got == bytes.size() && HashOf(bytes) == header.hash;
}

absl::Status Journal::ReadOn(Section& section, uint64_t up_to, Use use) const {
  Header header;
  std::string bytes;
  for (; section.records < up_to; ++section.records) {
    PILLION_ASSIGN_OR_RETURN(const bool whole,
                             ReadWhole(section.half, EndOf(section), header, bytes));
    if (!whole || header.generation != section.generation || header.number != section.records) {
      break;
    }
    if (section.records == 0) section.before_it = header.synced;
    PILLION_RETURN_IF_ERROR(use(std::string_view(bytes).substr(sizeof header)));
    section.bytes += bytes.size();
  }
  section.synced = section.records;
  return absl::OkStatus();
}

// 0 if the generation is in neither.
absl::StatusOr<int> Journal::HalfOf(uint64_t generation) const {
  Header header;
  std::string bytes;
  PILLION_ASSIGN_OR_RETURN(const bool whole, ReadWhole(1, BeginOf(1), header, bytes));
  return whole && header.generation == generation ? 1 : 0;
}

absl::Status Journal::Read(uint64_t generation, Use use) {
  constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();
  Start(generation);
  PILLION_ASSIGN_OR_RETURN(present_.half, HalfOf(generation));
  PILLION_RETURN_IF_ERROR(ReadOn(present_, kAll, use));
  PILLION_RETURN_IF_ERROR(CheckNothingIsDamaged(present_));
  Section next = {generation + 1, 1 - present_.half};
  if (present_.records > 0) {
    PILLION_RETURN_IF_ERROR(ReadOn(next, kAll, use));
    PILLION_RETURN_IF_ERROR(CheckNothingIsDamaged(next));
  } else {
    PILLION_RETURN_IF_ERROR(CheckNothingIsDamaged({generation, next.half}));
  }
  if (next.records > 0) {
    // It began when all of this one was synced.
    if (next.before_it != present_.records) return Damaged(present_);
    before_ = present_;
    present_ = next;
  }
  return CheckNothingIsLater();
}

// What was not synced may be torn, and something behind it whole. But no record says of a torn one
// that it was synced.
absl::Status Journal::CheckNothingIsDamaged(const Section& section) const {
  std::string rest(max_bytes_ - section.bytes, '\0');
  PILLION_ASSIGN_OR_RETURN(const size_t got,
                           ReadAt(descriptor_, path_, rest.data(), rest.size(), EndOf(section)));
  rest.resize(got);
  const std::string_view generation(reinterpret_cast<const char*>(&section.generation),
                                    sizeof section.generation);
  constexpr size_t kPlace = offsetof(Header, generation);
  Header header;
  std::string bytes;
  for (size_t at = rest.find(generation, kPlace); at != std::string::npos;
       at = rest.find(generation, at + 1)) {
    PILLION_ASSIGN_OR_RETURN(const bool whole,
                             ReadWhole(section.half, EndOf(section) + at - kPlace, header, bytes));
    const bool later = whole && header.number > section.records;
    if (later && header.synced > section.records) return Damaged(section);
  }
  return absl::OkStatus();
}

absl::Status Journal::Damaged(const Section& section) const {
  return absl::DataLossError(absl::StrCat(
      "store ", path_, ": is damaged at byte ", EndOf(section),
      ", and has what was accepted later; restore all files of the store from a copy, or, to go on "
      "without what it has, put an empty file in its place"));
}

absl::Status Journal::CheckNothingIsLater() const {
  Header header;
  std::string bytes;
  for (int half = 0; half < 2; ++half) {
    PILLION_ASSIGN_OR_RETURN(const bool whole, ReadWhole(half, BeginOf(half), header, bytes));
    if (!whole || header.generation <= present_.generation) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "store ", path_,
        ": is newer than the database: deliveries.db-wal is missing, or the files are not of the "
        "same time; put back those that belong together, or, to go on without what it has, put an "
        "empty file in its place"));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Journal::HasRecords() const {
  Header header;
  std::string bytes;
  PILLION_ASSIGN_OR_RETURN(const bool first, ReadWhole(0, BeginOf(0), header, bytes));
  return first ? first : ReadWhole(1, BeginOf(1), header, bytes);
}

absl::Status Journal::ReadAgain(Use use) const {
  for (const Section& section : {before_, present_}) {
    Section read = section;
    read.records = 0;
    read.bytes = 0;
    PILLION_RETURN_IF_ERROR(ReadOn(read, section.records, use));
    if (read.records == section.records) continue;
    return absl::DataLossError(absl::StrCat("store ", path_, ": has ", read.records, " of ",
                                            section.records,
                                            " records that were written to it; did another "
                                            "process change the file?"));
  }
  return absl::OkStatus();
}

bool Journal::HasRoomFor(size_t record_bytes) const {
  return record_bytes <= max_bytes_ && present_.bytes + sizeof(Header) + record_bytes <= max_bytes_;
}

// Without the times that fstat() asks for, too: whoever has asked for those, makes Linux note a new
// one with the next write, and the sync after that takes half as long again.
bool Journal::deleted() const {
  struct statx status = {};
  return statx(descriptor_, "", AT_EMPTY_PATH, STATX_NLINK, &status) == 0 && status.stx_nlink == 0;
}

absl::Status Journal::MakeRoom(size_t end) {
  const std::string zeros(end <= file_bytes_ ? 0 : kGrowth, '\0');
  while (end > file_bytes_) {
    const size_t more = std::min(kGrowth, 2 * max_bytes_ - file_bytes_);
    if (absl::Status written = Write(std::string_view(zeros).substr(0, more), file_bytes_);
        !written.ok()) {
      // On a full disk others need what this has taken of it.
      [[maybe_unused]] const int given_back =
          ftruncate(descriptor_, static_cast<off_t>(file_bytes_));
      return written;
    }
    file_bytes_ += more;
  }
  return absl::OkStatus();
}

absl::Status Journal::Append(std::string_view first, std::string_view second, bool sync) {
  const size_t size = first.size() + second.size();
  assert(HasRoomFor(size));
  const uint64_t synced = present_.records == 0 ? present_.before_it : present_.synced;
  Header header{0, present_.generation, static_cast<uint32_t>(present_.records),
                static_cast<uint32_t>(synced), size};
  buffer_.resize(sizeof header);
  buffer_.append(first).append(second);
  std::memcpy(buffer_.data(), &header, sizeof header);
  header.hash = HashOf(buffer_);
  std::memcpy(buffer_.data(), &header.hash, sizeof header.hash);
  const size_t begin = BeginOf(present_) + present_.bytes;
  PILLION_RETURN_IF_ERROR(MakeRoom(begin + buffer_.size()));
  absl::Status written = Write(buffer_, begin);
  if (written.ok() && sync) written = Sync();
  if (!written.ok()) {
    // Nobody is told of it, so the next start must not find it.
    Write(std::string(sizeof header, '\0'), begin).IgnoreError();
    return written;
  }
  synced_ = sync;
  present_.bytes += buffer_.size();
  ++present_.records;
  if (sync) present_.synced = present_.records;
  return absl::OkStatus();
}

absl::Status Journal::Write(std::string_view bytes, size_t offset) const {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error(path_, "cannot be written");
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status Journal::Sync() {
  if (fdatasync(descriptor_) != 0) return Error(path_, "cannot be synced");
  synced_ = true;
  present_.synced = present_.records;
  return absl::OkStatus();
}

void Journal::Start(uint64_t generation) {
  before_ = Section();
  present_ = {generation, 0};
  synced_ = true;
}

void Journal::StartNext() {
  assert(synced_ && before_.records == 0);
  before_ = present_;
  present_ = {before_.generation + 1, 1 - before_.half};
  present_.before_it = before_.records;
}

}  // namespace pillion::delivery
