// Chunked bodies whose framing is broken. Their heads are valid.
#include <string_view>

#include "core/http/malformed_requests.h"

namespace pillion::http::internal {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kBodies[] = {
    // Sizes.
    "\r\n",
    "\r\n5\r\nhello\r\n0\r\n\r\n",
    "x\r\n",
    "G\r\n",
    "hello\r\n",
    ";\r\n",
    ";a=b\r\n",
    "-5\r\nhello\r\n",
    "+5\r\nhello\r\n",
    "0x5\r\nhello\r\n",
    "0X5\r\nhello\r\n",
    "5h\r\nhello\r\n",
    "5x\r\nhello\r\n",
    " 5\r\nhello\r\n",
    "\t5\r\nhello\r\n",
    "5 \r\nhello\r\n",
    "5\t\r\nhello\r\n",
    "5 5\r\nhello\r\n",
    "5,\r\nhello\r\n",
    "5,5\r\nhello\r\n",
    "5.\r\nhello\r\n",
    "5.0\r\nhello\r\n",
    "5_\r\nhello\r\n",
    "\"5\"\r\nhello\r\n",
    "{5}\r\nhello\r\n",
    "5=\r\nhello\r\n",
    "5:\r\nhello\r\n",
    "5\v\r\nhello\r\n",
    "5\0\r\nhello\r\n"sv,
    "\0"sv,
    "\xef\xbc\x95\r\nhello\r\n",
    "5\x80\r\nhello\r\n",
    "-0\r\n\r\n",
    "0 \r\n\r\n",
    "0 0\r\n\r\n",
    "0x0\r\n\r\n",
    "00000000000000005\r\nhello\r\n",
    "00000000000000000\r\n\r\n",
    "10000000000000005\r\nhello\r\n",
    "fffffffffffffffff\r\n",
    "ffffffffffffffff\r\n",
    "8000000000000000\r\n",
    "FFFFFFFFFFFFFFF0\r\n",
    "100000000000000000000000000000005\r\nhello\r\n",
    // Ends of the size line.
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\rhello",
    "5\r \nhello\r\n",
    "5\r\r\nhello\r\n",
    "5\n\rhello\r\n",
    "0\n\n",
    "0\n\r\n",
    "0\r0\r\n",
    // Extensions.
    "5;\nhello\r\n",
    "5;a\nhello\r\n",
    "5;a=b\nhello\r\n",
    "5;a=\"\n\"\r\nhello\r\n",
    "5;a\rhello\r\n",
    "5;a=b\rc\r\nhello\r\n",
    "5;a=\"\r\"\r\nhello\r\n",
    "5;\0\r\nhello\r\n"sv,
    "5;a=\x01\r\nhello\r\n",
    "5;a=\x7f\r\nhello\r\n",
    "5 a\r\nhello\r\n",
    "5 =\r\nhello\r\n",
    "5 ;\nhello\r\n",
    "0;\n\r\n",
    "0;a\n\r\n",
    "0;a=b\r\r\n\r\n",
    "5;\r\r\nhello\r\n",
    "5;a\v\r\nhello\r\n",
    // Ends of the data.
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello\r\r\n0\r\n\r\n",
    "5\r\nhello\n\r0\r\n\r\n",
    "5\r\nhell\r\n0\r\n\r\n",
    "5\r\nhello \r\n0\r\n\r\n",
    "1\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "5\r\nhello\r\n\r\n",
    "5\r\nhello\r\nGET / HTTP/1.1\r\n\r\n",
    "5\r\nhello\r\n-1\r\n",
    "5\r\nhello\r\n 0\r\n\r\n",
    "5\r\nhello;\r\n",
    // The end of the body, and trailers.
    "0\r\n\n",
    "0\r\n\rX",
    "0\r\n\r\r\n",
    "0\r\nGET /admin HTTP/1.1\r\nHost: orders\r\n\r\n",
    "0\r\nX\r\n\r\n",
    "0\r\n: y\r\n\r\n",
    "0\r\n X: y\r\n\r\n",
    "0\r\n\tX: y\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\nX y: z\r\n\r\n",
    "0\r\nX: y\r\n z\r\n\r\n",
    "0\r\nX: y\n\r\n",
    "0\r\nX: y\nZ: a\r\n\r\n",
    "0\r\nX: y\rZ\r\n\r\n",
    "0\r\nX: y\r\r\n",
    "0\r\nX: y\r\n\n",
    "0\r\nX: \0\r\n\r\n"sv,
    "0\r\nX\0: y\r\n\r\n"sv,
    "0\r\nX: \x7f\r\n\r\n",
    "0\r\n\0\r\n"sv,
    "0\r\n\xc3\xa4: y\r\n\r\n",
    "0\r\n0\r\n\r\n",
    "0\r\nX(Y): z\r\n\r\n",
};

}  // namespace

void AddMalformedBodies(std::vector<MalformedRequest>* out) {
  const std::string head = "POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto add = [&](const std::string& name, std::string_view body, int status) {
    out->push_back({"chunks: " + name, head + std::string(body), status});
  };
  for (std::string_view body : kBodies) add(std::string(body), body, 400);

  const std::string long_text(300, 'a');
  add("too long an extension", "5;" + long_text + "\r\nhello\r\n0\r\n\r\n", 400);
  add("too long an extension's value", "5;a=\"" + long_text + "\"\r\nhello\r\n0\r\n\r\n", 400);
  add("too long an extension of the last chunk", "0;" + long_text + "\r\n\r\n", 400);
  add("too much white space before an extension",
      "5" + std::string(300, ' ') + ";a\r\nhello\r\n0\r\n\r\n", 400);
  add("an extension that never ends", "5;" + std::string(70000, 'a'), 400);
  const std::string endless(9000, 'a');
  add("too long a trailer value", "0\r\nX: " + endless + "\r\n\r\n", 431);
  add("too long a trailer name", "0\r\n" + endless + ": y\r\n\r\n", 431);
  std::string lines;
  while (lines.size() < 9000) lines += "X: y\r\n";
  add("trailers that never end", "0\r\n" + lines, 431);
}

}  // namespace pillion::http::internal
