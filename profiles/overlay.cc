// SPDX-License-Identifier: Apache-2.0
#include "profiles/overlay.h"

#include <algorithm>

#include "lib/base/digest.h"
#include "profiles/argument_choices.h"
#include "profiles/filter/limits.h"
#include "profiles/filter/seccomp_intersect.h"

namespace ward::profiles {
namespace {

using node::v1::CompiledProfile;
using node::v1::SyscallRule;
using Rules = google::protobuf::RepeatedPtrField<SyscallRule>;

// Every phase, and exec sessions: as what a posture puts into the filter.
constexpr std::uint32_t kEveryLayer =
    filter::kLayerBoot | filter::kLayerServing | filter::kLayerExec;

void sort_by_number(Rules& rules) {
  std::stable_sort(rules.begin(), rules.end(),
                   [](const SyscallRule& a, const SyscallRule& b) { return a.nr() < b.nr(); });
}

// The last that is the same: ours came behind the profile's own.
bool remove(Rules& rules, const SyscallRule& rule) {
  const std::string bytes = rule.SerializeAsString();
  for (int i = rules.size(); i-- > 0;) {
    if (rules[i].SerializeAsString() != bytes) continue;
    rules.erase(rules.begin() + i);
    return true;
  }
  return false;
}

Result<CompiledProfile> unseal(const SealedBytes& file) {
  node::v1::SealedFile sealed;
  CompiledProfile profile;
  if (sealed.ParseFromString(file.bytes) && profile.ParseFromString(sealed.payload()))
    return profile;
  return fail(Code::kInternal, "compiled profile '" + file.sha256 + "' is damaged");
}

// The file of the profile as it is to be; nothing where it is that already.
Result<std::optional<SealedBytes>> changed(const SealedBytes& file, const Overlay& before,
                                           const Overlay& after) {
  auto compiled = unseal(file);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  if (compiled->overlay() == digest(after)) return std::nullopt;
  auto plain = without_overlay(std::move(*compiled), before);
  if (!plain) return tl::unexpected<Error>(plain.error());
  SealedBytes out = seal(with_overlay(*plain, after));
  if (out.bytes.size() > filter::kMaxProfileBytes) out = seal(*plain);
  return out;
}

void rename(node::v1::CompiledIndex& index, const std::string& from, const std::string& to) {
  for (auto& rule : *index.mutable_rules())
    if (rule.compiled_sha256() == from) rule.set_compiled_sha256(to);
  for (auto& ref : *index.mutable_profiles())
    if (ref.compiled_sha256() == from) ref.set_compiled_sha256(to);
}

}  // namespace

SyscallRule overlay_rule(int nr, const ArgFilters& filters) {
  SyscallRule rule;
  rule.set_nr(static_cast<std::uint32_t>(nr));
  add_alternatives(rule, filters);
  return rule;
}

std::string digest(const Overlay& overlay) {
  if (overlay.empty()) return "";
  CompiledProfile rules;
  for (const SyscallRule& rule : overlay.let_run) *rules.add_tolerated() = rule;
  for (const SyscallRule& rule : overlay.in_filter) *rules.add_syscalls() = rule;
  return sha256_hex(rules.SerializeAsString());
}

CompiledProfile with_overlay(CompiledProfile plain, const Overlay& overlay) {
  for (const SyscallRule& rule : overlay.let_run) *plain.add_tolerated() = rule;
  for (SyscallRule rule : overlay.in_filter) {
    rule.set_layers(kEveryLayer);
    *plain.add_syscalls() = rule;
  }
  sort_by_number(*plain.mutable_syscalls());
  plain.set_overlay(digest(overlay));
  return plain;
}

Result<CompiledProfile> without_overlay(CompiledProfile compiled, const Overlay& overlay) {
  if (compiled.overlay().empty()) return compiled;
  bool whole = compiled.overlay() == digest(overlay);
  for (const SyscallRule& rule : overlay.let_run)
    whole = whole && remove(*compiled.mutable_tolerated(), rule);
  for (SyscallRule rule : overlay.in_filter) {
    rule.set_layers(kEveryLayer);
    whole = whole && remove(*compiled.mutable_syscalls(), rule);
  }
  if (!whole)
    return fail(Code::kFailedPrecondition,
                "the compiled profile '" + compiled.name() +
                    "' has amendments that are not known here: it is compiled anew when its file "
                    "is good");
  compiled.clear_overlay();
  return compiled;
}

Result<void> change_overlays(Resolved& resolved, const Overlays& before, const Overlays& after) {
  static const Overlay kNone;
  const auto of = [](const Overlays& overlays, const std::string& digest) -> const Overlay& {
    const auto found = overlays.find(digest);
    return found == overlays.end() ? kNone : found->second;
  };
  std::map<std::string, std::string> names;  // of compiled files, to the digest of the profile
  for (const auto& ref : resolved.index.profiles()) names[ref.compiled_sha256()] = ref.digest();
  for (SealedBytes& file : resolved.files) {
    const auto named = names.find(file.sha256);
    if (named == names.end()) continue;
    auto next = changed(file, of(before, named->second), of(after, named->second));
    if (!next) return tl::unexpected<Error>(next.error());
    if (!*next) continue;
    rename(resolved.index, file.sha256, (*next)->sha256);
    file = std::move(**next);
  }
  return {};
}

}  // namespace ward::profiles
