// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/selector.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "lib/base/escape.h"

namespace ward::filter {
namespace {

using node::v1::Identity;
using node::v1::Selector;

constexpr std::uint8_t kSandboxes = 1;
constexpr std::uint8_t kPrivileged = 2;
constexpr std::uint8_t kKubeSystem = 4;

std::uint8_t included(const Selector& selector) {
  return static_cast<std::uint8_t>((selector.include_sandboxes() ? kSandboxes : 0) |
                                   (selector.include_privileged() ? kPrivileged : 0) |
                                   (selector.include_kube_system() ? kKubeSystem : 0));
}

const char* exempt(std::uint8_t includes, const Identity& identity) {
  if (identity.is_sandbox() && (includes & kSandboxes) == 0) return "sandbox";
  if (identity.is_privileged() && (includes & kPrivileged) == 0) return "privileged";
  if (identity.kubernetes_namespace() == "kube-system" && (includes & kKubeSystem) == 0)
    return "in kube-system";
  return "";
}

// What is not there reads as nothing, and `broken` stays set.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }

  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) {
      broken_ = true;
      return {};
    }
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  std::uint32_t number() {
    std::uint32_t out = 0;
    const std::string_view bytes = take(sizeof out);
    if (!broken_) std::memcpy(&out, bytes.data(), sizeof out);
    return out;
  }
  std::string_view text() { return take(number()); }

 private:
  std::string_view bytes_;
  bool broken_ = false;
};

void put_number(std::string& out, std::size_t value) {
  const auto number = static_cast<std::uint32_t>(value);
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

Globs& mutable_globs(Selector& selector, std::size_t field) {
  const std::array<Globs*, kFields> lists = {
      selector.mutable_containers(), selector.mutable_pods(), selector.mutable_images(),
      selector.mutable_kubernetes_namespaces(), selector.mutable_containerd_namespaces()};
  return *lists.at(field);
}

// Behind the key: none of the patterns matches the text.
std::string why_none(const Globs& globs, const std::string& text) {
  constexpr int kMaxShown = 5;
  constexpr std::size_t kMaxText = 200;
  std::string patterns;
  for (int i = 0; i < globs.size() && i < kMaxShown; ++i)
    patterns += (i == 0 ? "'" : ", '") + escape(globs[i], kMaxText) + "'";
  if (globs.size() > kMaxShown)
    patterns += " and " + std::to_string(globs.size() - kMaxShown) + " more";
  if (text.empty())
    return "not known of this container (outside of Kubernetes), so nothing matches " + patterns;
  return "'" + escape(text, kMaxText) + "' is none of " + patterns;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  // Iterative with one point of return: linear in memory, no recursion for a pattern of many stars.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const Globs& globs_of(const Selector& selector, std::size_t field) {
  const std::array<const Globs*, kFields> lists = {
      &selector.containers(), &selector.pods(), &selector.images(),
      &selector.kubernetes_namespaces(), &selector.containerd_namespaces()};
  return *lists.at(field);
}

const std::string& text_of(const Identity& identity, std::size_t field) {
  const std::array<const std::string*, kFields> texts = {
      &identity.container_name(), &identity.pod(), &identity.image(),
      &identity.kubernetes_namespace(), &identity.containerd_namespace()};
  return *texts.at(field);
}

std::string exemption(const Selector& selector, const Identity& identity) {
  return exempt(included(selector), identity);
}

Reach reach(const Selector& selector, const Identity& identity) {
  for (std::size_t field = 0; field < kFields; ++field) {
    const Globs& globs = globs_of(selector, field);
    const std::string& text = text_of(identity, field);
    const auto matches = [&](const std::string& glob) { return glob_matches(glob, text); };
    if (!globs.empty() && std::none_of(globs.begin(), globs.end(), matches)) return Reach::kNo;
  }
  return exemption(selector, identity).empty() ? Reach::kSelected : Reach::kLeftAlone;
}

std::string why_not(const Selector& selector, const Identity& identity) {
  constexpr std::array<const char*, kFields> kKeys = {
      "containers", "pods", "images", "kubernetesNamespaces", "containerdNamespaces"};
  for (std::size_t field = 0; field < kFields; ++field) {
    const Globs& globs = globs_of(selector, field);
    const std::string& text = text_of(identity, field);
    const auto matches = [&](const std::string& glob) { return glob_matches(glob, text); };
    if (globs.empty() || std::any_of(globs.begin(), globs.end(), matches)) continue;
    return std::string(kKeys.at(field)) + ": " + why_none(globs, text);
  }
  const std::string alone = exemption(selector, identity);
  return alone.empty() ? "" : "left alone: " + alone + ", and the rule does not include that";
}

std::string pack(const Selector& selector) {
  std::string out(1, static_cast<char>(included(selector)));
  for (std::size_t field = 0; field < kFields; ++field) {
    const Globs& globs = globs_of(selector, field);
    put_number(out, static_cast<std::size_t>(globs.size()));
    for (const std::string& glob : globs) {
      put_number(out, glob.size());
      out += glob;
    }
  }
  return out;
}

std::optional<Selector> unpack(std::string_view packed) {
  Cursor cursor(packed);
  Selector out;
  const std::string_view flags = cursor.take(1);
  const auto includes = static_cast<std::uint8_t>(flags.empty() ? 0 : flags.front());
  for (std::size_t field = 0; field < kFields; ++field) {
    const std::uint32_t count = cursor.number();
    for (std::uint32_t i = 0; i < count && !cursor.broken(); ++i) {
      mutable_globs(out, field).Add(std::string(cursor.text()));
    }
  }
  if (cursor.broken() || !cursor.at_end()) return std::nullopt;
  out.set_include_sandboxes((includes & kSandboxes) != 0);
  out.set_include_privileged((includes & kPrivileged) != 0);
  out.set_include_kube_system((includes & kKubeSystem) != 0);
  return out;
}

std::optional<Reach> reach(std::string_view packed, const Identity& identity) {
  Cursor cursor(packed);
  const std::string_view flags = cursor.take(1);
  if (cursor.broken()) return std::nullopt;
  for (std::size_t field = 0; field < kFields; ++field) {
    const std::uint32_t count = cursor.number();
    bool matches = count == 0;
    for (std::uint32_t i = 0; i < count && !cursor.broken(); ++i) {
      const std::string_view glob = cursor.text();
      matches = matches || (!cursor.broken() && glob_matches(glob, text_of(identity, field)));
    }
    if (cursor.broken()) return std::nullopt;
    if (!matches) return Reach::kNo;
  }
  const bool alone = *exempt(static_cast<std::uint8_t>(flags.front()), identity) != '\0';
  return alone ? Reach::kLeftAlone : Reach::kSelected;
}

}  // namespace ward::filter
