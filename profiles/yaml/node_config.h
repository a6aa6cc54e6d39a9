// SPDX-License-Identifier: Apache-2.0
// <config>/wardd.yaml: the few things of a node that no profile or policy says. The file is
// optional, and every key of it; strict like every Ward document (apiVersion: ward.dev/v1alpha1,
// kind: NodeConfig). The keys, with their defaults:
//   journal: {maxEvents: 200000, maxAge: 720h}      older events go, and are counted
//   recordings: {runsPerWorkload: 64}               the oldest go first
//   quarantine: {ttl: 10m}                          then killed; 0s: held until a person decides
//   evidence: {maxBytes, maxFiles, full: false}     of one bundle; full: nothing is redacted
//   evidence: {maxAge: 168h, maxTotalBytes: 1 GiB}  of all; older ones go, then the oldest
//   runtime: {binary: /usr/sbin/runc}               without it runc from PATH
//   whenUngoverned: refuse | open                   while the index of a governed node is gone
//   metrics: {listen: 127.0.0.1:9464}               Prometheus text, loopback only; else off
//   sampling: {window: 300ms, every: 30s}           windows on free calls; every 0s: never
//   sinks: [{name, type, ...}]                      where events go (sink_settings.h)
// Values only, for wardd (enforcer/config.h) and for `ward profile lint`.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "profiles/yaml/sink_settings.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {

struct NodeConfig {
  std::uint64_t journal_max_events = 200'000;
  std::chrono::milliseconds journal_max_age = std::chrono::hours(720);
  std::uint32_t runs_per_workload = 64;      // recordings kept; the oldest go first
  std::chrono::seconds quarantine_ttl{600};  // then killed; 0: held until a person decides
  std::uint32_t evidence_max_bytes = 0;      // of one bundle; 0: the shim's own limit
  std::uint32_t evidence_max_files = 0;
  bool evidence_full = false;  // values of environment and arguments are kept, not redacted
  std::chrono::seconds evidence_max_age = std::chrono::hours(168);  // of all bundles
  std::uint64_t evidence_max_total_bytes = 1ULL << 30U;
  std::string runtime_binary;  // empty: runc from PATH
  Position runtime_binary_at;
  bool open_when_ungoverned =
      false;  // new containers run without a policy while the compiled index is gone
  std::string metrics_listen;  // "127.0.0.1:9464"; empty: no metrics endpoint
  // Sampled windows on calls that profiles let run without asking (enforcer/sampling.h). every 0:
  // never.
  std::chrono::milliseconds sampling_window{300};
  std::chrono::milliseconds sampling_every{30'000};
  std::vector<SinkSettings> sinks;
};

Result<NodeConfig> read_node_config(std::string_view text, std::string_view file_name);

}  // namespace ward::profiles
