#include "core/http/header_rules.h"

#include <string>

#include "core/http/head.h"
#include "gtest/gtest.h"

namespace pillion::http {
namespace {

std::string Text(const HeaderList& headers) {
  std::string text;
  for (const Header& header : headers) {
    text += std::string(header.name) + ": " + std::string(header.value) + "\n";
  }
  return text;
}

TEST(HopByHop, RemovesWhatIsMeantForOneConnection) {
  HeaderList headers;
  headers.Add("Host", "orders");
  for (const char* name :
       {"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate",
        "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings"}) {
    headers.Add(name, "x");
  }
  headers.Add("Content-Length", "5");
  RemoveHopByHop(&headers);
  EXPECT_EQ(Text(headers), "Host: orders\nContent-Length: 5\n");
}

TEST(HopByHop, RemovesWhatConnectionNames) {
  HeaderList headers;
  headers.Add("X-One", "1");
  headers.Add("Connection", "close, x-ONE,,x-two ");
  headers.Add("x-two", "2");
  headers.Add("X-Three", "3");
  headers.Add("x-one", "1");
  headers.Add("connection", "x-three");
  headers.Add("x-four", "4");
  RemoveHopByHop(&headers);
  EXPECT_EQ(Text(headers), "x-four: 4\n");
}

TEST(HopByHop, ConnectionCannotNameWhatOthersRelyOn) {
  for (std::string name :
       {"host", "authorization", "x-forwarded-for", "content-length", "content-type", "cookie",
        "via", "x-request-id", "traceparent", "pillion-attempt", "Pillion-Anything",
        "idempotency-key", "ce-id", "ce-custom", "prefer", "x-forwarded-proto"}) {
    HeaderList headers;
    headers.Add(name, "x");
    headers.Add("Connection", name);
    RemoveHopByHop(&headers);
    EXPECT_EQ(Text(headers), name + ": x\n");
  }
}

TEST(HopByHop, PassesAnUpgradeWithAConnectionHeaderOfItsOwn) {
  HeaderList headers;
  headers.Add("Connection", "Upgrade, x-secret");
  headers.Add("Upgrade", "websocket");
  headers.Add("X-Secret", "1");
  headers.Add("Sec-WebSocket-Key", "k");
  RemoveHopByHop(&headers, UpgradeRule::kPass);
  EXPECT_EQ(Text(headers), "Upgrade: websocket\nSec-WebSocket-Key: k\nconnection: upgrade\n");
}

TEST(HopByHop, DoesNotInventAnUpgrade) {
  HeaderList headers;
  headers.Add("Connection", "keep-alive");
  RemoveHopByHop(&headers, UpgradeRule::kPass);
  EXPECT_EQ(Text(headers), "");
}

TEST(PillionHeaders, OfACallerAreRemoved) {
  HeaderList headers;
  headers.Add("Pillion-Flag", "UF");
  headers.Add("pillion-delivery-id", "1");
  headers.Add("PILLION-ATTEMPT", "1");
  headers.Add("pillion-operation-url", "http://elsewhere/");
  headers.Add("x", "y");
  RemovePillionHeaders(&headers);
  EXPECT_EQ(Text(headers), "x: y\n");
}

TEST(Framing, HeadersSayWhatTheBodySays) {
  HeaderList headers;
  headers.Add("Content-Length", "7");
  SetFraming(&headers, {BodyFraming::kChunked, 0});
  EXPECT_EQ(Text(headers), "transfer-encoding: chunked\n");
  SetFraming(&headers, {BodyFraming::kLength, 18446744073709551615u});
  EXPECT_EQ(Text(headers), "content-length: 18446744073709551615\n");
  SetFraming(&headers, {BodyFraming::kLength, 0});
  EXPECT_EQ(Text(headers), "content-length: 0\n");
  SetFraming(&headers, {BodyFraming::kNone, 0});
  EXPECT_EQ(Text(headers), "content-length: 0\n");
  SetFraming(&headers, {BodyFraming::kUntilClose, 0});
  EXPECT_EQ(Text(headers), "");
}

TEST(Tokens, AreFoundInAnyLineAndCase) {
  HeaderList headers;
  headers.Add("Connection", "a ,\tB");
  headers.Add("Connection", "c");
  for (const char* token : {"A", "b", "C"})
    EXPECT_TRUE(HasToken(headers, HeaderId::kConnection, token));
  for (const char* token : {"a ", "a,b", "d"})
    EXPECT_FALSE(HasToken(headers, HeaderId::kConnection, token));
}

TEST(Via, NamesEveryHopAndShowsALoop) {
  HeaderList headers;
  EXPECT_FALSE(ViaContains(headers, "web-1"));
  AppendVia(&headers, Version::kHttp10, "web-1");
  AppendVia(&headers, Version::kHttp11, "users-1");
  EXPECT_EQ(Text(headers), "via: 1.0 web-1, 1.1 users-1\n");
  EXPECT_TRUE(ViaContains(headers, "web-1"));
  EXPECT_TRUE(ViaContains(headers, "USERS-1"));
  EXPECT_FALSE(ViaContains(headers, "web"));
  EXPECT_FALSE(ViaContains(headers, "1.1"));
  headers.Add("Via", "HTTP/2 edge (a proxy), x");
  EXPECT_TRUE(ViaContains(headers, "edge"));
  EXPECT_FALSE(ViaContains(headers, "x"));
}

TEST(ForwardedFor, IsAppendedToTheCallersList) {
  HeaderList headers;
  AppendForwardedFor(&headers, "10.0.0.1");
  AppendForwardedFor(&headers, "::1");
  EXPECT_EQ(Text(headers), "x-forwarded-for: 10.0.0.1, ::1\n");
}

}  // namespace
}  // namespace pillion::http
