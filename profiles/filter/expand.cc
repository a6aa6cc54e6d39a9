// SPDX-License-Identifier: Apache-2.0
// Who may create pods chooses the values, so two of them must never meet in one name. Kubernetes'
// names have no '_': with one between two values, what was put in can be read back. Everything else
// goes by a digest, and a name that looks like one is never made of the values alone.
#include <algorithm>
#include <initializer_list>
#include <vector>

#include "lib/base/digest.h"
#include "profiles/filter/treatment.h"

namespace ward::filter {
namespace {

using node::v1::Identity;

constexpr std::size_t kMaxNameBytes = 63;
constexpr std::string_view kMark = "__";
constexpr std::size_t kDigestDigits = 32;

struct Part {
  std::string_view text;               // of the template: a run of literal text, or a placeholder
  const std::string* value = nullptr;  // of a placeholder
};

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_name_character(char c) { return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-'; }

std::vector<Part> split(std::string_view name_template, const Identity& identity) {
  const std::pair<std::string_view, const std::string*> values[] = {
      {"{container}", &identity.container_name()},
      {"{pod}", &identity.pod()},
      {"{namespace}", &identity.kubernetes_namespace()}};
  std::vector<Part> parts;
  while (!name_template.empty()) {
    const auto* const found =
        std::find_if(std::begin(values), std::end(values), [&](const auto& value) {
          return name_template.substr(0, value.first.size()) == value.first;
        });
    Part part;
    if (found == std::end(values)) {
      part.text = name_template.substr(0, std::max<std::size_t>(name_template.find('{', 1), 1));
    } else {
      part = {found->first, found->second};
    }
    name_template.remove_prefix(part.text.size());
    parts.push_back(part);
  }
  return parts;
}

// Can the values be read back from the name? One value always can; several where each '_' belongs
// to the template.
bool tells_values_apart(const std::vector<Part>& parts) {
  std::vector<const std::string*> distinct;
  const Part* last = nullptr;
  bool separated = true, adjacent = false;
  for (const Part& part : parts) {
    if (part.value == nullptr) {
      separated = separated || part.text.find('_') != std::string_view::npos;
      continue;
    }
    if (std::find(distinct.begin(), distinct.end(), part.value) == distinct.end())
      distinct.push_back(part.value);
    adjacent = adjacent || (last != nullptr && !separated);
    last = &part;
    separated = false;
  }
  const bool several = distinct.size() > 1;
  return !(several && adjacent) &&
         std::all_of(distinct.begin(), distinct.end(), [&](const std::string* value) {
           return !value->empty() && std::all_of(value->begin(), value->end(), [&](char c) {
             return is_name_character(c) && (c != '_' || !several);
           });
         });
}

bool looks_digested(std::string_view name) {
  const std::size_t tail = kMark.size() + kDigestDigits;
  if (name.size() < tail || name.substr(name.size() - tail, kMark.size()) != kMark) return false;
  const std::string_view digits = name.substr(name.size() - kDigestDigits);
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Enough of the values for people to recognise it, as far as it goes.
std::string readable(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_name_character(c)) c = '-';
  }
  const std::size_t first = text.find_first_not_of("._-");
  text.erase(0, std::min(first, text.size()));
  text.resize(std::min(text.size(), kMaxNameBytes - kMark.size() - kDigestDigits));
  return text.empty() ? "x" : text;
}

// A length before each value: no two lists of values are the same text.
std::string put_exactly(std::initializer_list<const std::string*> values) {
  std::string exact;
  for (const std::string* value : values)
    exact += "\n" + std::to_string(value->size()) + ":" + *value;
  return exact;
}

std::string with_digest(const std::string& out, const std::string& exact) {
  return readable(out) + std::string(kMark) + sha256_hex(exact).substr(0, kDigestDigits);
}

// The first character is a letter or a digit (profile-format.md): "..", "-" and hidden names cannot
// arise.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameBytes && is_lower_or_digit(name.front()) &&
         !looks_digested(name) && std::all_of(name.begin(), name.end(), is_name_character);
}

}  // namespace

std::string expand(std::string_view name_template, const Identity& identity) {
  if (name_template.empty()) return "";
  const std::vector<Part> parts = split(name_template, identity);
  std::string out, exact(name_template);
  for (const Part& part : parts) {
    out += part.value == nullptr ? std::string(part.text) : *part.value;
    if (part.value != nullptr) exact += put_exactly({part.value});
  }
  if (is_plain_name(out) && tells_values_apart(parts)) return out;
  return with_digest(out, exact);
}

std::string default_workload(const Identity& identity) {
  const bool in_kubernetes =
      !identity.kubernetes_namespace().empty() || !identity.sandbox_id().empty();
  if (!in_kubernetes) {
    const std::string plain = identity.containerd_namespace() + "_" + identity.container_id();
    // Without '_' in the namespace the two can be read back.
    const bool tells_apart = identity.containerd_namespace().find('_') == std::string::npos;
    return tells_apart && is_plain_name(plain)
               ? plain
               : with_digest(plain, put_exactly({&identity.containerd_namespace(),
                                                 &identity.container_id()}));
  }
  return with_digest(
      identity.kubernetes_namespace() + "_" + identity.pod() + "_" + identity.container_name(),
      put_exactly({&identity.kubernetes_namespace(), &identity.pod(), &identity.container_name(),
                   &identity.image()}));
}

}  // namespace ward::filter
