#include "tests/integration/harness/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "tests/integration/harness/checksum.h"

namespace pillion::harness {
namespace {

TEST(TempDir, ExistsForItsLifeAndTakesItsContentAlong) {
  std::string path;
  {
    TempDir directory;
    path = directory.path();
    ASSERT_TRUE(WriteFileAtomically(directory / "a/b/c.yaml", "x: 1").ok());
    EXPECT_TRUE(std::filesystem::is_directory(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDir, IsTheNewOwnersAfterAMove) {
  TempDir first;
  const std::string path = first.path();
  {
    TempDir second = std::move(first);
    EXPECT_EQ(second.path(), path);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDir, HasAPathForUnixSocketsWhereverTheTestRuns) {
  EXPECT_LT((TempDir::ForSockets() / "sidecar-admin.sock").size(), 64u);
}

TEST(Files, ReadWhatWasWritten) {
  TempDir directory;
  const std::string path = directory / "f";
  const std::string bytes("a\0\r\n\xff", 5);
  ASSERT_TRUE(WriteFileAtomically(path, "a longer content, that goes").ok());
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  EXPECT_EQ(ReadFile(path).value(), bytes);
  ASSERT_TRUE(WriteFileInPlace(path, "b").ok());
  EXPECT_EQ(ReadFile(path).value(), "b");
}

TEST(Files, ReplaceTheFileRatherThanItsContentWhenAtomic) {
  TempDir directory;
  const std::string path = directory / "f", old = directory / "old";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  std::filesystem::create_hard_link(path, old);
  ASSERT_TRUE(WriteFileAtomically(path, "new").ok());
  EXPECT_EQ(ReadFile(old).value(), "old");
  EXPECT_EQ(ReadFile(path).value(), "new");
}

TEST(Files, NameTheFileThatCannotBeReadOrWritten) {
  const auto read = ReadFile("/nowhere/f");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(read.status().ToString().find("/nowhere/f"), std::string::npos);
  EXPECT_FALSE(WriteFileInPlace("/nowhere/f", "").ok());
}

TEST(Files, FindTheTestsData) {
  EXPECT_TRUE(ReadFile(Runfile("tests/integration/harness/BUILD.bazel")).ok());
}

TEST(Checksum, IsFnv1aWhereverThePiecesAreCut) {
  Checksum whole, pieces;
  whole.Add("foobar");
  pieces.Add("fo");
  pieces.Add("");
  pieces.Add("obar");
  EXPECT_EQ(whole.value(), 0x85944171f73967e8u);  // From the algorithm's published test vectors.
  EXPECT_EQ(pieces.value(), whole.value());
  EXPECT_EQ(pieces.size(), 6u);
}

TEST(RandomBody, HasItsSizeAndDependsOnItsSeedAlone) {
  const auto checksum = [](uint64_t size, uint64_t seed) {
    Checksum sum;
    const BodySource source = RandomBody(size, seed);
    for (std::string piece = source(); !piece.empty(); piece = source()) sum.Add(piece);
    EXPECT_EQ(sum.size(), size);
    return sum.value();
  };
  EXPECT_EQ(checksum(200'001, 7), checksum(200'001, 7));
  EXPECT_NE(checksum(200'001, 7), checksum(200'001, 9));
  EXPECT_NE(checksum(200'001, 7), checksum(200'002, 7));
}

}  // namespace
}  // namespace pillion::harness
