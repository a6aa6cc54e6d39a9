// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/source.h"

#include <set>

#include "lib/base/escape.h"
#include "profiles/learn/observation.h"

namespace ward::profiles {
namespace {

constexpr std::size_t kMaxShown = 4;
constexpr std::size_t kDigestDigits = 12;

}  // namespace

std::string kind_of(const Source& source) {
  std::string image;
  if (!source.image.empty()) image = "image " + escape(source.image, 200);
  // The name may have come to mean another image meanwhile.
  if (!source.layers.empty())
    image += (image.empty() ? "image" : "") + std::string(" with the layers ") +
             source.layers.substr(0, kDigestDigits);
  const std::string& where = source.kubernetes_namespace.empty() ? source.containerd_namespace
                                                                 : source.kubernetes_namespace;
  if (where.empty()) return image;
  return image + (image.empty() ? "namespace " : ", namespace ") + escape(where, 100);
}

std::vector<std::string> kinds_of(const std::vector<Run>& runs) {
  std::set<std::string> kinds;
  for (const Run& run : runs) kinds.insert(kind_of(run.source));
  kinds.erase("");
  return {kinds.begin(), kinds.end()};
}

std::string describe_mixture(const std::vector<std::string>& kinds) {
  if (kinds.size() < 2) return "";
  std::string text = "it has runs of different images or namespaces: ";
  for (std::size_t i = 0; i < kinds.size() && i < kMaxShown; ++i)
    text += (i == 0 ? "" : "; ") + kinds[i];
  return text + (kinds.size() > kMaxShown
                     ? "; and " + std::to_string(kinds.size() - kMaxShown) + " more"
                     : "");
}

}  // namespace ward::profiles
