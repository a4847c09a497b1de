// Content-Length and Transfer-Encoding that two implementations could read differently.
#include <string_view>

#include "core/http/malformed_requests.h"

namespace pillion::http::internal {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kLengths[] = {
    "",
    " ",
    "+5",
    "-5",
    "-0",
    "+0",
    "--5",
    "5-",
    "5+",
    "0x5",
    "0X5",
    "5x",
    "x5",
    "5h",
    "0b101",
    "0o5",
    "5.0",
    "5.",
    ".5",
    "5e0",
    "1e3",
    "1_000",
    "1,000,",
    "5 5",
    "5\t5",
    "5;",
    "5; x",
    "\"5\"",
    "'5'",
    "(5)",
    "5#",
    "5 x",
    "five",
    "NaN",
    "inf",
    "null",
    "chunked",
    ",",
    "5,",
    ",5",
    "5,,5",
    "5, ",
    "5,6",
    "5, 6",
    "6,5",
    "5,5,6",
    "5 ,6",
    "05,6",
    "0,1",
    "5,x",
    "5;5",
    "\xef\xbc\x95",
    "\xb5",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551621",
    "99999999999999999999",
    "340282366920938463463374607431768211461",
    "000000000000000000009223372036854775808",
    "5\r\nContent-Length: 6",
    "5\r\ncontent-length: 6",
    "5\r\nX: y\r\nContent-Length: 0",
    "0\r\nContent-Length: 5",
    "5\r\nContent-Length:",
    "5\r\nContent-Length: 5\r\nContent-Length: 6",
    "5\r\nContent-Length: 5,6",
    "5\r\nContent-Length: +5",
    "5\r\n 6",
    "5\r\n\t6",
    "\r\n 5",
};

constexpr std::string_view kCodings[] = {
    "",
    " ",
    "gzip",
    "identity",
    "compress",
    "deflate",
    "br",
    "trailers",
    "chunked, identity",
    "identity, chunked",
    "identity,chunked",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,chunked",
    "chunked,",
    ",chunked",
    ", chunked",
    "chunked,,",
    "xchunked",
    "chunkedx",
    "x-chunked",
    "chunk",
    "chunke",
    "hunked",
    "chun ked",
    "chunked x",
    "x chunked",
    "chunked\tx",
    "\"chunked\"",
    "'chunked'",
    "[chunked]",
    "(chunked)",
    "chunked;",
    "chunked;q=1",
    "chunked; q=0",
    "chunked;a=b",
    "chunked=1",
    "chunked:",
    ":chunked",
    "chunked\xa0",
    "\xa0"
    "chunked",
    "\xef\xbb\xbf"
    "chunked",
    "\xe2\x84\xaahunked",
    "chun\xe2\x84\xaa"
    "ed",
    "c%68unked",
    "chunked%00",
    "chunked\\",
    "0",
    "1",
    "null",
    "none",
    "true",
    "chunked\r\nTransfer-Encoding: chunked",
    "chunked\r\nTransfer-Encoding: identity",
    "identity\r\nTransfer-Encoding: chunked",
    "chunked\r\ntransfer-encoding: x",
    "gzip\r\nTransfer-Encoding: chunked",
    "chunked\r\nX: y\r\nTransfer-Encoding:",
    "\r\n chunked",
    "\r\n\tchunked",
    "chunked\r\n , identity",
    "x\r\n chunked",
};

struct Lines {
  std::string_view name;
  std::string_view lines;
};

constexpr Lines kBoth[] = {
    {"CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked"},
    {"TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4"},
    {"CL 0 and TE", "Content-Length: 0\r\nTransfer-Encoding: chunked"},
    {"CL and other TE", "Content-Length: 5\r\nTransfer-Encoding: identity"},
    {"CL and empty TE", "Content-Length: 5\r\nTransfer-Encoding:"},
    {"CL and obfuscated TE", "Content-Length: 5\r\nTransfer-Encoding: xchunked"},
    {"CL and two TE", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x"},
    {"two CL and TE", "Content-Length: 5\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"},
    {"invalid CL and TE", "Content-Length: x\r\nTransfer-Encoding: chunked"},
    {"CL and TE in odd case", "cONTENT-lENGTH: 5\r\ntRANSFER-eNCODING: cHUNKED"},
    {"CL and TE hidden by Connection",
     "Connection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"},
    {"TE and CL hidden by Connection",
     "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\nContent-Length: 5"},
    {"space before the colon of TE", "Transfer-Encoding : chunked"},
    {"tab before the colon of TE", "Transfer-Encoding\t: chunked"},
    {"space before the colon of CL", "Content-Length : 5"},
    {"tab before the colon of CL", "Content-Length\t: 5"},
    {"CL and TE with a space before its colon", "Content-Length: 5\r\nTransfer-Encoding : chunked"},
    {"TE after a space", " Transfer-Encoding: chunked"},
    {"CL after a tab", "\tContent-Length: 5"},
    {"TE folded onto another header", "X: y\r\n Transfer-Encoding: chunked"},
    {"vertical tab before chunked", "Transfer-Encoding:\vchunked"},
    {"form feed after chunked", "Transfer-Encoding: chunked\f"},
    {"NUL after chunked", "Transfer-Encoding: chunked\0"sv},
    {"NUL in the name of TE", "Transfer-Encoding\0: chunked"sv},
    {"NUL after a length", "Content-Length: 5\0"sv},
    {"vertical tab before a length", "Content-Length:\v5"},
    {"CR after chunked", "Transfer-Encoding: chunked\rX: y"},
    {"LF before TE", "X: y\nTransfer-Encoding: chunked"},
    {"backspaces in TE", "Transfer-Encoding: xxxx\b\b\b\bchunked"},
    {"escape before chunked",
     "Transfer-Encoding: \x1b"
     "chunked"},
    {"TE without a colon", "Transfer-Encoding chunked"},
    {"TE with an equals sign", "Transfer-Encoding= chunked"},
    {"CL without a colon", "Content-Length 5"},
    {"TE in quotes", "\"Transfer-Encoding\": chunked"},
    {"non-ASCII in the name of TE",
     "Tran\xc5\xbf"
     "fer-Encoding: chunked"},
    {"space in the name of TE", "Transfer Encoding: chunked"},
    {"space in the name of CL", "Content Length: 5"},
};

}  // namespace

void AddMalformedFraming(std::vector<MalformedRequest>* out) {
  const auto add = [out](std::string_view name, std::string_view version, std::string_view lines) {
    // The body would end in a second request if it were read in the other way.
    std::string bytes =
        "POST / HTTP/" + std::string(version) + "\r\nHost: orders\r\n" + std::string(lines);
    bytes += "\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: orders\r\n\r\n";
    out->push_back({"framing: " + std::string(name), std::move(bytes), 400});
  };
  for (std::string_view value : kLengths) {
    const std::string lines = "Content-Length: " + std::string(value);
    add(lines, "1.1", lines);
  }
  for (std::string_view value : kCodings) {
    const std::string lines = "Transfer-Encoding: " + std::string(value);
    add(lines, "1.1", lines);
  }
  for (const Lines& both : kBoth) add(both.name, "1.1", both.lines);
  add("TE in HTTP/1.0", "1.0", "Transfer-Encoding: chunked");
  add("TE and keep-alive in HTTP/1.0", "1.0",
      "Connection: keep-alive\r\nTransfer-Encoding: chunked");
  add("CL.TE in HTTP/1.0", "1.0", "Content-Length: 5\r\nTransfer-Encoding: chunked");
  add("TE.CL in HTTP/1.0", "1.0", "Transfer-Encoding: chunked\r\nContent-Length: 5");
  add("TE identity in HTTP/1.0", "1.0", "Transfer-Encoding: identity");
  add("differing CL in HTTP/1.0", "1.0", "Content-Length: 5\r\nContent-Length: 6");
}

}  // namespace pillion::http::internal
