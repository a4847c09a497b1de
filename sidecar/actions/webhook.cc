#include "sidecar/actions/webhook.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "core/strings.h"

namespace pillion::sidecar {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr size_t kMinKeyBytes = 24;
constexpr size_t kMaxKeyBytes = 64;
constexpr size_t kMaxFileBytes = 64 * 1024;

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return absl::NotFoundError(std::strerror(errno));
  std::string text(kMaxFileBytes + 1, '\0');
  size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < text.size()) {
    got = read(file, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<size_t>(got);
  }
  const int error = errno;
  close(file);
  if (got < 0) return absl::UnavailableError(std::strerror(error));
  if (size > kMaxFileBytes) return absl::InvalidArgumentError("it is larger than 64 KiB");
  text.resize(size);
  return text;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseWebhookSecrets(std::string_view text) {
  std::vector<std::string> keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    std::string_view secret = FromAbsl(absl::StripAsciiWhitespace(line));
    if (secret.empty() || secret[0] == '#') continue;
    std::string key;
    if (!ConsumePrefix(secret, kPrefix) || !absl::Base64Unescape(ToAbsl(secret), &key)) {
      return absl::InvalidArgumentError(
          StrCat("line ", number, " is no secret: write whsec_ and the base64 of a random key"));
    }
    if (key.size() < kMinKeyBytes || key.size() > kMaxKeyBytes) {
      return absl::InvalidArgumentError(StrCat("line ", number, ": a key has ", kMinKeyBytes,
                                               " to ", kMaxKeyBytes, " bytes, this one has ",
                                               key.size()));
    }
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return absl::InvalidArgumentError("there is no secret in it");
  return keys;
}

absl::StatusOr<std::vector<std::string>> ReadWebhookSecrets(const std::string& path) {
  absl::StatusOr<std::string> text = ReadSmallFile(path);
  absl::Status status = text.status();
  if (text.ok()) {
    absl::StatusOr<std::vector<std::string>> keys = ParseWebhookSecrets(*text);
    if (keys.ok()) return keys;
    status = keys.status();
  }
  return absl::Status(status.code(),
                      StrCat("the secret file ", path, ": ", FromAbsl(status.message())));
}

std::string WebhookSignature(const std::vector<std::string>& keys, std::string_view id,
                             int64_t timestamp, std::string_view body) {
  const std::string content = StrCat(id, ".", timestamp, ".", body);
  std::string signatures;
  for (const std::string& key : keys) {
    StrAppend(&signatures, signatures.empty() ? "" : " ", "v1,",
              absl::Base64Escape(HmacSha256(key, content)));
  }
  return signatures;
}

}  // namespace pillion::sidecar
