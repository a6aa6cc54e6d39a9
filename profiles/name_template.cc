// SPDX-License-Identifier: Apache-2.0
#include "profiles/name_template.h"

#include <algorithm>
#include <set>
#include <vector>

#include "lib/base/escape.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

constexpr std::string_view kKubernetes = "k8s.io";  // containerd's namespace of all pods

bool is_placeholder(std::string_view word) {
  return word == "{container}" || word == "{pod}" || word == "{namespace}";
}

// No glob among them: the list says what it matches.
bool is_exact(const std::vector<std::string>& globs) {
  return !globs.empty() && std::none_of(globs.begin(), globs.end(), [](const std::string& glob) {
    return glob.find('*') != std::string::npos;
  });
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

std::string check_name_template(std::string_view text) {
  std::string plain;
  std::set<std::string_view> distinct;
  bool separated = true, unseparated = false;  // is there a '_' since the last placeholder?
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '{') {
      separated = separated || text[i] == '_';
      plain += text[i++];
      continue;
    }
    const std::size_t close = text.find('}', i);
    const std::string_view word =
        text.substr(i, close == std::string_view::npos ? close : close - i + 1);
    if (!is_placeholder(word)) {
      return "'" + escape(word, 60) +
             "' is not a placeholder: use {container}, {pod} or {namespace}";
    }
    unseparated = unseparated || !separated;
    separated = false;
    distinct.insert(word);
    plain += "x";
    i = close + 1;
  }
  if (!is_name(plain)) {
    return "'" + escape(text, 80) +
           "' is not a name: use a-z, 0-9, '.', '_', '-', at most 63 characters";
  }
  if (distinct.size() > 1 && unseparated) {
    return "'" + escape(text, 80) +
           "' would give different containers one name (a-b and c, a and b-c): put '_' between two "
           "placeholders, for "
           "no name in Kubernetes has one";
  }
  return "";
}

bool never_kubernetes(const Selector& selector) {
  return is_exact(selector.containerd_namespaces) &&
         !contains(selector.containerd_namespaces, kKubernetes);
}

std::string describe_tenants_choice(const PolicyRule& rule, std::string_view text) {
  const bool by_container = text.find("{container}") != std::string_view::npos;
  const bool by_pod = text.find("{pod}") != std::string_view::npos;
  if ((!by_container && !by_pod) || text.find("{namespace}") != std::string_view::npos) return "";
  const Selector& selector = rule.selector;
  if (is_exact(selector.kubernetes_namespaces)) return "";
  if (never_kubernetes(selector)) return "";
  return std::string("whoever may create pods chooses by the name of a ") +
         (by_container && by_pod ? "pod or a container"
          : by_pod               ? "pod"
                                 : "container") +
         " what '" + escape(text, 80) +
         "' becomes: name kubernetesNamespaces in the rule (where there is no Kubernetes, "
         "containerdNamespaces), or "
         "put {namespace}_ before it";
}

}  // namespace ward::profiles
