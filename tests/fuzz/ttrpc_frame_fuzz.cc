// SPDX-License-Identifier: Apache-2.0
// Bytes of a hostile ttrpc peer: the first byte says how they are cut, the frames must not depend
// on it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "lib/ttrpc/frame.h"
#include "lib/ttrpc/message.h"

namespace {

std::vector<ward::ttrpc::Frame> decode(std::string_view bytes, std::size_t piece, bool& in_frame) {
  ward::ttrpc::FrameDecoder decoder;
  std::vector<ward::ttrpc::Frame> frames;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (auto frame = decoder.next(part)) frames.push_back(std::move(*frame));
    if (!part.empty()) std::abort();
  }
  in_frame = decoder.in_frame();
  return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool whole_in_frame = false;
  bool cut_in_frame = false;
  const auto whole = decode(bytes, bytes.size() + 1, whole_in_frame);
  const auto cut = decode(bytes, 1 + data[0] % 32, cut_in_frame);
  if (whole.size() != cut.size() || whole_in_frame != cut_in_frame) std::abort();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].stream != cut[i].stream || whole[i].payload != cut[i].payload) std::abort();
    if (whole[i].payload.size() > ward::ttrpc::kMaxFrameBytes) std::abort();
    if (const auto request = ward::ttrpc::parse_request(whole[i].payload);
        request && request->request.timeout_ns < 0) {
      std::abort();
    }
    // What a peer may say as an error must come out readable for every other peer.
    const auto response = ward::ttrpc::parse_response(whole[i].payload);
    const auto echoed =
        ward::ttrpc::encode_response(ward::fail(ward::Code::kUnknown, whole[i].payload));
    if (ward::ttrpc::parse_response(echoed).error().code != ward::Code::kUnknown) std::abort();
  }
  return 0;
}
