#include "sidecar/delivery/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
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

struct Header {
  uint64_t hash;
  uint64_t generation;
  uint64_t number;
  uint64_t size;
};

uint64_t HashOf(std::string_view header_and_record) {
  header_and_record.remove_prefix(sizeof(Header::hash));
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
      generation_(other.generation_),
      records_(other.records_),
      end_(other.end_),
      synced_(other.synced_) {}

Journal::~Journal() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status Journal::ReadUpTo(uint64_t records,
                               absl::FunctionRef<absl::Status(std::string_view record)> use,
                               uint64_t* found, size_t* end) const {
  std::string bytes;
  for (*found = 0, *end = 0; *found < records; ++*found) {
    Header header;
    bytes.resize(sizeof header);
    PILLION_ASSIGN_OR_RETURN(size_t got,
                             ReadAt(descriptor_, path_, bytes.data(), bytes.size(), *end));
    if (got < bytes.size()) break;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.generation != generation_ || header.number != *found) break;
    const size_t begin = *end + sizeof header;
    if (begin > file_bytes_ || header.size > file_bytes_ - begin) break;
    bytes.resize(sizeof header + header.size);
    PILLION_ASSIGN_OR_RETURN(got, ReadAt(descriptor_, path_, bytes.data(), bytes.size(), *end));
    if (got < bytes.size() || HashOf(bytes) != header.hash) break;
    PILLION_RETURN_IF_ERROR(use(std::string_view(bytes).substr(sizeof header)));
    *end += bytes.size();
  }
  return absl::OkStatus();
}

absl::Status Journal::Read(uint64_t generation,
                           absl::FunctionRef<absl::Status(std::string_view record)> use) {
  generation_ = generation;
  return ReadUpTo(std::numeric_limits<uint64_t>::max(), use, &records_, &end_);
}

absl::Status Journal::ReadAgain(
    absl::FunctionRef<absl::Status(std::string_view record)> use) const {
  uint64_t found = 0;
  size_t end = 0;
  PILLION_RETURN_IF_ERROR(ReadUpTo(records_, use, &found, &end));
  if (found == records_) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("store ", path_, ": has ", found, " of ", records_,
                                          " records that were written to it; did another process "
                                          "change the file?"));
}

bool Journal::HasRoomFor(size_t record_bytes) const {
  return record_bytes <= max_bytes_ && end_ + sizeof(Header) + record_bytes <= max_bytes_;
}

absl::Status Journal::MakeRoom(size_t end) {
  if (end <= file_bytes_) return absl::OkStatus();
  const size_t wanted = std::min(max_bytes_, (end + kGrowth - 1) / kGrowth * kGrowth);
  PILLION_RETURN_IF_ERROR(Write(std::string(wanted - file_bytes_, '\0'), file_bytes_));
  file_bytes_ = wanted;
  return absl::OkStatus();
}

absl::Status Journal::Append(std::string_view first, std::string_view second, bool sync) {
  const size_t size = first.size() + second.size();
  assert(HasRoomFor(size));
  Header header{0, generation_, records_, size};
  buffer_.resize(sizeof header);
  buffer_.append(first).append(second);
  std::memcpy(buffer_.data(), &header, sizeof header);
  header.hash = HashOf(buffer_);
  std::memcpy(buffer_.data(), &header.hash, sizeof header.hash);
  PILLION_RETURN_IF_ERROR(MakeRoom(end_ + buffer_.size()));
  absl::Status written = Write(buffer_, end_);
  if (written.ok() && sync) written = Sync();
  if (!written.ok()) {
    // Nobody is told of it, so the next start must not find it.
    Write(std::string(sizeof header, '\0'), end_).IgnoreError();
    return written;
  }
  synced_ = sync;
  end_ += buffer_.size();
  ++records_;
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
  return absl::OkStatus();
}

void Journal::Start(uint64_t generation) {
  generation_ = generation;
  records_ = 0;
  end_ = 0;
  synced_ = true;
}

}  // namespace pillion::delivery
