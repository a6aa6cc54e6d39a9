// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/frame.h"

#include <gtest/gtest.h>

#include <vector>

namespace ward::ttrpc {
namespace {

std::vector<Frame> decode(FrameDecoder& decoder, std::string_view bytes, std::size_t piece) {
  std::vector<Frame> frames;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (auto frame = decoder.next(part)) frames.push_back(std::move(*frame));
  }
  return frames;
}

std::string header(std::uint32_t length, std::uint32_t stream) {
  std::string bytes = encode_frame(stream, FrameType::kRequest, {});
  for (int i = 0; i < 4; ++i)
    bytes[static_cast<std::size_t>(i)] =
        static_cast<char>(length >> static_cast<unsigned>(24 - 8 * i));
  return bytes;
}

TEST(Frame, HasTheLayoutOfTheProtocol) {
  EXPECT_EQ(encode_frame(0x01020304, FrameType::kResponse, "ab"),
            std::string("\0\0\0\2\1\2\3\4\2\0ab", 12));
}

TEST(Frame, IsTheSameHoweverTheBytesAreCut) {
  const std::string bytes = encode_frame(1, FrameType::kRequest, "hello") +
                            encode_frame(3, FrameType::kRequest, "") +
                            encode_frame(5, FrameType::kData, std::string(1000, 'x'));
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameDecoder decoder;
    const auto frames = decode(decoder, bytes, piece);
    ASSERT_EQ(frames.size(), 3U) << piece;
    EXPECT_EQ(frames[0].payload, "hello");
    EXPECT_EQ(frames[1].stream, 3U);
    EXPECT_EQ(frames[1].payload, "");
    EXPECT_EQ(frames[2].type, FrameType::kData);
    EXPECT_EQ(frames[2].payload.size(), 1000U);
    EXPECT_FALSE(decoder.in_frame());
  }
}

TEST(Frame, ExactlyTheLimitPasses) {
  FrameDecoder decoder;
  const auto frames = decode(
      decoder, encode_frame(1, FrameType::kRequest, std::string(kMaxFrameBytes, 'x')), 1U << 16U);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_FALSE(frames[0].oversize);
  EXPECT_EQ(frames[0].payload.size(), kMaxFrameBytes);
}

TEST(Frame, OverTheLimitIsDiscardedAndTheNextOneIsRead) {
  const std::string bytes = header(kMaxFrameBytes + 1, 7) + std::string(kMaxFrameBytes + 1, 'x') +
                            encode_frame(9, FrameType::kRequest, "next");
  FrameDecoder decoder;
  const auto frames = decode(decoder, bytes, 65536);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_TRUE(frames[0].oversize);
  EXPECT_EQ(frames[0].stream, 7U);
  EXPECT_EQ(frames[0].payload.capacity(), Frame{}.payload.capacity());
  EXPECT_EQ(frames[1].payload, "next");
}

TEST(Frame, AnAnnouncedLengthAllocatesNothing) {
  FrameDecoder decoder;
  const std::string bytes = header(0xffffffff, 1) + "x";
  EXPECT_TRUE(decode(decoder, bytes, 64).empty());
  EXPECT_TRUE(decoder.in_frame());
}

}  // namespace
}  // namespace ward::ttrpc
