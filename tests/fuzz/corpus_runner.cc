// main() of a fuzz target's test: feeds each file named on the command line to
// LLVMFuzzerTestOneInput once, as a GoogleTest case of the file's name. What the target asserts,
// and the sanitizers, decide whether it passes. See bazel/fuzz.bzl.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

class CorpusFile : public testing::Test {
 public:
  explicit CorpusFile(std::string path) : path_(std::move(path)) {}

  void TestBody() override {
    std::ifstream file(path_, std::ios::binary);
    ASSERT_TRUE(file) << "cannot read " << path_;
    const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
    // A block of just this size, so that the address sanitizer sees a read past the end.
    auto exact = std::make_unique<uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    EXPECT_EQ(LLVMFuzzerTestOneInput(exact.get(), bytes.size()), 0);
  }

 private:
  const std::string path_;
};

class EmptyCorpus : public testing::Test {
 public:
  void TestBody() override { FAIL() << "the corpus has no file, so that nothing was tested"; }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    const std::string name = std::filesystem::path(path).filename();
    testing::RegisterTest("Corpus", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [path]() -> CorpusFile* { return new CorpusFile(path); });
  }
  if (argc == 1) {
    testing::RegisterTest("Corpus", "IsNotEmpty", nullptr, nullptr, __FILE__, __LINE__,
                          []() -> EmptyCorpus* { return new EmptyCorpus; });
  }
  return RUN_ALL_TESTS();
}
