// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/index.h"

#include <algorithm>
#include <string_view>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/governed.h"
#include "profiles/filter/limits.h"

namespace ward::shim::admission {
namespace {

template <typename Message>
Result<Message> open_seal(const std::string& bytes, std::string_view magic) {
  node::v1::SealedFile file;
  if (!file.ParseFromString(bytes) || file.magic() != magic) {
    return fail(Code::kInvalidArgument, "not a compiled file of this version of Ward (expected '" +
                                            std::string(magic) + "')");
  }
  if (sha256_hex(file.payload()) != file.sha256())
    return fail(Code::kInvalidArgument, "damaged: the digest inside does not match");
  Message message;
  if (!message.ParseFromString(file.payload()))
    return fail(Code::kInvalidArgument, "damaged: the content cannot be read");
  if (message.format() != filter::kFormat) {
    return fail(Code::kInvalidArgument,
                "format " + std::to_string(message.format()) +
                    " is not one this shim knows; restart wardd and the shim of one version");
  }
  return message;
}

// The name comes from the index, which is ours; still, a file name is checked before it becomes a
// path.
bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

NodeIndex open_index(const Places& places) {
  auto index = filter::IndexReader::open(places.compiled_index());
  if (index) return {std::optional<filter::IndexReader>(std::move(*index))};
  if (index.error().code == Code::kNotFound) return {std::optional<filter::IndexReader>()};
  return {tl::unexpected<Error>(index.error())};
}

std::string read_node_runtime(const Places& places, const NodeIndex& index,
                              const std::optional<node::v1::NodeSettings>& seen) {
  if (index.reader && *index.reader) return (*index.reader)->settings().runtime_binary();
  if (seen) return seen->runtime_binary();
  const auto mark = filter::read_mark(places);
  return mark ? mark->runtime_binary : "";
}

Result<node::v1::CompiledProfile> read_compiled_profile(const Places& places,
                                                        const std::string& sha256) {
  if (!is_sha256(sha256))
    return fail(Code::kInvalidArgument, "compiled profile: the index names no valid digest");
  const auto path = places.compiled() / (sha256 + ".profile");
  const auto bytes = read_regular_file(path, filter::kMaxProfileBytes);
  if (!bytes) return fail_with("compiled profile", bytes.error());
  if (sha256_hex(*bytes) != sha256) {
    return fail(Code::kInvalidArgument,
                "compiled profile '" + path.string() +
                    "': damaged: the bytes are not those its name promises");
  }
  auto profile = open_seal<node::v1::CompiledProfile>(*bytes, "ward-profile-1");
  if (!profile) return fail_with("compiled profile '" + path.string() + "'", profile.error());
  if (profile->arch() != oci::native_audit_arch()) {
    return fail(Code::kInvalidArgument,
                "compiled profile '" + path.string() + "': made for another architecture");
  }
  return profile;
}

}  // namespace ward::shim::admission
