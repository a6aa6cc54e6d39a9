// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/message.h"

#include <gtest/gtest.h>

#include "lib/ttrpc/frame.h"
#include "ttrpc/ttrpc.pb.h"

namespace ward::ttrpc {
namespace {

TEST(Message, RequestsKeepWhatTheyCarry) {
  const auto read = parse_request(
      encode_request("a.B", "C", std::string("\0\xff", 2), std::chrono::seconds(2), "k8s.io"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->service, "a.B");
  EXPECT_EQ(read->method, "C");
  EXPECT_EQ(read->request.payload, std::string("\0\xff", 2));
  EXPECT_EQ(read->request.timeout_ns, 2'000'000'000);
  EXPECT_EQ(read->request.containerd_namespace, "k8s.io");
}

TEST(Message, ARequestOfTheGoClientIsRead) {
  // As containerd sends it: service 1, method 2, timeout 4, and a metadata entry besides the
  // namespace.
  const std::string bytes = std::string("\x0a\x03") + "a.B" + "\x12\x01" + "C" +
                            std::string("\x20\x05") + std::string("\x2a\x0b\x0a\x05") + "trace" +
                            "\x12\x02" + "xy" + std::string("\x2a\x20\x0a\x1a") +
                            "containerd-namespace-ttrpc" + "\x12\x02" + "ns";
  const auto read = parse_request(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->request.containerd_namespace, "ns");
  EXPECT_EQ(read->request.timeout_ns, 5);
}

TEST(Message, GarbageIsNoRequestAndNoResponse) {
  EXPECT_EQ(parse_request("\xff\xff\xff").error().code, Code::kInvalidArgument);
  EXPECT_EQ(parse_response("\xff\xff\xff").error().code, Code::kInternal);
}

TEST(Message, ANegativeTimeoutIsNone) {
  const auto read = parse_request(encode_request("a", "b", "", std::chrono::seconds(-1), ""));
  EXPECT_EQ(read->request.timeout_ns, 0);
}

TEST(Message, ErrorsKeepCodeAndText) {
  const auto error =
      parse_response(encode_response(fail(Code::kNotFound, "container not created"))).error();
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "container not created");
  EXPECT_EQ(parse_response(encode_response(fail(Code::kOk, "odd"))).error().code, Code::kUnknown);
}

TEST(Message, I7_AnErrorTextOfHostileBytesIsStillUtf8) {
  const auto error = parse_response(encode_response(
      fail(Code::kUnknown, "a\xff\xc3\xa4\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80z\xe2\x82")));
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().message,
            "a?\xc3\xa4???"
            "??"
            "????"
            "z??");
}

TEST(Message, AnAnswerOverTheLimitBecomesAnError) {
  EXPECT_TRUE(parse_response(encode_response(std::string(kMaxFrameBytes - 16, 'x'))));
  EXPECT_EQ(parse_response(encode_response(std::string(kMaxFrameBytes, 'x'))).error().code,
            Code::kResourceExhausted);
}

}  // namespace
}  // namespace ward::ttrpc
