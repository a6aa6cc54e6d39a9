// SPDX-License-Identifier: Apache-2.0
// Incidents to make pages of: an everyday one, one that is hostile in every text, and one in which
// every list is as long as may be.
#pragma once

#include <string>
#include <vector>

#include "cli/incident/page.h"

namespace ward::test {

cli::Incident everyday_incident();
// Markup, escapes, newlines, right-to-left marks and bytes that are no UTF-8, wherever a container,
// an image or a pod can put a text.
cli::Incident hostile_incident();
cli::Incident largest_incident();
cli::Overview overview_of(std::vector<cli::Incident> incidents);

// What a browser must run nothing of.
const std::vector<std::string>& hostile_texts();

// As the shim writes it: evidence.json of an unshare in a shell.
std::string everyday_evidence();
inline constexpr const char* kSampleProfile = R"(apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: web, version: 7}
spec:
  architectures: [x86_64]
  posture: balanced
  noNewPrivileges: true
  syscalls:
    serving:
      - accept
      - {name: socket, args: [{index: 0, oneOf: [AF_UNIX, AF_INET]}]}
      - {name: clone, args: [{index: 0, mask: 0x7e020000, oneOf: [0]}]}
    boot: [execve, listen]
    exec: [mkdir]
  accept:
    - {bundle: getaddrinfo, reason: looks up names}
  capabilities: [CAP_NET_BIND_SERVICE]
  onViolation: {workload: {action: quarantine}, exec: {action: deny}}
provenance: {workload: shop/web, runs: "14", recorder: ebpf, generator: ward 0.1.0}
)";

}  // namespace ward::test
