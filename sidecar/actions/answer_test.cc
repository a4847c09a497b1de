#include "sidecar/actions/answer.h"

#include <gtest/gtest.h>

#include <string>

#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

constexpr char kProblem[] = "application/problem+json";

std::string Describe(const std::string& type, const std::string& body,
                     const std::string& flag = "") {
  delivery::Answer answer{503, "", body};
  delivery::AppendField(answer.headers, "Content-Type", type);
  if (!flag.empty()) delivery::AppendField(answer.headers, "Pillion-Flag", flag);
  return DescribeAnswer(answer);
}

TEST(DescribeAnswer, SaysWhatAProxyAnsweredAndWhy) {
  EXPECT_EQ(Describe(kProblem, R"({"title":"Service Unavailable","detail":"no connection"})", "UF"),
            "answered 503 (UF): no connection");
}

TEST(DescribeAnswer, TakesTheTitleOfAProblemWithoutADetail) {
  EXPECT_EQ(Describe("Application/Problem+JSON; charset=utf-8", R"({"title":"Out of stock"})"),
            "answered 503: Out of stock");
}

TEST(DescribeAnswer, SaysTheStatusAloneOfWhatIsNoProblem) {
  EXPECT_EQ(Describe("application/json", R"({"detail":"x"})"), "answered 503");
  EXPECT_EQ(Describe(kProblem, R"({"detail":"x)"), "answered 503");
  EXPECT_EQ(Describe(kProblem, R"(["detail"])"), "answered 503");
  EXPECT_EQ(Describe(kProblem, R"({"detail":7})"), "answered 503");
  EXPECT_EQ(Describe(kProblem, ""), "answered 503");
  EXPECT_EQ(DescribeAnswer({500, "", ""}), "answered 500");
}

TEST(DescribeAnswer, IsOneLineWhateverTheUpstreamSays) {
  EXPECT_EQ(Describe(kProblem, R"({"detail":"a\nb\u0000c\u001b[1m"})", "no\nflag"),
            "answered 503: a b c [1m");
  EXPECT_EQ(Describe("text/plain", "", "FARTOOLONG"), "answered 503");
}

TEST(DescribeAnswer, CutsALongDetailBetweenTwoCharacters) {
  const std::string detail = std::string(255, 'x') + "\u00e4" + std::string(100, 'y');
  EXPECT_EQ(Describe(kProblem, "{\"detail\":\"" + detail + "\"}"),
            "answered 503: " + std::string(255, 'x') + "...");
}

}  // namespace
}  // namespace pillion::sidecar
