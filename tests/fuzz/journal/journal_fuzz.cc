// Fuzzes what is read from the store's journal: a file of any bytes gives records only that say
// they are whole, and a record's statements and values are parts of it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidecar/delivery/journal.h"
#include "sidecar/delivery/statement_log.h"

namespace pillion::delivery {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsPartOf(std::string_view whole, std::string_view part) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void CheckRecord(std::string_view record) {
  const absl::Status read = ReadRecord(record, [&](const LoggedStatement& logged) {
    Require(IsPartOf(record, logged.sql));
    for (const LoggedValue& value : logged.values) {
      Require(value.tag != StatementLog::kEnd);
      Require(IsPartOf(record, value.bytes));
    }
    return absl::OkStatus();
  });
  Require(read.ok() || read.code() == absl::StatusCode::kDataLoss);
}

void CheckFile(std::string_view bytes) {
  const int file = memfd_create("journal", MFD_CLOEXEC);
  Require(write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  auto journal = Journal::Open("/proc/self/fd/" + std::to_string(file), 1 << 20);
  Require(journal.ok());
  uint64_t records = 0;
  const absl::Status read = journal->Read(1, [&](std::string_view record) {
    ++records;
    CheckRecord(record);
    return absl::OkStatus();
  });
  Require(read.ok() && records == journal->records());
  // What is appended follows what was whole.
  if (journal->HasRoomFor(5)) {
    Require(journal->Append("re", "cor", true).ok());
    Require(journal
                ->ReadAgain([&](std::string_view record) {
                  if (records-- == 0) Require(record == "recor");
                  return absl::OkStatus();
                })
                .ok());
  }
  close(file);
}

}  // namespace
}  // namespace pillion::delivery

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  pillion::delivery::CheckRecord(bytes);
  pillion::delivery::CheckFile(bytes);
  return 0;
}
