#include "sidecar/actions/webhook.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace pillion::sidecar {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto keys = ParseWebhookSecrets(text);
  return keys.ok() ? "" : std::string(keys.status().message());
}

// The signature was made by Python's hmac module.
TEST(Webhook, IsSignedAsOthersVerifyIt) {
  const auto keys = ParseWebhookSecrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(WebhookSignature(*keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                             R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Webhook, IsSignedWithEveryKeyWhileTheyAreRotated) {
  const auto keys = ParseWebhookSecrets(
      "# since June\nwhsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n\n"
      "  whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7  \n");
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(WebhookSignature(*keys, "msg_1", 1614265330, R"({"test": 2432232314})"),
            "v1,GWvjEzx3AphU7wha3hNZPXJnymF9Fg+ZdvPQqWPOjZ0= "
            "v1,kyywkR4XF2eQ9i9C4YoS12IVl8oshjFPoLUjHMpn0J4=");
}

TEST(Webhook, RefusesWhatIsNoSecretWithoutRepeatingIt) {
  EXPECT_EQ(ErrorOf(""), "there is no secret in it");
  EXPECT_EQ(ErrorOf("# nothing\n\n"), "there is no secret in it");
  for (const char* text : {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64!", "whsk_AAAA"}) {
    EXPECT_EQ(ErrorOf(std::string("\n") + text),
              "line 2 is no secret: write whsec_ and the base64 of a random key");
  }
  EXPECT_EQ(ErrorOf("whsec_c2hvcnQ="), "line 1: a key has 24 to 64 bytes, this one has 5");
}

TEST(Webhook, ReadsItsSecretsFromAFileThatItNamesInErrors) {
  const std::string path = testing::TempDir() + "/secrets";
  std::ofstream(path) << "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
  ASSERT_TRUE(ReadWebhookSecrets(path).ok());
  EXPECT_EQ(ReadWebhookSecrets(path)->size(), 1u);
  std::ofstream(path) << std::string(65 * 1024, '#');
  EXPECT_EQ(ReadWebhookSecrets(path).status().message(),
            "the secret file " + path + ": it is larger than 64 KiB");
  EXPECT_EQ(ReadWebhookSecrets(path + "-not").status().message(),
            "the secret file " + path + "-not: No such file or directory");
}

}  // namespace
}  // namespace pillion::sidecar
